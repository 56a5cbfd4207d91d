"""Getting the source code of an attempt onto this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol, TypeVar

from launchyard.domain.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class GitRequest:
    """A repository, a branch, tag or commit of it (none: its default branch), and a folder."""

    url: str = field(repr=False)
    ref: str = ""
    subdir: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveRequest:
    """A code archive by its digest; *open* gives its bytes and is called once per fetch.

    *open* and the reads of what it gives bring their own time-outs. They raise `SourceError`,
    `FileNotFoundError` for an archive that is gone, or another `OSError` for trouble on the way.
    """

    sha256: str
    open: Callable[[], BinaryIO] = field(repr=False)
    subdir: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """The code of a W&B server's job: `entity/project/name:alias`."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """Where the code lies now, and what exactly it is: the full commit id, or the sha256.

    Of a job it is its name with its version.

    `folder` is the folder that was asked for, or the sub-folder of it that the request named.
    """

    folder: str
    revision: str


class SourceError(Exception):
    """The source did not arrive; `retry` says whether the same call may succeed later.

    `reason` is one of `SOURCE_UNREACHABLE`, `SOURCE_REFUSED`, `SOURCE_NOT_FOUND`,
    `SOURCE_CORRUPT`, `DISK_FULL` and `CANCELLED`.
    """

    def __init__(self, message: str, *, reason: Reason, retry: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry = retry


Request_contra = TypeVar("Request_contra", contravariant=True)


class SourceFetcher(Protocol[Request_contra]):
    """Brings one kind of source code into a folder.

    Promises, which `plugins.testkit.source.SourceContract` tests in every fetcher:

    * The folder *into* is created; when it is there already it has to be empty, or the call is
      refused and the folder is left as it is.
    * Nothing outside *into* is written. After an error *into* is empty or gone.
    * The files, their executable bits and the revision are the same at every fetch of one commit
      or digest; no version control data is left among them.
    * The call ends soon after *timeout_s*, or after *cancelled* has begun to answer true; every
      process that it started is gone then. *cancelled* is asked often, from the calling thread.
    * No exception but `SourceError` leaves, and no credential is in one, nor in its causes.
    """

    def fetch(
        self,
        source: Request_contra,
        into: str,
        *,
        timeout_s: float,
        cancelled: Callable[[], bool],
    ) -> Fetched:
        """Put the files of *source* into the folder *into*."""
        ...
