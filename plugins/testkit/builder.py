"""What every builder must do, as tests."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest

from launchyard.domain.reason import Reason
from launchyard.ports.builder import Builder, BuildError, BuildRequest, Built


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderCase:
    """A builder, and requests to try it with.

    `make` gives a builder as a new process would make it, over the same store each time. `good`
    gives requests of equal contents, each from a source of its own. `failing` needs a dependency
    that does not exist, called `failing_name`. `slow` never comes to an end; `slow_begun` and
    `slow_alive` tell whether a process of it has begun, and whether one lives. `works` tries a
    product. `secret` is a credential somewhere in `failing`, or empty where there is none.
    """

    make: Callable[[], Builder]
    good: Callable[[], BuildRequest]
    other: BuildRequest
    nothing: BuildRequest
    failing: BuildRequest
    failing_name: str
    slow: BuildRequest
    slow_begun: Callable[[], bool]
    slow_alive: Callable[[], bool]
    works: Callable[[Built], bool]
    secret: str = ""


class BuilderContract(ABC):
    """Subclass as `TestMyBuilder` and give it a `case` fixture."""

    provider: ClassVar[str] = ""
    """The name under which the adapter is registered."""

    soon_s = 60.0
    timeout_s = 120.0

    @pytest.fixture
    @abstractmethod
    def case(self) -> Any:
        """Give, or yield, a `BuilderCase` with nothing built yet."""

    def test_a_product_works(self, case: BuilderCase) -> None:
        """The first build makes it, and says what it does meanwhile."""
        said: list[bytes] = []
        built = case.make().build(replace(case.good(), timeout_s=self.timeout_s), said.append, _no)
        assert built.cache == "miss"
        assert case.works(built)
        assert b"".join(said).strip()

    def test_equal_contents_are_built_once(self, case: BuilderCase) -> None:
        """A new process finds under the same key what another built."""
        first = self.build(case, case.good())
        second = self.build(case, case.good())
        assert (first.cache, second.cache) == ("miss", "hit")
        assert replace(first, cache="") == replace(second, cache="")

    def test_other_contents_are_another_product(self, case: BuilderCase) -> None:
        """Nobody gets what was made for somebody else."""
        first, second = self.build(case, case.good()), self.build(case, case.other)
        assert second.cache == "miss"
        assert first.key != second.key

    def test_nothing_to_build(self, case: BuilderCase) -> None:
        """What needs no product gets none."""
        assert self.build(case, case.nothing) == Built()

    def test_builds_at_the_same_time_share(self, case: BuilderCase) -> None:
        """One of them builds and the others wait for it."""
        many = 4
        together = threading.Barrier(many)

        def build() -> Built:
            request, builder = case.good(), case.make()
            together.wait(self.timeout_s)
            return builder.build(replace(request, timeout_s=self.timeout_s), _quiet, _no)

        with ThreadPoolExecutor(many) as pool:
            built = [future.result() for future in [pool.submit(build) for _ in range(many)]]
        assert [one.cache for one in built].count("miss") == 1
        assert {one.cache for one in built} <= {"miss", "joined", "hit"}
        assert len({one.key for one in built}) == 1
        assert all(case.works(one) for one in built)

    def test_a_dependency_that_fails_is_named(self, case: BuilderCase) -> None:
        """The error says which, whoever asks and how often, and tells no credential."""
        for _ in range(2):
            said: list[bytes] = []
            error = self.refuse(case, case.failing, said.append, _no)
            assert error.reason is Reason.DEPENDENCY_FAILED
            assert case.failing_name in str(error)
            assert not case.secret or case.secret not in f"{error!r}{b''.join(said)!r}"

    def test_a_build_can_be_cancelled(self, case: BuilderCase) -> None:
        """In the midst of it; soon it is over, and no process of it lives."""
        error = self.refuse(case, case.slow, _quiet, case.slow_begun)
        assert error.reason is Reason.CANCELLED
        assert case.slow_begun()
        assert not case.slow_alive()

    def test_a_cancel_can_come_first(self, case: BuilderCase) -> None:
        """What nobody wants from the start is not begun."""
        error = self.refuse(case, case.slow, _quiet, lambda: True)
        assert error.reason is Reason.CANCELLED
        assert not case.slow_begun()

    def test_a_build_ends_in_time(self, case: BuilderCase) -> None:
        """A build that never ends costs the time it was given, and no process of it lives."""
        before = time.monotonic()
        error = self.refuse(case, replace(case.slow, timeout_s=1.5), _quiet, _no)
        assert error.reason is Reason.BUILD_TIMEOUT
        assert time.monotonic() - before < self.soon_s
        assert not case.slow_alive()

    def test_a_half_made_product_is_not_used(self, case: BuilderCase) -> None:
        """After a build that was ended the same contents are built anew, not found."""
        for _ in range(2):
            error = self.refuse(case, case.slow, _quiet, case.slow_begun)
            assert error.reason is Reason.CANCELLED

    def build(self, case: BuilderCase, request: BuildRequest) -> Built:
        """Build *request* as a new process would."""
        return case.make().build(replace(request, timeout_s=self.timeout_s), _quiet, _no)

    def refuse(
        self,
        case: BuilderCase,
        request: BuildRequest,
        log: Callable[[bytes], None],
        cancelled: Callable[[], bool],
    ) -> BuildError:
        """Return the error of *request*, which has to fail."""
        with pytest.raises(BuildError) as e:
            case.make().build(request, log, cancelled)
        return e.value


def _quiet(_: bytes) -> None:
    """Hear nothing."""


def _no() -> bool:
    """Want the build."""
    return False
