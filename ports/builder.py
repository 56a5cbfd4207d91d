"""The builder port: turn source code and its dependencies into what a target can run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from launchyard.domain.reason import Reason


class BuildError(Exception):
    """The build failed; `retry` says whether the same build may succeed later."""

    def __init__(self, message: str, *, reason: Reason, retry: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry = retry


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What to build: the folder with the source (may be empty) and what the launch says of it.

    `requirements` is a file below `source`, or the lines themselves, or empty: then the builder
    looks for its usual files. `python` is a version, a name or a path, or empty.
    """

    name: str
    source: str
    requirements: str | tuple[str, ...] = ()
    python: str = ""
    timeout_s: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """The product: `path` (a virtual environment's folder) or `image`; empty when none is needed.

    `key` is its content address; `cache` is hit, miss or joined (another build made it meanwhile).
    """

    key: str = ""
    path: str = ""
    image: str = ""
    cache: str = "miss"


class Builder(Protocol):
    """Makes one kind of product.

    Promises: equal contents give the same key and are built once, also by builds at the same time
    and after a crash in the middle; a half-made product is never used; *log* gets the build's
    output as it comes, in whole or part lines; the call ends soon after `timeout_s`
    (`BUILD_TIMEOUT`) or after *cancelled* begins to answer true (`CANCELLED`), and its processes
    are gone then; a dependency that fails is named in the error (`DEPENDENCY_FAILED`).
    No exception but `BuildError` leaves.
    """

    def build(
        self, request: BuildRequest, log: Callable[[bytes], None], cancelled: Callable[[], bool]
    ) -> Built:
        """Build, or find what was built before."""
        ...
