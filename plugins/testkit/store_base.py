"""The fixtures that all parts of the store's kit use."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from launchyard.plugins.testkit.store_world import MovableClock, World
from launchyard.ports.records import StoreError, Trouble
from launchyard.ports.store import Store


@dataclass(frozen=True, slots=True)
class Opening:
    """Opens the store under test, again and again on the same data."""

    open: Callable[[MovableClock], Store]


class StoreKit(ABC):
    """Subclass as `TestMyStore` and give it an `opening` fixture with these terms."""

    ttl_s: ClassVar = 45.0
    host_lost_s: ClassVar = 100.0
    quota_b: ClassVar = 100
    own_sources: ClassVar = 2
    outputs: ClassVar = 3

    @pytest.fixture
    @abstractmethod
    def opening(self, tmp_path: Path) -> Opening:
        """Give what opens a store in `tmp_path` with the times and limits above."""

    @pytest.fixture
    def clock(self) -> MovableClock:
        """Give a clock that the tests move."""
        return MovableClock()

    @pytest.fixture
    def opened(self, opening: Opening, clock: MovableClock) -> Iterator[Callable[[], Store]]:
        """Give what opens the store once more; all are closed at the end."""
        with ExitStack() as stack:

            def once_more() -> Store:
                store = opening.open(clock)
                stack.callback(store.close)
                return store

            yield once_more

    @pytest.fixture
    def world(self, opened: Callable[[], Store], clock: MovableClock) -> World:
        """Give a world with a team and a queue."""
        return World(opened(), clock, self.ttl_s, self.host_lost_s).prepare()


def refused(call: Callable[[], object]) -> StoreError:
    """Return the error that *call* has to raise."""
    with pytest.raises(StoreError) as e:
        call()
    return e.value


def trouble(call: Callable[[], object]) -> Trouble:
    """Return the trouble that *call* has to get into."""
    return refused(call).trouble
