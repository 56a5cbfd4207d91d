"""From when on a launch may be claimed."""

from __future__ import annotations

from typing import Final

from launchyard.adapters.http.problems import wrong
from launchyard.adapters.http.shapes import NewLaunch

LONGEST_DELAY_S: Final = 366 * 86400


def moment_of(new: NewLaunch, now_ms: int) -> int | None:
    """Return from when on *new* may be claimed; None means at once, as does a moment passed."""
    if new.not_before_ms is not None and new.delay_s is not None:
        raise wrong("delay_s", "says the same as not_before_ms", "leave one of them out")
    if new.not_before_ms is not None:
        return _checked("not_before_ms", max(0.0, (new.not_before_ms - now_ms) / 1000), now_ms)
    return None if new.delay_s is None else _checked("delay_s", new.delay_s, now_ms)


def _checked(field: str, wait_s: float, now_ms: int) -> int:
    if not 0 <= wait_s <= LONGEST_DELAY_S:
        raise wrong(field, "must be no less than now and no more than 366 days ahead")
    return now_ms + round(wait_s * 1000)
