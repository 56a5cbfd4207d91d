"""The agent's journal in a SQLite file: WAL, so that `kill -9` loses nothing that was committed."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
from pathlib import Path
from typing import Final

from launchyard.domain.exchange import Report
from launchyard.domain.wire import WireError, from_json, to_json
from launchyard.ports.journal import Batch, Contents, Entry, JournalError

FILE: Final = "journal.db"
_VERSION: Final = 1
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))
_ROOM_B: Final = 1024 * 1024
_TABLES: Final = """
CREATE TABLE entries (item TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE outbox (
    n INTEGER PRIMARY KEY, item TEXT NOT NULL, seq INTEGER NOT NULL, report TEXT NOT NULL,
    UNIQUE (item, seq)
);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_SAVE: Final = "INSERT OR REPLACE INTO entries VALUES (?, ?)"
_ADD: Final = "INSERT OR REPLACE INTO outbox (item, seq, report) VALUES (?, ?, ?)"
_SENT: Final = "DELETE FROM outbox WHERE item = ? AND seq <= ?"
_FORGET: Final = ("DELETE FROM entries WHERE item = ?", "DELETE FROM outbox WHERE item = ?")
_META: Final = "INSERT OR REPLACE INTO meta VALUES (?, ?)"


def set_aside(folder: str) -> str:
    """Move a journal out of the way, for `--rebuild-journal`; return where it is now, or ''.

    Raises:
        JournalError: it cannot be moved.
    """
    path = Path(folder, FILE)
    if not path.exists():
        return ""
    number = 1
    while path.with_name(f"{FILE}.set-aside-{number}").exists():
        number += 1
    aside = path.with_name(f"{FILE}.set-aside-{number}")
    try:
        for end in ("-wal", "-shm"):
            extra = path.with_name(path.name + end)
            if extra.exists():
                extra.rename(aside.with_name(aside.name + end))
        path.rename(aside)
    except OSError as e:
        raise JournalError(f"the journal {path} cannot be set aside: {e.strerror}") from e
    return str(aside)


class SqliteJournal:
    """A `Journal` in the file `journal.db` of *folder*.

    Raises:
        JournalError: the file is damaged, of a newer release, or cannot be opened.
    """

    def __init__(self, folder: str) -> None:
        self._path = Path(folder, FILE)
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        try:
            self._db = self._open()
        except sqlite3.Error as e:
            raise self._trouble("cannot be opened", e) from e

    def load(self) -> Contents:
        with self._lock:
            try:
                return self._read(self._alive())
            except sqlite3.Error as e:
                raise self._trouble("cannot be read", e) from e
            except (ValueError, WireError) as e:
                raise self._damaged(str(e)) from e

    def commit(self, batch: Batch) -> None:
        """Write *batch*: first what goes, then what comes, so that reports may be renumbered."""
        with self._lock:
            db = self._alive()
            try:
                db.execute("BEGIN IMMEDIATE")
                self._write(db, batch)
                db.execute("COMMIT")
            except sqlite3.Error as e:
                with contextlib.suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                raise self._trouble("cannot be written", e) from e

    def close(self) -> None:
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        self._path.chmod(0o600)
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            db.executescript(f"BEGIN;{_TABLES}PRAGMA user_version={_VERSION};COMMIT;")
        elif version > _VERSION:
            raise JournalError(
                f"the journal {self._path} was written by a newer release; use that release"
            )
        (state,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if state != "ok":
            raise self._damaged(str(state))

    def _alive(self) -> sqlite3.Connection:
        if self._db is None:
            raise JournalError(f"the journal {self._path} is closed")
        return self._db

    @staticmethod
    def _read(db: sqlite3.Connection) -> Contents:
        entries = db.execute("SELECT item, row FROM entries ORDER BY item").fetchall()
        outbox = db.execute("SELECT report FROM outbox ORDER BY n").fetchall()
        meta = db.execute("SELECT name, value FROM meta").fetchall()
        return Contents(
            entries=tuple(Entry(item=item, row=json.loads(row)) for item, row in entries),
            outbox=tuple(from_json(Report, json.loads(text)) for (text,) in outbox),
            meta=dict(meta),
        )

    @staticmethod
    def _write(db: sqlite3.Connection, batch: Batch) -> None:
        for statement in _FORGET:
            db.executemany(statement, [(item,) for item in batch.forgotten])
        db.executemany(_SENT, batch.sent.items())
        db.executemany(_SAVE, [(e.item, _text(e.row)) for e in batch.entries])
        db.executemany(_ADD, [(r.lease.item, r.seq, _text(to_json(r))) for r in batch.reports])
        db.executemany(_META, batch.meta.items())

    def _trouble(self, what: str, error: sqlite3.Error) -> JournalError:
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.OperationalError
        ):
            return self._damaged(str(error))
        full = "full" in str(error) or not self._has_room()
        remedy = "make room on its disk" if full else "look at its folder's rights"
        return JournalError(f"the journal {self._path} {what} ({error}): {remedy}")

    def _has_room(self) -> bool:
        """Tell whether the disk has room: SQLite calls some full disks an I/O error."""
        try:
            disk = os.statvfs(self._path.parent)
        except OSError:
            return True
        return disk.f_bavail * disk.f_frsize > _ROOM_B

    def _damaged(self, why: str) -> JournalError:
        return JournalError(
            f"the journal {self._path} is damaged ({why}): start the agent once with "
            "`launchyard agent --rebuild-journal`, which sets it aside and asks the server anew"
        )


def _text(document: object) -> str:
    return _ENCODER.encode(document)
