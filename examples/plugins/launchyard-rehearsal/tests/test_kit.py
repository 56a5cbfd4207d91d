"""The rehearsal target keeps every promise of the runner port."""

from __future__ import annotations

from pathlib import Path

import pytest
from launchyard_rehearsal.play import play_of
from launchyard_rehearsal.runner import RehearsalRunner

from launchyard.plugins.testkit.runner import RunnerCase, RunnerContract, Work

PLAYS = {
    Work.SUCCEED: (),
    Work.FAIL: ("exit:3",),
    Work.LONG: ("print:up", "sleep:600"),
    Work.LINES: ("print:one", "print:two", "print:three"),
}


class TestRehearsal(RunnerContract):
    """Plays instead of processes."""

    provider = "rehearsal"

    @pytest.fixture
    def case(self, tmp_path: Path) -> RunnerCase:
        """Give a folder to play in."""
        return RunnerCase(
            make=lambda: RehearsalRunner(str(tmp_path)),
            plan=lambda _name, work: play_of(PLAYS[work]),
        )
