"""A job's own folders: made before its start, and taken away with all that is in them.

Each job has four, and most leave nothing in them: so they are made and removed one by one, and
only where that fails in the ways that look first, which take ten times as long.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from launchyard.domain.reason import Reason
from launchyard.domain.targets.local import LocalPlan, parts_of
from launchyard.ports.runner import RunnerError


def make_folders(plan: LocalPlan) -> None:
    """Make the folders of *plan*; those that are there stay as they are.

    Raises:
        OSError: the machine refuses.
        RunnerError: the source has no such working directory.
    """
    for folder in (plan.folder, plan.work, plan.output, plan.tmp):
        try:
            os.mkdir(folder, 0o700)  # noqa: PTH102
        except OSError:
            Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    if plan.cwd != plan.work and not Path(plan.cwd).is_dir():
        message = f"the working directory {plan.cwd} is not in the source"
        raise RunnerError(message, reason=Reason.SPEC_INVALID)


def remove_folder(folder: str) -> None:
    """Remove a job's folder, also what the job has closed to itself; repeating is harmless.

    Raises:
        OSError: something in it cannot be removed.
    """
    if remove_empty(folder):
        return
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except PermissionError:
        for inside, _, _ in os.walk(folder):
            with suppress(OSError):
                Path(inside).chmod(0o700)
        shutil.rmtree(folder)


def remove_empty(folder: str) -> bool:
    """Remove a job's folder that holds nothing but what we made; tell whether it was so."""
    try:
        for part in parts_of(folder):
            os.rmdir(part)  # noqa: PTH106
        os.rmdir(folder)  # noqa: PTH106
    except OSError:
        return False
    return True
