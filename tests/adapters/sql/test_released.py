"""Databases of every released schema become what the code knows; the released steps stay as is."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from launchyard.adapters.sql import file_tables, schema
from launchyard.adapters.sql.store import open_store
from launchyard.plugins.testkit.store_world import MovableClock
from launchyard.ports.records import ItemFilter
from tests.adapters.sql.write_dump import DUMPS, STATES

RELEASED = sorted(path.stem for path in DUMPS.glob("*.sql"))


def _load(name: str, path: Path) -> None:
    """Make a database of a dump."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript((DUMPS / f"{name}.sql").read_text())


def _shape(path: Path) -> list[tuple[str, str]]:
    """Return all tables and indexes as they were made."""
    query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
    with contextlib.closing(sqlite3.connect(path)) as db:
        return [(name, " ".join(sql.split())) for name, sql in db.execute(query)]


def test_the_newest_schema_has_a_dump() -> None:
    """Whoever adds a migration writes one: `python -m tests.adapters.sql.write_dump`."""
    assert RELEASED[0] == "0001"
    assert RELEASED[-1] == schema.HEAD


@pytest.mark.parametrize("name", RELEASED)
def test_a_released_database_is_upgraded_and_loses_nothing(tmp_path: Path, name: str) -> None:
    """Its tables are then those of the code, and what was in it is there."""
    path = tmp_path / "server.db"
    _load(name, path)
    store = open_store(f"sqlite:///{path}", MovableClock())
    with contextlib.closing(store):
        context = MigrationContext.configure(store._db.connection)
        assert compare_metadata(context, file_tables.log_sources.metadata) == []
        found = sorted(store.items(ItemFilter(entity="team")), key=lambda item: item.id)
        assert [item.state.value for item in found] == list(STATES)
        assert store.read_log(found[0].id, 1, "main", 0, 100).data == b"hello\n"
        assert [one.path for one in store.outputs(found[0].id, 1)] == ["m"]
        assert store.archive("a" * 64) is not None
        [agent] = store.agents("team")
        assert agent.active == STATES.index("queued") - STATES.index("launched")


@pytest.mark.parametrize("name", RELEASED)
def test_a_released_migration_stays_as_it_was(tmp_path: Path, name: str) -> None:
    """A change of the tables is a new migration: databases out there have taken this one."""
    ours, dumped = tmp_path / "ours.db", tmp_path / "dumped.db"
    _load(name, dumped)
    engine = create_engine(f"sqlite:///{ours}")
    with contextlib.closing(engine.connect()) as connection, connection.begin():
        config = Config()
        config.set_main_option("script_location", str(schema._FOLDER))
        config.attributes["connection"] = connection
        command.upgrade(config, name)
    engine.dispose()
    assert _shape(ours) == _shape(dumped)
