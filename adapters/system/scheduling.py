"""How the kernel shares out its processors to this process."""

from __future__ import annotations

import os
from contextlib import suppress


def yield_to_others() -> None:
    """Have no thread of ours interrupt what runs when it wakes, from now on and in new threads.

    On a busy machine our many short steps would otherwise interrupt jobs, and each other. Whoever
    has given this process a policy of another kind has a reason: then nothing changes.
    """
    with suppress(OSError):  # a sandbox may forbid the call, and we do well without
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
