"""The store: all parts on one connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy import bindparam, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from launchyard.adapters.sql.again import SqlAgain
from launchyard.adapters.sql.artifacts import SqlArtifacts
from launchyard.adapters.sql.database import Database
from launchyard.adapters.sql.dialect import SqliteDialect
from launchyard.adapters.sql.files import SqlFiles
from launchyard.adapters.sql.part import Base, Shared
from launchyard.adapters.sql.runs import SqlRuns
from launchyard.adapters.sql.scan import SqlScan
from launchyard.adapters.sql.schema import bring_up
from launchyard.adapters.sql.settings import StoreSettings
from launchyard.adapters.sql.snapshot import settle
from launchyard.adapters.sql.sweep import SqlSweep
from launchyard.adapters.sql.sweep_kept import SqlSweepKept
from launchyard.adapters.sql.tables import meta
from launchyard.ports.clock import Clock
from launchyard.ports.records import StoreError, Trouble

_META = select(meta.c.value).where(meta.c.key == bindparam("key"))


class SqlStore(SqlAgain, SqlRuns, SqlScan, SqlFiles, SqlSweep, SqlSweepKept, SqlArtifacts):
    """A `Store` in a relational database; see `open_store`."""

    def __init__(self, base: Base, dialect: SqliteDialect) -> None:
        super().__init__(base)
        self._dialect = dialect

    @contextmanager
    def together(self) -> Iterator[None]:
        try:
            with self._db.together():
                yield
        except BaseException:
            self._leases.clear()
            raise

    def installation(self) -> str:
        return self._base.installation

    def reader(self) -> SqlStore:
        return type(self)(_base(self._dialect, self._base, read_only=True), self._dialect)

    def close(self) -> None:
        self._db.close()


def open_store(
    url: str, clock: Clock, settings: StoreSettings | None = None, kind: type[SqlStore] = SqlStore
) -> SqlStore:
    """Open a database, make it if it is new, and bring its schema up to date.

    Raises:
        StoreError: UNAVAILABLE, with what is wrong and what helps.
    """
    settings = settings or StoreSettings()
    dialect = _dialect(url, settings)
    dialect.create()
    blank = Base(
        database=Database(dialect),
        clock=clock,
        settings=settings,
        shared=Shared(),
        installation="",
        restore_epoch=0,
    )
    try:
        bring_up(blank.database)
        blank.database.make_room()
        settle(blank.database, clock.now_ms() + round(settings.ttl_s * 1000))
        return kind(_known(blank), dialect)
    except BaseException:
        blank.database.close()
        raise


def _dialect(url: str, settings: StoreSettings) -> SqliteDialect:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.get_backend_name() != "sqlite":
        shown = parsed.get_backend_name() if parsed else "this"
        raise StoreError(
            f"{shown} is not a database that launchyard can use yet;"
            " give a URL such as sqlite:////var/lib/launchyard/server.db",
            Trouble.UNAVAILABLE,
        )
    return SqliteDialect(parsed, settings.busy_s)


def _base(dialect: SqliteDialect, base: Base, *, read_only: bool) -> Base:
    """Return the base of a second view of the same database."""
    return replace(base, database=Database(dialect, read_only=read_only))


def _known(blank: Base) -> Base:
    """Read what the database says of itself."""
    database = blank.database
    with database.read():
        installation = database.rows(_META, key="installation")[0]["value"]
        epoch = int(database.rows(_META, key="restore_epoch")[0]["value"])
    return replace(blank, installation=installation, restore_epoch=epoch)
