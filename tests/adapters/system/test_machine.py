"""What is told of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from launchyard.adapters.system.machine import LinuxMachine
from launchyard.domain.host import HostNeeds
from launchyard.domain.review import Question
from launchyard.plugins.builtin_policy import HostGuard

GPUS = HostNeeds(gpus=1)
HERE = Question(target="local-process", host_bound=True, folder="/")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a machine's files: 4 GiB available."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9 kB\nMemAvailable: 4194304 kB\n")
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    return tmp_path


def smi(folder: Path, script: str) -> str:
    """Put a program called nvidia-smi into a folder; return that folder as a PATH."""
    path = folder / "bin"
    path.mkdir()
    (path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
    (path / "nvidia-smi").chmod(0o755)
    return str(path)


def test_memory_is_what_the_kernel_calls_available(root: Path) -> None:
    """Without a limit of our own."""
    (root / "sys/fs/cgroup/memory.max").write_text("max\n")
    state = LinuxMachine(str(root)).state(HostNeeds(memory_b=1), "/")
    assert state.memory_b == 4 << 30


def test_a_container_has_what_its_limit_leaves(root: Path) -> None:
    """The machine may have more; it is not ours."""
    (root / "sys/fs/cgroup/memory.max").write_text(f"{2 << 30}\n")
    (root / "sys/fs/cgroup/memory.current").write_text(f"{1 << 30}\n")
    state = LinuxMachine(str(root)).state(HostNeeds(memory_b=1), "/")
    assert state.memory_b == 1 << 30


def test_the_disk_is_that_of_the_folder(tmp_path: Path) -> None:
    """Also of one that is not there yet."""
    state = LinuxMachine().state(HostNeeds(disk_b=1), str(tmp_path / "not/yet"))
    assert state.disk_b > 0


def test_gpus_are_asked_for_with_the_drivers_tool(tmp_path: Path) -> None:
    """Each line of it is one."""
    path = smi(
        tmp_path, "case $1 in --query-gpu=*) echo '3, 24576, 0'; echo '9000, 24576, 97';; esac"
    )
    found = LinuxMachine(path=path).state(GPUS, "/").gpus
    assert [gpu.free for gpu in found] == [True, False]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'NVML: driver mismatch' >&2; exit 9", "code 9: NVML: driver mismatch"),
        ("echo 'No devices were found'", "nobody expected"),
    ],
)
def test_a_driver_in_trouble_is_told(tmp_path: Path, script: str, said: str) -> None:
    """What nobody knows is not taken for free."""
    with pytest.raises(OSError, match=said):
        LinuxMachine(path=smi(tmp_path, script)).state(GPUS, "/")


def test_no_driver_is_told(tmp_path: Path) -> None:
    """GPUs are wanted, and nobody knows of any."""
    with pytest.raises(OSError, match="install the driver"):
        LinuxMachine(path=str(tmp_path)).state(GPUS, "/")


def test_the_guard_speaks_for_this_machine_alone(tmp_path: Path) -> None:
    """A cluster's GPUs are not ours to count."""
    guard = HostGuard(GPUS, LinuxMachine(path=smi(tmp_path, "echo '9000, 24576, 97'")))
    refusal = guard.can_accept(HERE)
    assert refusal is not None
    assert refusal.rule == "min_gpus"
    assert guard.can_accept(Question(target="kubernetes", host_bound=False)) is None
