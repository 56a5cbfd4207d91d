"""What tells this machine and its boots apart."""

from __future__ import annotations

import os
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Final

_MACHINE_IDS: Final = ("/etc/machine-id", "/var/lib/dbus/machine-id")
_VMSTAT: Final = Path("/proc/vmstat")


def scope(root: str) -> str:
    """Return where the runs recorded below *root* can be reached: this machine, by this folder.

    Another folder on the same machine knows nothing of them, so it is another scope: its agent
    would look a name up, find nothing, and start it a second time.

    Raises:
        OSError: *root* cannot be written.
    """
    return f"host:{machine_id(root)}/{_kept(root, 'folder-id')[:12]}"


def machine_id(root: str) -> str:
    """Return this machine's id; a machine without one gets it made up once, kept in *root*.

    Raises:
        OSError: *root* cannot be written.
    """
    for place in _MACHINE_IDS:
        with suppress(OSError):
            if text := Path(place).read_text(encoding="ascii").strip():
                return text
    return _kept(root, "machine-id")


def _kept(root: str, name: str) -> str:
    """Return an id that is made up once and kept in *root*; who comes first makes it."""
    kept = Path(root, name)
    with suppress(FileNotFoundError):
        return kept.read_text(encoding="ascii")
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = Path(root, f".{name}-{uuid.uuid4().hex}")
    fresh.write_text(uuid.uuid4().hex, encoding="ascii")
    with suppress(FileExistsError):
        os.link(fresh, kept)
    fresh.unlink()
    return kept.read_text(encoding="ascii")


def boot_id() -> str:
    """Return the id that the kernel made up when it started."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def boottime() -> float:
    """Return CLOCK_BOOTTIME in seconds, which goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def now_ms() -> int:
    """Return the wall clock: milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def oom_counter() -> Path | None:
    """Return the file that counts kills for want of memory, of our control group if it has one."""
    for place in (*_group_counters(), _VMSTAT):
        with suppress(OSError):
            if "\noom_kill " in place.read_text(encoding="ascii"):
                return place
    return None


def oom_kills(counter: Path | None) -> int:
    """Return how many processes the kernel has killed for want of memory; 0 where it is mute."""
    with suppress(OSError, ValueError):
        text = counter.read_text(encoding="ascii") if counter else ""
        return int(f"\n{text}".partition("\noom_kill ")[2].partition("\n")[0])
    return 0


def _group_counters() -> list[Path]:
    """Return the files that may hold the counter: of both versions of control groups."""
    with suppress(OSError):
        found = []
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                found.append(Path(f"/sys/fs/cgroup{path}/memory.events"))
            elif "memory" in controllers.split(","):
                found.append(Path(f"/sys/fs/cgroup/memory{path}/memory.oom_control"))
        return found
    return []
