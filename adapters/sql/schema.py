"""Bring a database to the schema that this code knows."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, select

from launchyard.adapters.sql.database import Database
from launchyard.adapters.sql.tables import meta
from launchyard.ports.records import StoreError, Trouble

_FOLDER: Final = Path(__file__).with_name("migrations")
HEAD: Final = "0002"
"""The newest migration; a test compares it with the folder, so that no start has to look."""


def bring_up(database: Database) -> None:
    """Apply the migrations that are missing, all or none, whoever else opens the database.

    Raises:
        StoreError: the database comes from a newer version of this program.
    """
    with database.write():
        found = _version(database.connection)
        if found != HEAD:
            _migrate(database.connection, found)
        if database.one(select(meta)) is None:
            _first(database)


def _first(database: Database) -> None:
    """Give a new database its name and its restore epoch."""
    database.run(meta.insert(), key="installation", value=secrets.token_hex(16))
    database.run(meta.insert(), key="restore_epoch", value="0")


def _version(connection: Connection) -> str:
    """Return the migration that the database stands at, or nothing for an empty one."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return ""
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return str(found or "")


def _migrate(connection: Connection, found: str) -> None:
    from alembic import command  # noqa: PLC0415 - 0.2 s that only a new database costs
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as e:
        raise StoreError(
            f"the database has schema {found}, which this version of launchyard does not know;"
            " upgrade launchyard, or restore the backup made before the upgrade",
            Trouble.UNAVAILABLE,
        ) from e
