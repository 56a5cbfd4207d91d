"""How this process shares processors with others."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from launchyard.adapters.system.scheduling import yield_to_others


@pytest.mark.parametrize(
    ("found", "then"),
    [
        (os.SCHED_OTHER, os.SCHED_BATCH),
        (os.SCHED_BATCH, os.SCHED_BATCH),
        (os.SCHED_IDLE, os.SCHED_IDLE),
    ],
)
def test_only_the_ordinary_policy_is_changed(found: int, then: int) -> None:
    """Whoever started us with another has a reason."""

    def policy() -> int:
        os.sched_setscheduler(0, found, os.sched_param(0))  # of this thread alone
        yield_to_others()
        return os.sched_getscheduler(0)

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(policy).result(60) == then
