"""Plans and launches for the tests of the local target."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

from launchyard.domain.environment import SYSTEM_PATH
from launchyard.domain.naming import Owner, labels, target_name
from launchyard.domain.spec import NoSource
from launchyard.domain.targets.local import LocalPlan
from launchyard.ports.runner import Launch


def local_plan(folder: Path, script: str, **changes: Any) -> LocalPlan:
    """Return the plan of a shell script that is to run in *folder*."""
    plan = LocalPlan(
        name=folder.name,
        argv=("/bin/sh", "-c", script),
        env={"PATH": SYSTEM_PATH, "LAUNCHYARD_OUTPUT": str(folder / "outputs")},
        folder=str(folder),
        work=str(folder / "work"),
        cwd=str(folder / "work"),
        output=str(folder / "outputs"),
        tmp=str(folder / "tmp"),
        source=NoSource(),
        venv=None,
        secrets=(),
        outputs=(),
        run_s=None,
        grace_s=5.0,
        log_quota_b=1 << 20,
        nice=0,
    )
    return replace(plan, **changes)


def local_launch(jobs: Path, script: str, **changes: Any) -> Launch:
    """Return a launch of a new owner's; *changes* are the plan's."""
    owner = Owner(installation="test", item=str(uuid.uuid4()), attempt=1)
    name = target_name(owner.installation, owner.item, owner.attempt)
    return Launch(
        owner=owner,
        name=name,
        labels=labels(owner, "0" * 64),
        plan=local_plan(jobs / name, script, **changes),
        deadline=time.clock_gettime(time.CLOCK_BOOTTIME) + 600,
    )
