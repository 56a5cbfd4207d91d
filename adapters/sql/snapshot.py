"""Copies of a database, and what a copy needs before it may serve again."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.engine import make_url

from launchyard.adapters.sql.database import Database
from launchyard.adapters.sql.dialect import SqliteDialect
from launchyard.adapters.sql.schema import bring_up
from launchyard.adapters.sql.tables import attempts, items, meta
from launchyard.domain.item import ItemState
from launchyard.ports.records import StoreError, Trouble

_SINCE_S: Final = 1_767_225_600
"""2026 begins. Epochs are seconds from there on, so that no two restores have the same one."""

SETTLE: Final = "settle"
"""The key of `meta` that a restore leaves for the next start."""

_CLAIMED = (items.c.state == ItemState.CLAIMED.value, items.c.cancel == 0)
_BACK = (
    update(items)
    .where(*_CLAIMED)
    .values(
        state=ItemState.QUEUED.value,
        attempt_state=None,
        holder_n=None,
        config_n=None,
        missed=0,
        unheard_until_ms=None,
    )
)
_META = select(meta.c.value).where(meta.c.key == bindparam("key"))
_SET_META = update(meta).where(meta.c.key == bindparam("b_key"))
_DROP_META = delete(meta).where(meta.c.key == bindparam("b_key"))
_DELAY = update(items).where(
    items.c.state == ItemState.QUEUED.value,
    or_(items.c.not_before_ms.is_(None), items.c.not_before_ms < bindparam("b_until")),
)


_NAMING: Final = {
    "outputs": "SELECT blob FROM outputs",
    "archives": "SELECT blob FROM archives",
    "run_files": "SELECT blob FROM run_files",
}
"""Tables whose rows name blobs, and how to ask for these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What a copy holds: who it is, and the blobs that its rows name."""

    installation: str
    schema: str
    items: int
    blobs: Sequence[str]


def path_of(url: str) -> Path:
    """Return the file of a database.

    Raises:
        StoreError: it is none in a file.
    """
    found = make_url(url)
    if found.get_backend_name() != "sqlite" or not found.database:
        raise StoreError("only SQLite databases can be copied by launchyard", Trouble.UNAVAILABLE)
    return Path(found.database)


def copy_database(path: Path, into: Path) -> Copied:
    """Copy a database to the file *into*, as it is at one moment; others go on using it.

    Raises:
        StoreError: it is absent, damaged, or *into* cannot be written.
    """
    if not path.is_file():
        raise StoreError(f"there is no database {path}", Trouble.NOT_FOUND)
    try:
        with _reading(path) as source, closing(sqlite3.connect(into)) as target:
            # All pages in one step: in several, each change in between would begin it anew.
            source.backup(target)
            return _look(target)
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be copied ({error})", Trouble.UNAVAILABLE) from error


def _reading(path: Path) -> Any:
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    return closing(sqlite3.connect(uri, uri=True, timeout=30))


def _look(db: sqlite3.Connection) -> Copied:
    found = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    # A database of an older release may lack the newest of them.
    asked = [query for name, query in _NAMING.items() if (name,) in found]
    blobs = {blob for query in asked for (blob,) in db.execute(query)}
    return Copied(
        installation=_text(db, "SELECT value FROM meta WHERE key = 'installation'"),
        schema=_text(db, "SELECT version_num FROM alembic_version"),
        items=db.execute("SELECT count(*) FROM items").fetchone()[0],
        blobs=sorted(blobs),
    )


def _text(db: sqlite3.Connection, query: str) -> str:
    return str(db.execute(query).fetchone()[0])


def raise_epoch(path: Path, now_ms: int) -> int:
    """Make a copy fit to serve in place of what came after it; return its new token epoch.

    No token of before is worth anything. What was claimed and had no place yet goes back to its
    queue, for whoever had it may have gone on: who did shows where, and gets it again. The next
    start waits for such agents before it hands out anything (`settle`).

    Raises:
        StoreError: it is damaged, or of a newer release.
    """
    database = Database(SqliteDialect(make_url(f"sqlite:///{path}"), busy_s=5.0))
    try:
        bring_up(database)
        with database.write():
            found = int(database.rows(_META, key="restore_epoch")[0]["value"])
            epoch = max(found + 1, now_ms // 1000 - _SINCE_S)
            _write(database, epoch)
        database.connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        database.close()
    return epoch


def _write(database: Database, epoch: int) -> None:
    database.run(_BACK)
    for table in (items, attempts):
        raised = {"token_epoch": epoch, "token_counter": table.c.token_counter + 1}
        database.run(update(table).values(**raised))
    database.run(_SET_META, b_key="restore_epoch", value=str(epoch))
    database.run(_DROP_META, b_key=SETTLE)
    database.run(meta.insert(), key=SETTLE, value="1")


def settle(database: Database, until_ms: int) -> None:
    """Let nothing begin before *until_ms* at the first start after a restore.

    Agents that know of launches which the backup does not have come back before that moment, and
    none of them is made twice.
    """
    if database.one(_META, key=SETTLE) is None:
        return
    with database.write():
        database.run(_DELAY, b_until=until_ms, not_before_ms=until_ms)
        database.run(_DROP_META, b_key=SETTLE)
