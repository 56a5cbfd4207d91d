"""What a process costs its machine."""

from __future__ import annotations

import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Usage:
    """Memory that is occupied now, and processor time spent since the start."""

    memory_b: float
    cpu_s: float


def usage() -> Usage:
    """Return the usage of the calling process."""
    times = os.times()
    return Usage(memory_b=_memory(), cpu_s=times.user + times.system)


def _memory() -> float:
    try:
        pages = Path("/proc/self/statm").read_text("ascii").split()[1]
        return float(pages) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # not Linux: the peak is the nearest there is
        unit = 1 if sys.platform == "darwin" else 1024
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * unit
