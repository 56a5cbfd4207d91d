"""The database file: its schema, its settings, and what is wrong when it cannot be used."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from launchyard.adapters.sql import file_tables, schema
from launchyard.adapters.sql.settings import StoreSettings
from launchyard.adapters.sql.store import SqlStore, open_store
from launchyard.domain.item import ItemState
from launchyard.plugins.testkit.store_world import MovableClock, World
from launchyard.ports.records import StoreError, Trouble


def _open(path: Path, busy_s: float = 0.2) -> SqlStore:
    return open_store(f"sqlite:///{path}", MovableClock(), StoreSettings(busy_s=busy_s))


def _refused(path: Path) -> str:
    with pytest.raises(StoreError) as e:
        _open(path)
    assert e.value.trouble is Trouble.UNAVAILABLE
    return str(e.value)


def test_migrations_make_the_tables_of_the_code(tmp_path: Path) -> None:
    """A change of the tables without a migration is noticed here."""
    store = _open(tmp_path / "server.db")
    context = MigrationContext.configure(store._db.connection)
    assert compare_metadata(context, file_tables.log_sources.metadata) == []
    store.close()


def test_the_newest_migration_is_the_head() -> None:
    """The constant that spares each start a look is up to date."""
    config = Config()
    config.set_main_option("script_location", str(schema._FOLDER))
    assert ScriptDirectory.from_config(config).get_heads() == [schema.HEAD]


def test_what_is_committed_is_on_the_disk(tmp_path: Path) -> None:
    """Write-ahead log, full synchronisation, foreign keys; the file is its owner's alone."""
    store = _open(tmp_path / "server.db")
    values = {
        name: store._db._cursor.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    }
    assert values == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 200,
    }
    assert (tmp_path / "server.db").stat().st_mode & 0o077 == 0
    store.close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """The message has the file and the remedy, and the file is left as it was."""
    path = tmp_path / "server.db"
    path.write_bytes(b"not a database at all " * 500)
    before = path.read_bytes()
    assert "restore a backup" in (text := _refused(path))
    assert str(path) in text
    assert path.read_bytes() == before


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    """Damage in the midst of the file shows when it is read, as a clear error."""
    path = tmp_path / "server.db"
    store = _open(path)
    world = World(store, MovableClock(), 45, 600).prepare()
    for _ in range(50):
        world.put()
    store.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    assert "damaged" in _refused(path)


def test_a_folder_that_is_absent_is_named(tmp_path: Path) -> None:
    """Nothing is created beside the point."""
    assert "check that its folder exists" in _refused(tmp_path / "gone" / "server.db")


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """An old program does not touch what it does not know."""
    path = tmp_path / "server.db"
    _open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    assert "upgrade launchyard" in _refused(path)


def test_a_locked_database_is_named(tmp_path: Path) -> None:
    """Another process that holds the lock for too long is told of; later the store goes on."""
    path = tmp_path / "server.db"
    store = _open(path)
    world = World(store, MovableClock(), 45, 600).prepare()
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked by another process") as e:
        world.put()
    assert e.value.trouble is Trouble.UNAVAILABLE
    blocker.execute("ROLLBACK")
    blocker.close()
    assert world.put().id
    store.close()


def _fill(world: World) -> None:
    """Put items until it fails."""
    for _ in range(1000):
        world.put()


def test_a_full_disk_is_named_and_loses_nothing(tmp_path: Path) -> None:
    """The refused write is undone as a whole; with room again the store goes on."""
    store = _open(tmp_path / "server.db")
    world = World(store, MovableClock(), 45, 600).prepare()
    cursor = store._db._cursor
    free = cursor.execute("PRAGMA freelist_count").fetchone()[0]
    cursor.execute("CREATE TABLE filler AS SELECT zeroblob(:bytes)", {"bytes": (free - 2) * 4096})
    pages = cursor.execute("PRAGMA page_count").fetchone()[0]
    cursor.execute(f"PRAGMA max_page_count = {pages}").fetchone()
    with pytest.raises(StoreError, match="disk is full"):
        _fill(world)
    cursor.execute("PRAGMA max_page_count = 1000000").fetchone()
    assert store.counts("team", "q").waiting == world.made - 1
    assert world.put().state is ItemState.QUEUED
    store.close()


def test_other_databases_come_later() -> None:
    """A URL of another kind, or none, is answered with what can be used."""
    for url in ("postgresql://localhost/x", "nonsense", "sqlite://", "sqlite:///:memory:"):
        with pytest.raises(StoreError, match="sqlite:///"):
            open_store(url, MovableClock())
