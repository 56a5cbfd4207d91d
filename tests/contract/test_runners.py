"""Every runner in the box keeps the runner contract."""

from __future__ import annotations

import importlib
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from launchyard.adapters.local.runner import LocalConfig, LocalRunner
from launchyard.plugins.builtin import MODULES
from launchyard.plugins.testkit.runner import RunnerCase, RunnerContract, Work
from launchyard.ports.runner import Handle, Launch
from tests.adapters import exec_kit
from tests.adapters.local.plans import local_plan

_SCRIPTS: Final = {
    Work.SUCCEED: "exit 0",
    Work.FAIL: "exit 3",
    Work.LONG: "echo up; exec sleep 600",
    Work.LINES: "echo one; echo two >&2; echo three",
}
_ELSEWHERE: Final = """\
import pickle, sys
from launchyard.adapters.local.runner import LocalConfig, LocalRunner
root, launch = pickle.load(sys.stdin.buffer)
handle = LocalRunner(LocalConfig(root=root)).submit(launch)
sys.stdout.buffer.write(pickle.dumps(handle))
"""


class TestLocal(RunnerContract):
    """Processes of this machine."""

    provider = "local-process"

    @pytest.fixture
    def case(self, tmp_path: Path) -> RunnerCase:
        root = str(tmp_path / "root")

        def elsewhere(launch: Launch) -> Handle:
            done = subprocess.run(
                [sys.executable, "-c", _ELSEWHERE],
                input=pickle.dumps((root, launch)),
                capture_output=True,
                check=True,
                env={**os.environ},
            )
            handle = pickle.loads(done.stdout)  # noqa: S301 - our own
            assert isinstance(handle, Handle)
            return handle

        return RunnerCase(
            make=lambda: LocalRunner(LocalConfig(root=root)),
            plan=lambda name, work: local_plan(tmp_path / "jobs" / name, _SCRIPTS[work]),
            elsewhere=elsewhere,
        )


class TestExec(RunnerContract):
    """The executables of `examples/exec-target`."""

    provider = "exec"

    @pytest.fixture
    def case(self, tmp_path: Path) -> RunnerCase:
        return RunnerCase(
            make=lambda: exec_kit.runner(tmp_path / "things"),
            plan=lambda _name, work: exec_kit.plan("/bin/sh", "-c", _SCRIPTS[work]),
        )


def test_no_runner_is_left_out() -> None:
    """Every target in the box has a runner that keeps the contract."""
    for name in ("docker", "kubernetes"):
        importlib.import_module(f"tests.contract.test_{name}_runner")
    modules = [module for module in MODULES.values() if hasattr(module, "targets")]
    registered = {provider.name for module in modules for provider in module.targets()}
    assert registered == {kit.provider for kit in RunnerContract.__subclasses__()}
