"""Which log is to be looked at next, among very many that say nothing."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from launchyard.actors.messages import Ref
from launchyard.ports.runner import Handle, Runner, RunnerError


@dataclass(slots=True, eq=False)
class Shipment:
    """One attempt's logs: how far they are shipped, and when to look again.

    `roused` says that there was news while somebody looked; `ending_s` since when, without
    progress, the rest is waited for.
    """

    ref: Ref
    handle: Handle
    cursors: dict[str, int]
    full: set[str] = field(default_factory=set)
    seen: dict[str, int] = field(default_factory=dict)
    due: float = float("inf")
    looked: float = float("-inf")
    wait_s: float = 0.25
    ended: bool = False
    ending_s: float | None = None
    busy: bool = False
    roused: bool = False
    tries: int = 0


@dataclass(slots=True)
class Found:
    """What a look at an attempt's logs gave; `over` where every one of them is at its end."""

    sent_b: int = 0
    held: bool = False
    over: bool = True


class Rota:
    """Shipments by attempt and by handle, the one that is due first at hand; not thread-safe."""

    def __init__(self) -> None:
        self._known: dict[Ref, Shipment] = {}
        self._refs: dict[Handle, Ref] = {}
        self._line: list[tuple[float, int, Shipment]] = []
        self._number = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._known)

    def get(self, ref: Ref) -> Shipment | None:
        """Return the shipment of an attempt."""
        return self._known.get(ref)

    def of(self, handle: Handle) -> Shipment | None:
        """Return the shipment of a handle."""
        ref = self._refs.get(handle)
        return self._known.get(ref) if ref is not None else None

    def all(self) -> list[Shipment]:
        """Return every shipment."""
        return list(self._known.values())

    def add(self, shipment: Shipment) -> Shipment:
        """Keep a new one."""
        self._known[shipment.ref] = shipment
        self._refs[shipment.handle] = shipment.ref
        return shipment

    def drop(self, ref: Ref) -> None:
        """Keep an attempt's no more."""
        shipment = self._known.pop(ref, None)
        if shipment is not None:
            self._refs.pop(shipment.handle, None)
            shipment.due = float("inf")

    def plan(self, shipment: Shipment, due: float) -> None:
        """Have it looked at when *due* comes, in seconds of the clock that `first` is asked by."""
        if shipment.due == due:
            return
        shipment.due = due
        if due != float("inf"):
            # What stands in line for another time than its shipment's own is passed over.
            self._number += 1
            heapq.heappush(self._line, (due, self._number, shipment))
            if len(self._line) > 4 * len(self._known) + 64:
                self._tidy()

    def first(self) -> Shipment | None:
        """Return the one that is due first, of those that nobody looks at now."""
        while self._line:
            due, _, shipment = self._line[0]
            if shipment.due == due and not shipment.busy:
                return shipment
            heapq.heappop(self._line)
        return None

    def _tidy(self) -> None:
        self._line = [one for one in self._line if one[2].due == one[0]]
        heapq.heapify(self._line)


def is_empty(runner: Runner, handle: Handle) -> bool:
    """Tell whether all logs of an ended thing are at their ends without a byte, and no output."""
    try:
        for source in runner.log_sources(handle):
            piece = runner.read_log(handle, source, 0, 1)
            if piece.data or not piece.end:
                return False
        return not runner.outputs(handle)
    except RunnerError:
        return False
