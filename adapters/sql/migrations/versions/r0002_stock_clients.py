"""Runs, artifacts, and agents that know no leases: what W&B's clients need."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add columns and tables; nothing that is there changes."""
    op.add_column("agents", sa.Column("stock", sa.Integer(), server_default="0", nullable=False))
    op.add_column("items", sa.Column("unheard_until_ms", sa.BigInteger()))
    _part("items_unheard", "items", "unheard_until_ms")
    _runs()
    _artifacts()
    _run_files()


def _part(name: str, table: str, column: str) -> None:
    rule = sa.text(f"{column} IS NOT NULL")
    op.create_index(name, table, [column], sqlite_where=rule, postgresql_where=rule)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)


def _entity() -> sa.Column[int]:
    return sa.Column("entity_n", _BIG, nullable=False)


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("n", _BIG, nullable=False),
        _entity(),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("item_seq", sa.BigInteger()),
        _count("attempt"),
        sa.Column("exit_code", sa.Integer()),
        _count("stop"),
        _text("submitter"),
        sa.Column("about", sa.Text(), server_default="{}", nullable=False),
        sa.Column("config", sa.Text(), server_default="{}", nullable=False),
        sa.Column("summary", sa.Text(), server_default="{}", nullable=False),
        _count("log_lines"),
        _count("history_lines"),
        _count("event_lines"),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("heard_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["entity_n"], ["entities.n"]),
        sa.PrimaryKeyConstraint("n"),
    )
    op.create_index("runs_name", "runs", ["entity_n", "project", "name"], unique=True)
    _part("runs_item", "runs", "item_seq")


def _artifacts() -> None:
    op.create_table(
        "artifacts",
        sa.Column("n", _BIG, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        _entity(),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        _text("client_id"),
        sa.Column("about", sa.Text(), server_default="{}", nullable=False),
        sa.Column("aliases", sa.Text(), server_default="[]", nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["entity_n"], ["entities.n"]),
        sa.PrimaryKeyConstraint("n"),
        sa.UniqueConstraint("id"),
    )
    op.create_index("artifacts_place", "artifacts", ["entity_n", "project", "collection"])


def _run_files() -> None:
    op.create_table(
        "run_files",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size_b", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("md5", sa.Text(), nullable=False),
        sa.Column("blob", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "path"),
    )
