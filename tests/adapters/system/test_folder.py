"""One agent at a time in a state folder, its worker processes included."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from launchyard.adapters.system.clock import SystemClock
from launchyard.adapters.system.folder import FolderError, StateFolder, default_state


def test_a_second_agent_is_refused_by_name(tmp_path: Path) -> None:
    """The message has the folder and the flag."""
    with (
        StateFolder(str(tmp_path / "a")) as first,
        pytest.raises(FolderError, match="--state-dir") as caught,
    ):
        StateFolder(first.path, wait_s=0.1)
    assert first.path in str(caught.value)


def test_the_folder_is_free_when_the_last_process_that_holds_it_is_gone(tmp_path: Path) -> None:
    """A worker process that outlives its agent keeps the next agent out."""
    words = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with StateFolder(str(tmp_path)) as folder:
        child = subprocess.Popen(words, stdin=subprocess.PIPE, pass_fds=(folder.fd,))
    with pytest.raises(FolderError):
        StateFolder(str(tmp_path), wait_s=0.1)
    child.communicate()
    StateFolder(str(tmp_path), wait_s=5).close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """Here a file is in its way."""
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match="file/x"):
        StateFolder(str(tmp_path / "file" / "x"))


def test_sub_folders_are_their_owner_s_alone(tmp_path: Path) -> None:
    """Jobs and records are nobody else's business."""
    with StateFolder(str(tmp_path / "a")) as folder:
        assert Path(folder.below("jobs")).stat().st_mode & 0o077 == 0
        assert folder.below("jobs") == folder.below("jobs")


def test_the_usual_place_is_below_xdg_state_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each agent by its name."""
    monkeypatch.setenv("XDG_STATE_HOME", "/s")
    assert default_state("me") == "/s/launchyard/agents/me"


def test_the_clocks_go_forward() -> None:
    """Milliseconds since 1970, and seconds that never jump."""
    clock = SystemClock()
    assert clock.now_ms() > 1_700_000_000_000
    assert clock.boottime() <= clock.boottime()
