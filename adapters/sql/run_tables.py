"""The tables of what W&B's clients keep with us: runs, and artifacts with their files."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text, text

from launchyard.adapters.sql.tables import TABLES

_BIG: Final = BigInteger().with_variant(Integer, "sqlite")


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


runs: Final = Table(
    "runs",
    TABLES,
    Column("n", _BIG, primary_key=True),
    Column("entity_n", ForeignKey("entities.n"), nullable=False),
    Column("project", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("item_seq", BigInteger),
    _count("attempt"),
    Column("exit_code", Integer),
    _count("stop"),
    _text("submitter"),
    Column("about", Text, nullable=False, server_default="{}"),
    Column("config", Text, nullable=False, server_default="{}"),
    Column("summary", Text, nullable=False, server_default="{}"),
    _count("log_lines"),
    _count("history_lines"),
    _count("event_lines"),
    Column("created_ms", BigInteger, nullable=False),
    Column("heard_ms", BigInteger, nullable=False),
)
"""`item_seq` is a number and no reference: housekeeping takes items away, and runs stay.

`about` has the names, tags and places that a run tells of itself.
"""
Index("runs_name", runs.c.entity_n, runs.c.project, runs.c.name, unique=True)
Index(
    "runs_item",
    runs.c.item_seq,
    sqlite_where=text("item_seq IS NOT NULL"),
    postgresql_where=text("item_seq IS NOT NULL"),
)

artifacts: Final = Table(
    "artifacts",
    TABLES,
    Column("n", _BIG, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("entity_n", ForeignKey("entities.n"), nullable=False),
    Column("project", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("collection", Text, nullable=False),
    Column("version", Integer),
    Column("state", Text, nullable=False),
    Column("digest", Text, nullable=False),
    _text("client_id"),
    Column("about", Text, nullable=False, server_default="{}"),
    Column("aliases", Text, nullable=False, server_default="[]"),
    Column("created_ms", BigInteger, nullable=False),
)
Index("artifacts_place", artifacts.c.entity_n, artifacts.c.project, artifacts.c.collection)

run_files: Final = Table(
    "run_files",
    TABLES,
    Column("owner", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("size_b", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("md5", Text, nullable=False),
    Column("blob", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)
"""Files of runs and of artifacts; `owner` says of which."""
