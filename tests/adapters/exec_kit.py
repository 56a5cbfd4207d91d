"""The exec target over the example's shell scripts, for tests."""

from __future__ import annotations

import os
from pathlib import Path

from launchyard.adapters.exec.runner import ExecRunner
from launchyard.adapters.exec.settings import config_of
from launchyard.domain.documents import Json
from launchyard.domain.targets.exec import ExecPlan

SCRIPTS = Path(__file__).parents[2] / "examples/exec-target"
FOLDER = "EXEC_TARGET_DIR"


def settings(scripts: Path = SCRIPTS) -> dict[str, Json]:
    """Return the block that names the scripts."""
    roles = ("plan", "submit", "status", "cancel", "logs")
    return {
        **{role: str(scripts / role) for role in roles},
        "scope": "here",
        "environment": [FOLDER],
        "interval": 0.1,
    }


def runner(folder: Path, scripts: Path = SCRIPTS) -> ExecRunner:
    """Return a runner whose things are in *folder*."""
    folder.mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], FOLDER: str(folder)}
    return ExecRunner(config_of(settings(scripts), str(folder), environment))


def plan(*command: str) -> ExecPlan:
    """Return a plan of a command."""
    return ExecPlan(request={"command": [*command]}, command=command, image="", env={"A": "it's"})
