"""The system's clocks."""

from __future__ import annotations

import time


class SystemClock:
    """A `Clock`."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def boottime(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
