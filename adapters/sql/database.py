"""One connection, prepared statements, and transactions."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from sqlalchemy import Delete, Insert, Select, Update
from sqlalchemy.exc import DBAPIError

from launchyard.adapters.sql import crash
from launchyard.adapters.sql.dialect import SqliteDialect
from launchyard.ports.records import StoreError

Statement = Select[Any] | Insert | Update | Delete
Values = Mapping[str, Any]


class Row(Protocol):
    """A row whose columns are found by name."""

    def __getitem__(self, column: str | int, /) -> Any:
        """Return the value of a column, by name or number."""
        ...


class Database:
    """A connection of our own, for one thread at a time.

    Statements are written in SQLAlchemy Core and compiled once; they then go straight to the
    driver, which saves the greater part of what a statement costs. In an update or delete, names
    of parameters in the condition begin with `b_`; all others are columns to be set.
    """

    def __init__(self, dialect: SqliteDialect, *, read_only: bool = False) -> None:
        self._dialect = dialect
        self._texts: dict[tuple[Statement, tuple[str, ...]], tuple[str, Values]] = {}
        self._together = False
        self._lost: StoreError | None = None
        self._engine = dialect.engine()
        try:
            self.connection = self._engine.connect()
        except Exception as e:
            self._engine.dispose()
            raise dialect.explain(getattr(e, "orig", None) or e) from e
        self._reach = crash.crash_at(os.environ.get("LAUNCHYARD_CRASH_AT", ""))
        try:
            self._cursor = dialect.prepare(
                self.connection.connection.dbapi_connection, read_only=read_only
            )
        except dialect.error as e:
            self.close()
            raise dialect.explain(e) from e

    def make_room(self) -> None:
        """Have the disk ready for what is to be written."""
        self._dialect.make_room(self._cursor)

    @contextmanager
    def write(self) -> Iterator[None]:
        """Hold the only right to write until the block ends, then commit, or undo on an error.

        Raises:
            StoreError: UNAVAILABLE, with the remedy, for whatever the database complains of.
        """
        with self._part() if self._together else self._transaction(self._dialect.begin_write):
            yield

    @contextmanager
    def together(self) -> Iterator[None]:
        """Commit all writes of the block at once; one that fails is undone alone.

        Raises:
            StoreError: UNAVAILABLE; then nothing of the block is kept.
        """
        with self._transaction(self._dialect.begin_write):
            self._together, self._lost = True, None
            try:
                yield
            finally:
                self._together = False
            if self._lost is not None:
                raise self._lost

    @contextmanager
    def _part(self) -> Iterator[None]:
        """Hold a transaction within the common one.

        Some failures, a full disk among them, end the common one, too: then all parts have failed.
        """
        if self._lost is not None:
            raise self._lost
        try:
            self._cursor.execute("SAVEPOINT part")
            yield
            self._cursor.execute("RELEASE part")
        except self._dialect.error as e:
            explained = self._dialect.explain(e)
            self._undo_part(explained)
            raise explained from e
        except BaseException:
            self._undo_part(None)
            raise

    def _undo_part(self, why: StoreError | None) -> None:
        if self._dialect.is_open(self._cursor):
            self._cursor.execute("ROLLBACK TO part")
            self._cursor.execute("RELEASE part")
        else:
            self._lost = why

    @contextmanager
    def read(self) -> Iterator[None]:
        """See one state of the database until the block ends."""
        if self._together:
            yield
            return
        with self._transaction(self._dialect.begin_read):
            yield

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        try:
            self._cursor.execute(begin)
            yield
            self._reach(crash.BEFORE)
            self._cursor.execute("COMMIT")
            self._reach(crash.AFTER)
        except self._dialect.error as e:
            self._undo()
            raise self._dialect.explain(e) from e
        except DBAPIError as e:  # from a migration, which goes through SQLAlchemy
            self._undo()
            raise self._dialect.explain(e.orig or e) from e
        except BaseException:
            self._undo()
            raise

    def _undo(self) -> None:
        """Roll back, if there is still something to roll back."""
        try:
            self._cursor.execute("ROLLBACK")
        except self._dialect.error:
            return  # the failed statement ended the transaction, or never began it

    @contextmanager
    def unchecked(self) -> Iterator[None]:
        """Let rows go without a look for others that name them; for use around `write`."""
        self._dialect.check_names(self._cursor, on=False)
        try:
            yield
        finally:
            self._dialect.check_names(self._cursor, on=True)

    def rows(self, statement: Statement, **values: Any) -> Sequence[Row]:
        """Return all rows that *statement* finds."""
        found: Sequence[Row] = self._execute(statement, values).fetchall()
        return found

    def one(self, statement: Statement, **values: Any) -> Row | None:
        """Return the first row, if there is one."""
        found = self._execute(statement, values).fetchall()
        return found[0] if found else None

    def number(self, statement: Statement, **values: Any) -> int:
        """Return the first column of the only row."""
        return int(self._execute(statement, values).fetchall()[0][0])

    def run(self, statement: Statement, **values: Any) -> None:
        """Change rows, or add one."""
        self._execute(statement, values)

    def many(self, statement: Statement, rows: Sequence[Values]) -> None:
        """Change rows once for each of *rows*, which all have the same names."""
        if rows:
            text, defaults = self._text(statement, tuple(rows[0]))
            self._cursor.executemany(text, [{**defaults, **row} for row in rows])

    def is_duplicate(self, error: StoreError) -> bool:
        """Tell whether a refused write met a unique value that is there already."""
        return isinstance(error.__cause__, Exception) and self._dialect.is_duplicate(
            error.__cause__
        )

    def explain(self, statement: Statement, **values: Any) -> Sequence[Row]:
        """Return how the database would carry *statement* out; for tests."""
        text, defaults = self._text(statement, tuple(values))
        self._cursor.execute(f"{self._dialect.explain_plan} {text}", {**defaults, **values})
        found: Sequence[Row] = self._cursor.fetchall()
        return found

    def _execute(self, statement: Statement, values: Values) -> Any:
        text, defaults = self._text(statement, tuple(values))
        self._cursor.execute(text, {**defaults, **values} if defaults else values)
        return self._cursor

    def _text(self, statement: Statement, names: tuple[str, ...]) -> tuple[str, Values]:
        known = self._texts.get((statement, names))
        if known is None:
            columns = [name for name in names if not name.startswith("b_")]
            keys = None if isinstance(statement, Select | Delete) else columns
            compiled = statement.compile(dialect=self._engine.dialect, column_keys=keys)
            given = {k: v for k, v in compiled.params.items() if k not in names}
            known = self._texts[statement, names] = (str(compiled), given)
        return known

    def close(self) -> None:
        """Give the connection back; repeating is harmless."""
        self.connection.close()
        self._engine.dispose()
