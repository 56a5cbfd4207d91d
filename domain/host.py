"""What a machine must have free before it takes on a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from launchyard.domain.review import Rejection

_BUSY_MEMORY: Final = 0.05
_BUSY_PERCENT: Final = 10
_STEP: Final = 1024
_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU: its memory in MiB, and how busy it is in percent."""

    used_mib: int
    total_mib: int
    busy: int

    @property
    def free(self) -> bool:
        """Whether nobody uses it: drivers keep a little of an idle one's memory."""
        return self.used_mib <= self.total_mib * _BUSY_MEMORY and self.busy < _BUSY_PERCENT


@dataclass(frozen=True, slots=True, kw_only=True)
class HostNeeds:
    """What must be free; 0 asks for nothing."""

    disk_b: int = 0
    memory_b: int = 0
    gpus: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """What is free, as far as it was asked for."""

    disk_b: int = 0
    memory_b: int = 0
    gpus: tuple[Gpu, ...] = ()


def unmet(needs: HostNeeds, state: HostState) -> Rejection | None:
    """Return the first need that *state* does not meet."""
    if state.disk_b < needs.disk_b:
        return _short("min_disk", "the disk of the state folder", needs.disk_b, state.disk_b)
    if state.memory_b < needs.memory_b:
        return _short("min_memory", "memory", needs.memory_b, state.memory_b)
    free = sum(gpu.free for gpu in state.gpus)
    if free < needs.gpus:
        text = f"{free} of {len(state.gpus)} GPUs are free, and {needs.gpus} must be"
        return Rejection(rule="min_gpus", message=f"{text}; wait for their jobs, or lower it")
    return None


def _short(rule: str, what: str, wanted_b: int, found_b: int) -> Rejection:
    text = f"{what} has {_size(found_b)} free, and {_size(wanted_b)} must be"
    return Rejection(rule=rule, message=f"{text}; make room, or lower `host_guard.{rule}`")


def _size(size_b: int) -> str:
    """Return a size in two digits, so that small changes make no news."""
    size, unit = float(size_b), 0
    while size >= _STEP and unit < len(_UNITS) - 1:
        size, unit = size / _STEP, unit + 1
    return f"{size:.2g} {_UNITS[unit]}" if size < 100 else f"{size:.0f} {_UNITS[unit]}"  # noqa: PLR2004
