"""What a machine must have free."""

from __future__ import annotations

import pytest

from launchyard.domain.host import Gpu, HostNeeds, HostState, unmet

GIB = 1 << 30
IDLE, BUSY, FULL = Gpu(used_mib=3, total_mib=24576, busy=0), Gpu(used_mib=3, total_mib=24576, busy=90), Gpu(used_mib=9000, total_mib=24576, busy=0)  # fmt: skip  # noqa: E501


@pytest.mark.parametrize(
    ("needs", "state", "rule"),
    [
        (HostNeeds(disk_b=10 * GIB), HostState(disk_b=9 * GIB), "min_disk"),
        (HostNeeds(memory_b=2 * GIB), HostState(memory_b=GIB), "min_memory"),
        (HostNeeds(gpus=1), HostState(gpus=(BUSY, FULL)), "min_gpus"),
        (HostNeeds(gpus=2), HostState(gpus=(IDLE, FULL)), "min_gpus"),
        (HostNeeds(gpus=1), HostState(), "min_gpus"),
    ],
)
def test_the_first_need_that_is_not_met(needs: HostNeeds, state: HostState, rule: str) -> None:
    """It is named by its key, with what is there and what must be."""
    no = unmet(needs, state)
    assert no is not None
    assert no.rule == rule


@pytest.mark.parametrize(
    ("needs", "state"),
    [
        (HostNeeds(), HostState()),
        (HostNeeds(disk_b=GIB, memory_b=GIB), HostState(disk_b=GIB, memory_b=GIB)),
        (HostNeeds(gpus=1), HostState(gpus=(FULL, IDLE))),
    ],
)
def test_what_is_there_is_enough(needs: HostNeeds, state: HostState) -> None:
    """Nothing is asked for, or all of it is there."""
    assert unmet(needs, state) is None


def test_small_changes_make_no_news() -> None:
    """The words are the same while the machine stays about as full."""
    needs = HostNeeds(disk_b=10 * GIB)
    assert unmet(needs, HostState(disk_b=5 * GIB)) == unmet(needs, HostState(disk_b=5 * GIB + 999))
