"""What of this machine is free: disk, memory, GPUs."""

from __future__ import annotations

import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from launchyard.domain.host import Gpu, HostNeeds, HostState

_SMI: Final = "nvidia-smi"
_QUERY: Final = (
    "--query-gpu=memory.used,memory.total,utilization.gpu",
    "--format=csv,noheader,nounits",
)
_COLUMNS: Final = 3
_SMI_S: Final = 4.0
_FRESH_S: Final = 1.0
_KIB: Final = 1024


class LinuxMachine:
    """A `Machine`; *root* is where the kernel's files are, *path* where programs are looked for."""

    def __init__(self, root: str = "/", path: str | None = None) -> None:
        self._root, self._path = Path(root), path
        self._gpus: tuple[Gpu, ...] = ()
        self._gpus_at = -_FRESH_S

    def state(self, needs: HostNeeds, folder: str) -> HostState:
        return HostState(
            disk_b=shutil.disk_usage(_existing(folder)).free if needs.disk_b else 0,
            memory_b=self._memory() if needs.memory_b else 0,
            gpus=self._all_gpus() if needs.gpus else (),
        )

    def _memory(self) -> int:
        """Return what is available, inside the limit of our control group if it has one."""
        lines = (self._root / "proc/meminfo").read_text().splitlines()
        found = {name: rest for name, _, rest in (line.partition(":") for line in lines)}
        if "MemAvailable" not in found:
            raise OSError("this kernel does not tell how much memory is available")
        available = int(found["MemAvailable"].split()[0]) * _KIB
        group = self._root / "sys/fs/cgroup"
        with suppress(OSError, ValueError):  # no limit is the word `max`, or no file
            limit = int((group / "memory.max").read_text())
            used = int((group / "memory.current").read_text())
            return min(available, max(0, limit - used))
        return available

    def _all_gpus(self) -> tuple[Gpu, ...]:
        """Ask the driver's tool, which is slow, at most once in a while."""
        now = time.monotonic()
        if now - self._gpus_at >= _FRESH_S:
            self._gpus = self._ask_driver()
            self._gpus_at = now
        return self._gpus

    def _ask_driver(self) -> tuple[Gpu, ...]:
        program = shutil.which(_SMI, path=self._path)
        if program is None:
            raise OSError(f"{_SMI} is not there, so nobody knows of GPUs; install the driver")
        try:
            done = subprocess.run(
                [program, *_QUERY], capture_output=True, text=True, timeout=_SMI_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise OSError(f"{_SMI} gave no answer within {_SMI_S:g} s") from None
        if done.returncode:
            said = (done.stderr or done.stdout).strip().split("\n", 1)[0][:200]
            raise OSError(f"{_SMI} failed with code {done.returncode}: {said}")
        return tuple(_gpu(line) for line in done.stdout.splitlines() if line.strip())


def _gpu(line: str) -> Gpu:
    words = [word.strip() for word in line.split(",")]
    if len(words) != _COLUMNS or not words[1].isdigit():
        raise OSError(f"{_SMI} said what nobody expected: {line.strip()[:100]}")
    used, total, busy = (int(word) if word.isdigit() else 0 for word in words)
    return Gpu(used_mib=used, total_mib=total, busy=busy)


def _existing(folder: str) -> Path:
    """Return *folder*, or what is above it where it is not made yet."""
    path = Path(folder)
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
