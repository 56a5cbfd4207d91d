"""Time, as the rest of the program may ask for it."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Two clocks: one for people, one that never jumps and goes on while the machine sleeps."""

    def now_ms(self) -> int:
        """Return the wall clock: milliseconds since 1970."""
        ...

    def boottime(self) -> float:
        """Return CLOCK_BOOTTIME in seconds; comparable between processes of one boot."""
        ...
