"""Counting, without the Prometheus library: a process that shows nothing need not load it."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from launchyard.adapters.prometheus.labels import Labels
from launchyard.adapters.prometheus.prepare import enumerable
from launchyard.adapters.prometheus.usage import usage
from launchyard.ports.families import CPU, MEMORY
from launchyard.ports.metrics import Family, Kind, Sample, Snapshot

INFINITE: Final = "+Inf"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsConfig:
    """The name of this process in labels, and how many values a free label may have."""

    process: str = "main"
    cap: int = 200


class _Histogram:
    """Counts per bucket, not yet summed up, and the sum of the values."""

    __slots__ = ("counts", "sum")

    def __init__(self, family: Family) -> None:
        self.counts = [0.0] * (len(family.buckets) + 1)
        self.sum = 0.0


class PrometheusMetrics:
    """A `Metrics` that keeps its numbers in plain tables under one lock."""

    def __init__(self, config: MetricsConfig | None = None) -> None:
        config = config or MetricsConfig()
        self._process = config.process
        self._labels = Labels(config.process, config.cap)
        self._lock = threading.Lock()
        self._families: dict[str, Family] = {}
        self._numbers: dict[str, dict[tuple[str, ...], float]] = {}
        self._histograms: dict[str, dict[tuple[str, ...], _Histogram]] = {}

    def prepare(
        self, families: Sequence[Family], queues: Iterable[str] = (), targets: Iterable[str] = ()
    ) -> None:
        """Show *families* from now on, and at zero those counters whose labels are all known.

        A series that appears with its first event hides that event from `rate()`.
        """
        known = {"queue": tuple(queues), "target": tuple(targets), "process": (self._process,)}
        for family in families:
            with self._lock:
                self._families.setdefault(family.name, family)
            if family.kind is Kind.COUNTER:
                for labels in enumerable(family, known):
                    self.count(family, labels, 0)

    def count(self, family: Family, labels: Mapping[str, str] | None = None, by: float = 1) -> None:
        with self._lock:
            numbers = self._table(family)
            key = self._labels.key(family, labels or {})
            numbers[key] = numbers.get(key, 0.0) + by

    def gauge(self, family: Family, value: float, labels: Mapping[str, str] | None = None) -> None:
        with self._lock:
            self._table(family)[self._labels.key(family, labels or {})] = value

    def observe(
        self, family: Family, value: float, labels: Mapping[str, str] | None = None
    ) -> None:
        with self._lock:
            self._families.setdefault(family.name, family)
            key = self._labels.key(family, labels or {})
            table = self._histograms.setdefault(family.name, {})
            histogram = table.get(key) or table.setdefault(key, _Histogram(family))
            histogram.counts[bisect_left(family.buckets, value)] += 1
            histogram.sum += value

    def forget(self, family: Family, labels: Mapping[str, str]) -> None:
        """Show a series no longer, since what it was about is gone."""
        with self._lock:
            self._table(family).pop(self._labels.key(family, labels), None)

    def snapshot(self) -> Snapshot:
        spent = usage()
        self.gauge(MEMORY, spent.memory_b)
        with self._lock:
            self._table(CPU)[self._labels.key(CPU, {})] = spent.cpu_s
            return tuple(self._samples())

    def families(self) -> Sequence[Family]:
        """Return what has been prepared or counted, in that order."""
        with self._lock:
            return tuple(self._families.values())

    def _table(self, family: Family) -> dict[tuple[str, ...], float]:
        self._families.setdefault(family.name, family)
        return self._numbers.setdefault(family.name, {})

    def _samples(self) -> Iterator[Sample]:
        for family in self._families.values():
            suffix = "_total" if family.kind is Kind.COUNTER else ""
            for key, value in self._numbers.get(family.name, {}).items():
                labels = dict(zip(family.labels, key, strict=True))
                yield Sample(family=family, suffix=suffix, labels=labels, value=value)
            for key, histogram in self._histograms.get(family.name, {}).items():
                labels = dict(zip(family.labels, key, strict=True))
                yield from _buckets(family, labels, histogram)


def _buckets(family: Family, labels: dict[str, str], histogram: _Histogram) -> Iterator[Sample]:
    """Yield a histogram's samples; each bucket counts those below it, too."""
    bounds = (*(str(float(bound)) for bound in family.buckets), INFINITE)
    total = 0.0
    for bound, total in zip(bounds, accumulate(histogram.counts), strict=True):
        yield Sample(family=family, suffix="_bucket", labels={**labels, "le": bound}, value=total)
    yield Sample(family=family, suffix="_count", labels=labels, value=total)
    yield Sample(family=family, suffix="_sum", labels=labels, value=histogram.sum)
