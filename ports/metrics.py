"""Numbers about ourselves: what may be counted, and how children's numbers travel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Kind(StrEnum):
    """What sort of number a family holds."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric: its name without prefix and `_total`, its help, labels, and buckets if any."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One sample of a snapshot, as the exposition format knows it."""

    family: Family
    suffix: str
    labels: Mapping[str, str]
    value: float


Snapshot = Sequence[Sample]


class Metrics(Protocol):
    """Counts what happens; thread-safe, never raises on known families, never blocks."""

    def count(self, family: Family, labels: Mapping[str, str] | None = None, by: float = 1) -> None:
        """Add to a counter."""
        ...

    def gauge(self, family: Family, value: float, labels: Mapping[str, str] | None = None) -> None:
        """Set a gauge."""
        ...

    def observe(
        self, family: Family, value: float, labels: Mapping[str, str] | None = None
    ) -> None:
        """Put a value into a histogram."""
        ...

    def snapshot(self) -> Snapshot:
        """Return every sample, picklable, for another process."""
        ...
