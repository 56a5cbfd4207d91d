"""Which label values may be shown: everything unforeseen is kept to a bounded number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from launchyard.ports.families import VALUES
from launchyard.ports.metrics import Family

OTHER: Final = "other"
OVERFLOW: Final = "_overflow"


class Labels:
    """Turns what callers say into the values of a family's labels, in its order.

    A listed label shows its list and `other`. Of a free one the first *cap* values are shown, in
    whatever family they come, and the rest under `_overflow`. Not thread-safe.
    """

    def __init__(self, process: str, cap: int) -> None:
        self._process = process
        self._cap = cap
        self._seen: dict[str, set[str]] = {}

    def key(self, family: Family, given: Mapping[str, str]) -> tuple[str, ...]:
        """Return the values; what a caller leaves out is `other`, what it adds is left out."""
        listed = VALUES.get(family.name, {})
        return tuple(
            self._one(label, given.get(label), listed.get(label)) for label in family.labels
        )

    def _one(self, label: str, value: str | None, listed: tuple[str, ...] | None) -> str:
        if value is None:
            return self._process if label == "process" else OTHER
        if listed is not None:
            return str(value) if value in listed else OTHER
        seen = self._seen.setdefault(label, set())
        if value in seen:
            return str(value)
        if len(seen) >= self._cap:
            return OVERFLOW
        seen.add(str(value))
        return str(value)
