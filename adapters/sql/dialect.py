"""All that is particular to SQLite; another database gets a class beside this one."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import URL

from launchyard.ports.records import StoreError, Trouble


class SqliteDialect:
    """Opens a database file and puts its errors into words."""

    begin_write = "BEGIN IMMEDIATE"
    begin_read = "BEGIN"
    explain_plan = "EXPLAIN QUERY PLAN"
    error = sqlite3.Error

    def __init__(self, url: URL, busy_s: float) -> None:
        if not url.database or url.database == ":memory:":
            raise StoreError(
                "the database needs a file, such as sqlite:///launchyard.db: a reader of its own"
                " cannot see a database in memory",
                Trouble.UNAVAILABLE,
            )
        self._path = Path(url.database)
        self._busy_s = busy_s
        self._url = url

    def engine(self) -> Engine:
        """Return an engine whose statements commit by themselves unless we say BEGIN."""
        return create_engine(
            self._url,
            isolation_level="AUTOCOMMIT",
            paramstyle="named",
            connect_args={"check_same_thread": False, "timeout": self._busy_s},
        )

    def prepare(self, connection: Any, *, read_only: bool) -> Any:
        """Set up a DBAPI connection and return the cursor that all statements use.

        Raises:
            sqlite3.Error: the file is no database, or cannot be written.
        """
        cursor = connection.cursor()
        cursor.row_factory = sqlite3.Row
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.fetchall()
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA cache_size = -65536")
        if read_only:
            cursor.execute("PRAGMA query_only = ON")
        return cursor

    def make_room(self, cursor: Any) -> None:
        """Let the log of changes have its full length on the disk before it is used.

        Flushing a file that grows costs the file system several times what flushing one costs
        whose blocks are there; every commit would pay that until the log is long enough.

        Where there is no room the log grows as it must.
        """
        log = Path(f"{self._path}-wal")
        if log.exists() and log.stat().st_size >= _LOG_B:
            return
        with suppress(sqlite3.Error):
            cursor.execute("CREATE TABLE room (bytes BLOB)")
            cursor.execute("INSERT INTO room VALUES (zeroblob(:bytes))", {"bytes": _LOG_B})
        with suppress(sqlite3.Error):
            cursor.execute("DROP TABLE room")
            cursor.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
        with log.open("rb") as file:
            os.fsync(file.fileno())

    @staticmethod
    def check_names(cursor: Any, *, on: bool) -> None:
        """Switch the look for rows that name what is deleted; without effect in a transaction."""
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if on else 'OFF'}")

    @staticmethod
    def is_open(cursor: Any) -> bool:
        """Tell whether a transaction is under way; some errors end it."""
        return bool(cursor.connection.in_transaction)

    def create(self) -> None:
        """Make the file, readable by its owner alone: it holds secrets.

        Raises:
            StoreError: the folder is absent or not ours to write.
        """
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        except OSError as e:
            raise StoreError(
                f"cannot open the database {self._path}: {e.strerror};"
                " check that its folder exists and belongs to this user",
                Trouble.UNAVAILABLE,
            ) from e

    def explain(self, error: Exception) -> StoreError:
        """Say what is wrong with the database, and what helps."""
        name = str(getattr(error, "sqlite_errorname", "") or "")
        remedy = next((text for start, text in _REMEDIES if name.startswith(start)), "")
        if not remedy:
            remedy = f"answered: {error}"
        return StoreError(f"the database {self._path} {remedy}", Trouble.UNAVAILABLE)

    def is_duplicate(self, error: Exception) -> bool:
        """Tell whether *error* says that a unique value is there already."""
        name = str(getattr(error, "sqlite_errorname", "") or "")
        return name in {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"}


_LOG_B = 5 * 1024 * 1024
"""A little more than SQLite lets its log grow to before it starts again at its beginning."""

_REMEDIES = (
    ("SQLITE_FULL", "cannot grow: the disk is full; free some space and try again"),
    ("SQLITE_BUSY", "is locked by another process; end that process, or try again"),
    ("SQLITE_LOCKED", "is locked by another connection; try again"),
    ("SQLITE_READONLY", "is read-only; check its permissions and those of its folder"),
    ("SQLITE_CORRUPT", "is damaged; stop the server and restore a backup"),
    ("SQLITE_NOTADB", "is damaged or not a database; restore a backup or move the file away"),
    ("SQLITE_CANTOPEN", "cannot be opened; check that its folder exists and is ours to write"),
    ("SQLITE_IOERR", "cannot be read or written; check the disk and the system's log"),
)
