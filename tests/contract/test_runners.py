"""Every runner in the box keeps the runner contract."""

from __future__ import annotations

import importlib
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from launchyard.adapters.local.runner import LocalConfig, LocalRunner
from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason
from launchyard.plugins.builtin import MODULES
from launchyard.plugins.testkit.runner import RunnerCase, RunnerContract, Work
from launchyard.ports.runner import Handle, Launch, Runner, RunnerError
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

    def test_a_secret_is_in_the_job_s_environment(
        self, case: RunnerCase, runner: Runner, tmp_path: Path
    ) -> None:
        """As it is, stronger than the plan's own variable, and in no file of the example's."""
        value = "it's a $HOME of its own"
        plan = exec_kit.plan("/bin/sh", "-c", 'printf %s "$A${SECRET_EXPORTS-}"')
        launch = replace(self.launch(case, Work.SUCCEED), plan=plan, secrets={"A": value})
        handle = self.submit(runner, launch)
        assert self.end(runner, handle).state is AttemptState.SUCCEEDED
        assert self.log(runner, handle) == value.encode()
        files = [file for file in tmp_path.rglob("*") if file.is_file() and file.name != "log"]
        assert files
        assert not any(b"of its own" in file.read_bytes() for file in files)

    def test_an_environment_that_is_too_long_is_refused(
        self, case: RunnerCase, runner: Runner
    ) -> None:
        """A job without its variables would do something else."""
        plan = replace(exec_kit.plan("/bin/sh", "-c", "exit 0"), env={"A": "x" * 200_000})
        with pytest.raises(RunnerError, match="too long") as e:
            runner.submit(replace(self.launch(case, Work.SUCCEED), plan=plan))
        assert e.value.reason is Reason.SPEC_INVALID


def test_no_runner_is_left_out() -> None:
    """Every target in the box has a runner that keeps the contract."""
    for name in ("docker", "kubernetes"):
        importlib.import_module(f"tests.contract.test_{name}_runner")
    modules = [module for module in MODULES.values() if hasattr(module, "targets")]
    registered = {provider.name for module in modules for provider in module.targets()}
    assert registered == {kit.provider for kit in RunnerContract.__subclasses__()}
