"""Environments go when nobody has used them for a time, and never one that is in use."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launchyard.adapters.local.venv.builder import COMPLETE, _complete
from launchyard.adapters.local.venv.sweep import VenvSweep
from launchyard.adapters.sqlite.journal import SqliteJournal
from launchyard.bootstrap.tidying import tidy
from launchyard.domain.documents import Json
from launchyard.ports.journal import Batch, Entry, JournalError

DAY_S = 86400.0


def _venv(root: Path, name: str, *, age_s: float = 2 * DAY_S, complete: bool = True) -> Path:
    """Make something like an environment that was used so long ago."""
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "lib").write_bytes(b"x" * 5000)
    then = time.time() - age_s
    if complete:
        (folder / COMPLETE).touch()
        os.utime(folder / COMPLETE, (then, then))
    os.utime(folder, (then, then))
    return folder


def _sweep(root: Path, *used: str) -> VenvSweep:
    return VenvSweep(root=root, keep_s=DAY_S, now_s=time.time(), used=used)


def _old(root: Path, *used: str) -> list[str]:
    return [one.folder.name for one in _sweep(root, *used).old()]


def test_old_and_half_made_ones_go(tmp_path: Path) -> None:
    """By their last use; what no build has declared complete for a day is nobody's."""
    _venv(tmp_path, "old")
    _venv(tmp_path, "fresh", age_s=10)
    _venv(tmp_path, "half", complete=False)
    _venv(tmp_path, "making", complete=False, age_s=60)
    assert _old(tmp_path) == ["half", "old"]
    assert _old(tmp_path / "nowhere") == []
    for one in (sweep := _sweep(tmp_path)).old():
        assert one.size_b >= 5000
        assert sweep.take(one)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["fresh", "making"]


def test_one_that_an_attempt_or_a_process_names_stays(tmp_path: Path) -> None:
    """An attempt may wait for a slot with it; a job may outlive the agent that knew of it."""
    noted, run = _venv(tmp_path, "noted"), _venv(tmp_path, "run")
    code = "import sys; print('up', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={"PATH": f"{run}/bin:{os.environ['PATH']}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        assert _old(tmp_path, f'{{"built": {{"path": "{noted}"}}}}') == []
        process.communicate()
    assert _old(tmp_path) == ["noted", "run"]


def test_one_that_is_taken_up_meanwhile_stays(tmp_path: Path) -> None:
    """A build that holds the lock, and a builder that has just noted its use."""
    folder = _venv(tmp_path, "key")
    sweep = _sweep(tmp_path)
    [old] = sweep.old()
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert not sweep.take(old)
    assert _complete(folder)
    assert not sweep.take(old)
    assert (folder / COMPLETE).exists()
    os.utime(folder / COMPLETE, (0, 0))
    assert sweep.take(old)
    assert not _complete(folder)


def test_a_state_folder_is_tidied(tmp_path: Path) -> None:
    """What the journal names stays; journals that were set aside go with their time."""
    root = tmp_path / "build" / "venv" / "venvs"
    used = _venv(root, "used")
    _venv(root, "old")
    aside = tmp_path / "journal.db.set-aside-1"
    aside.write_bytes(b"xyz")
    os.utime(aside, (0, 0))
    journal = SqliteJournal(str(tmp_path))
    row: dict[str, Json] = {"built": {"path": str(used)}}
    journal.commit(Batch(entries=(Entry(item="i", row=row),)))
    counts = [
        [gone.count for gone in tidy(str(tmp_path), keep, dry_run=dry)]
        for keep, dry in ((0.0, False), (DAY_S, True), (DAY_S, False), (DAY_S, False))
    ]
    journal.close()
    assert counts == [[0, 0], [1, 1], [1, 1], [0, 0]]
    assert used.exists()
    assert not aside.exists()


def test_nothing_goes_when_nobody_knows_what_is_used(tmp_path: Path) -> None:
    """A journal that cannot be read may name anything."""
    folder = _venv(tmp_path / "build" / "venv" / "venvs", "old")
    (tmp_path / "journal.db").write_bytes(b"no database" * 100)
    with pytest.raises(JournalError, match="cannot be read"):
        tidy(str(tmp_path), DAY_S, dry_run=False)
    assert folder.exists()
