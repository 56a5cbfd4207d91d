"""The agent's journal: what was committed is there again, and damage is never an empty journal."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from launchyard.adapters.sqlite.journal import FILE, SqliteJournal, set_aside
from launchyard.domain.exchange import Fact, LeaseRef, Report
from launchyard.domain.lease import Token
from launchyard.ports.journal import Batch, Contents, Entry, JournalError

WRITER = """
import os, signal, sys
from launchyard.adapters.sqlite.journal import SqliteJournal
from launchyard.ports.journal import Batch, Entry
journal = SqliteJournal(sys.argv[1])
for n in range(50):
    journal.commit(Batch(entries=[Entry(item=f"i{n}", row={"n": n})], meta={"last": str(n)}))
os.kill(os.getpid(), signal.SIGKILL)
"""


def made(item: str, seq: int) -> Report:
    """Return a report."""
    lease = LeaseRef(item=item, attempt=1, token=Token(0, 1))
    return Report(lease=lease, seq=seq, fact=Fact(at_ms=seq))


def reopened(folder: Path) -> Contents:
    """Return what a new process would read."""
    journal = SqliteJournal(str(folder))
    try:
        return journal.load()
    finally:
        journal.close()


@pytest.fixture
def journal(tmp_path: Path) -> SqliteJournal:
    """Return an empty journal in the test's folder."""
    return SqliteJournal(str(tmp_path))


def test_a_batch_is_there_again(tmp_path: Path, journal: SqliteJournal) -> None:
    """Entries, outbox in order of writing, and small values."""
    reports = (made("a", 1), made("b", 1), made("a", 2))
    entry = Entry(item="a", row={"state": "running", "n": [1, None]})
    journal.commit(Batch(entries=[entry], reports=reports, meta={"agent": "x"}))
    journal.close()
    assert reopened(tmp_path) == Contents(entries=(entry,), outbox=reports, meta={"agent": "x"})


def test_what_was_sent_leaves_the_outbox(tmp_path: Path, journal: SqliteJournal) -> None:
    """Up to its number, and of its item alone."""
    journal.commit(Batch(reports=[made("a", 1), made("a", 2), made("b", 1)]))
    journal.commit(Batch(sent={"a": 1}))
    journal.close()
    assert reopened(tmp_path).outbox == (made("a", 2), made("b", 1))


def test_reports_can_be_numbered_anew_in_one_batch(journal: SqliteJournal) -> None:
    """What goes goes first."""
    journal.commit(Batch(reports=[made("a", 7), made("a", 8)]))
    journal.commit(Batch(sent={"a": 8}, reports=[made("a", 3), made("a", 4)]))
    assert journal.load().outbox == (made("a", 3), made("a", 4))
    journal.close()


def test_a_forgotten_item_leaves_nothing(journal: SqliteJournal) -> None:
    """Neither its row nor its reports."""
    entries = [Entry(item="a", row={}), Entry(item="b", row={})]
    journal.commit(Batch(entries=entries, reports=[made("a", 1)]))
    journal.commit(Batch(forgotten=["a"]))
    contents = journal.load()
    assert [entry.item for entry in contents.entries] == ["b"]
    assert contents.outbox == ()
    journal.close()


def test_kill_minus_nine_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    """The process dies right after its last commit."""
    words = [sys.executable, "-c", WRITER, str(tmp_path)]
    done = subprocess.run(words, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL
    contents = reopened(tmp_path)
    assert len(contents.entries) == 50
    assert contents.meta == {"last": "49"}


@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_a_damaged_file_is_named_with_its_remedy(
    tmp_path: Path, journal: SqliteJournal, keep: int
) -> None:
    """At the head or further in: never an empty journal."""
    entries = [Entry(item=f"i{n}", row={"text": "x" * 500}) for n in range(100)]
    journal.commit(Batch(entries=entries))
    journal.close()
    path = tmp_path / FILE
    data = path.read_bytes()
    path.write_bytes(data[:keep] + b"no database" * 4000)
    with pytest.raises(JournalError) as caught:
        reopened(tmp_path)
    assert str(path) in str(caught.value)
    assert "--rebuild-journal" in str(caught.value)


def test_a_row_that_is_no_report_is_damage(tmp_path: Path, journal: SqliteJournal) -> None:
    """A file that SQLite can read may still be wrong."""
    journal.commit(Batch(reports=[made("a", 1)]))
    journal._alive().execute("UPDATE outbox SET report = '{}'")
    with pytest.raises(JournalError, match="rebuild-journal"):
        journal.load()
    journal.close()


def test_a_newer_release_s_journal_is_left_alone(tmp_path: Path, journal: SqliteJournal) -> None:
    """An older release could only harm it."""
    journal._alive().execute("PRAGMA user_version = 99")
    journal.close()
    with pytest.raises(JournalError, match="newer release"):
        SqliteJournal(str(tmp_path))


def test_a_full_disk_is_told_and_changes_nothing(journal: SqliteJournal) -> None:
    """The batch is not written at all, and may be tried again."""
    journal.commit(Batch(entries=[Entry(item="a", row={})]))
    db = journal._alive()
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages}")
    big = Batch(entries=[Entry(item="b", row={"x": "y" * 100_000}), Entry(item="c", row={})])
    with pytest.raises(JournalError, match="make room"):
        journal.commit(big)
    assert [entry.item for entry in journal.load().entries] == ["a"]
    db.execute("PRAGMA max_page_count = 100000")
    journal.commit(big)
    assert [entry.item for entry in journal.load().entries] == ["a", "b", "c"]
    journal.close()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With what is wrong in words."""
    with pytest.raises(JournalError, match="nowhere"):
        SqliteJournal(str(tmp_path / "nowhere"))


def test_the_file_is_its_owner_s_alone(tmp_path: Path, journal: SqliteJournal) -> None:
    """It tells what people run."""
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0
    journal.close()


def test_setting_aside_keeps_the_old_file(tmp_path: Path, journal: SqliteJournal) -> None:
    """`--rebuild-journal` begins anew without deleting anything, however often."""
    for number in (1, 2):
        journal.commit(Batch(meta={"n": str(number)}))
        journal.close()
        assert set_aside(str(tmp_path)) == str(tmp_path / f"{FILE}.set-aside-{number}")
        assert not (tmp_path / FILE).exists()
        journal = SqliteJournal(str(tmp_path))
        assert journal.load() == Contents(entries=(), outbox=(), meta={})
    journal.close()
    assert len(list(tmp_path.glob("*.set-aside-?"))) == 2


def test_nothing_to_set_aside_is_no_trouble(tmp_path: Path) -> None:
    """A first start may be asked to rebuild."""
    assert set_aside(str(tmp_path)) == ""
    assert not list(tmp_path.iterdir())
