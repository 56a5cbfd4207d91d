"""The numbers of a process and of its children, as one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from launchyard.adapters.prometheus.metrics import PrometheusMetrics
from launchyard.ports.families import SNAPSHOT_AGE
from launchyard.ports.metrics import Family, Kind, Sample, Snapshot

_Key = tuple[str, str, frozenset[tuple[str, str]]]


@dataclass(slots=True)
class _Child:
    generation: int
    at: float
    snapshot: Snapshot


@dataclass(slots=True)
class _Sums:
    """Samples added up by what they count."""

    values: dict[_Key, Sample] = field(default_factory=dict)

    def add(self, sample: Sample) -> None:
        key = (sample.family.name, sample.suffix, frozenset(sample.labels.items()))
        before = self.values.get(key)
        value = sample.value + (before.value if before else 0.0)
        self.values[key] = Sample(
            family=sample.family, suffix=sample.suffix, labels=sample.labels, value=value
        )


class Fleet:
    """Adds the snapshots of child processes to the numbers of this one.

    A counter never goes back when a child is started again: what its dead generations had counted
    stays. The gauges of a dead child are gone with it. Thread-safe.
    """

    def __init__(self, own: PrometheusMetrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._own = own
        self._clock = clock
        self._lock = threading.Lock()
        self._children: dict[str, _Child] = {}
        self._buried: dict[str, int] = {}
        self._dead = _Sums()

    def heard(self, process: str, generation: int, snapshot: Snapshot) -> None:
        """Take the last known numbers of a child; a new generation ends the one before."""
        with self._lock:
            child = self._children.get(process)
            last = child.generation if child else self._buried.get(process, generation - 1) + 1
            if generation < last:
                return
            if child is not None and child.generation < generation:
                self._bury(process, child)
            self._children[process] = _Child(generation, self._clock(), snapshot)

    def ended(self, process: str) -> None:
        """Note that a child is gone."""
        with self._lock:
            child = self._children.pop(process, None)
            if child is not None:
                self._bury(process, child)

    def snapshot(self) -> Snapshot:
        """Return the sum of all."""
        sums = _Sums()
        for sample in self._own.snapshot():
            sums.add(sample)
        with self._lock:
            for sample in self._dead.values.values():
                sums.add(sample)
            for name, child in self._children.items():
                sums.add(_age(name, self._clock() - child.at))
                for sample in child.snapshot:
                    sums.add(sample)
        return tuple(sums.values.values())

    def families(self) -> Mapping[str, Family]:
        """Return every family that this process knows, by name."""
        return {family.name: family for family in self._own.families()}

    def _bury(self, process: str, child: _Child) -> None:
        self._buried[process] = child.generation
        for sample in child.snapshot:
            if sample.family.kind is not Kind.GAUGE:
                self._dead.add(sample)


def _age(process: str, seconds: float) -> Sample:
    return Sample(family=SNAPSHOT_AGE, suffix="", labels={"process": process}, value=seconds)
