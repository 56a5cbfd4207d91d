"""The first schema."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _part(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    """Index only the rows that *where* is true of."""
    rule = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=rule, postgresql_where=rule)


def upgrade() -> None:
    """Make all tables."""
    _archives()
    _configs()
    _entities()
    _keys()
    _meta()
    _agents()
    _queues()
    _items()
    _attempts()
    _item_secrets()
    _named_secrets()
    _log_chunks()
    _log_sources()
    _outputs()


def _archives() -> None:
    op.create_table(
        "archives",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size_b", sa.BigInteger(), nullable=False),
        sa.Column("blob", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )


def _configs() -> None:
    op.create_table(
        "configs",
        sa.Column("n", _BIG, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("variables", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("n"),
    )


def _entities() -> None:
    op.create_table(
        "entities",
        sa.Column("n", _BIG, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("n"),
        sa.UniqueConstraint("name"),
    )


def _keys() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), server_default="", nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), server_default="", nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )


def _meta() -> None:
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )


def _agents() -> None:
    op.create_table(
        "agents",
        sa.Column("n", _BIG, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("entity_n", _BIG, sa.ForeignKey("entities.n"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("queues", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("max_jobs", sa.Integer(), nullable=False),
        sa.Column("hostname", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), server_default="", nullable=False),
        sa.Column("standing", sa.Text(), server_default="{}", nullable=False),
        sa.Column("drain", sa.Integer(), server_default="0", nullable=False),
        sa.Column("paused", sa.Integer(), server_default="0", nullable=False),
        sa.Column("started_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("lease_until_ms", sa.BigInteger(), nullable=True),
        sa.Column("leases_version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("claim_id", sa.Text(), server_default="", nullable=False),
        sa.Column("claimed", sa.Text(), server_default="[]", nullable=False),
        sa.Column("aborted_id", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("n"),
        sa.UniqueConstraint("id"),
    )
    op.create_index("agents_entity", "agents", ["entity_n", "name"])
    _part("agents_live", "agents", ["lease_until_ms"], "lease_until_ms IS NOT NULL")


def _queues() -> None:
    op.create_table(
        "queues",
        sa.Column("n", _BIG, nullable=False),
        sa.Column("entity_n", _BIG, sa.ForeignKey("entities.n"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("config_n", _BIG, sa.ForeignKey("configs.n"), nullable=False),
        sa.Column("overridable", sa.Text(), nullable=True),
        sa.Column("mode", sa.Text(), server_default="fifo", nullable=False),
        sa.Column("most_active", sa.Integer(), nullable=True),
        sa.Column("paused", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retry", sa.Text(), server_default="null", nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("deleted_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("n"),
    )
    _part("queues_live", "queues", ["entity_n", "name"], "deleted_ms IS NULL", unique=True)


def _progress() -> list[sa.Column[Any]]:
    """Return the columns that change while an item is worked on."""
    return [
        sa.Column("token_epoch", sa.Integer(), nullable=False),
        sa.Column("token_counter", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reported", sa.Integer(), server_default="0", nullable=False),
        sa.Column("holder_n", _BIG, sa.ForeignKey("agents.n"), nullable=True),
        sa.Column("agent_n", _BIG, sa.ForeignKey("agents.n"), nullable=True),
        sa.Column("missed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("offered", sa.Integer(), server_default="0", nullable=False),
        sa.Column("offered_until_ms", sa.BigInteger(), nullable=True),
        sa.Column("cancel", sa.Integer(), server_default="0", nullable=False),
        *_outcome(),
    ]


def _texts(*names: str) -> list[sa.Column[Any]]:
    """Return columns of texts that are empty where nothing is said."""
    return [sa.Column(name, sa.Text(), server_default="", nullable=False) for name in names]


def _outcome() -> list[sa.Column[Any]]:
    """Return the columns that tell where an attempt was and how it ended."""
    return [
        *_texts("place_scope", "place_name", "place_uid", "reason", "detail"),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("logs_complete", sa.Integer(), server_default="0", nullable=False),
        sa.Column("config_n", _BIG, sa.ForeignKey("configs.n"), nullable=True),
    ]


def _items() -> None:
    op.create_table(
        "items",
        sa.Column("seq", _BIG, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("entity_n", _BIG, sa.ForeignKey("entities.n"), nullable=False),
        sa.Column("queue_n", _BIG, sa.ForeignKey("queues.n"), nullable=False),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="1", nullable=False),
        sa.Column("attempt_state", sa.Text(), nullable=True),
        *_progress(),
        *_texts("name", "submitter", "run_id", "idempotency_key", "body_digest"),
        sa.Column("has_secrets", sa.Integer(), server_default="0", nullable=False),
        sa.Column("forgotten", sa.Text(), server_default="", nullable=False),
        sa.Column("retry", sa.Text(), server_default="null", nullable=False),
        sa.Column("fresh_from", sa.Integer(), server_default="1", nullable=False),
        sa.Column("not_before_ms", sa.BigInteger(), nullable=True),
        sa.Column("dead", sa.Text(), server_default="", nullable=False),
        sa.Column("enqueued_ms", sa.BigInteger(), nullable=False),
        sa.Column("times", sa.Text(), server_default="{}", nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
    )
    _part("items_begun", "items", ["queue_n", "state", "seq"], "state <> 'queued'")
    _part("items_cancelled", "items", ["holder_n", "cancel", "seq"], "cancel = 1")
    op.create_index("items_entity", "items", ["entity_n", "seq"])
    _part("items_dead", "items", ["queue_n", "dead", "seq"], "dead <> ''")
    delayed = "not_before_ms IS NOT NULL"
    _part("items_delayed", "items", ["not_before_ms"], delayed)
    _part("items_delayed_queue", "items", ["state", "queue_n", "seq", "not_before_ms"], delayed)
    _part("items_forgotten", "items", ["offered_until_ms"], "offered_until_ms IS NOT NULL")
    _part("items_held", "items", ["holder_n", "seq"], "holder_n IS NOT NULL")
    _part(
        "items_key", "items", ["entity_n", "idempotency_key"], "idempotency_key <> ''", unique=True
    )
    _part("items_missed", "items", ["holder_n", "missed"], "missed > 0")
    _part("items_offered", "items", ["place_scope", "seq"], "offered = 1")
    op.create_index("items_queue", "items", ["queue_n", "seq"])
    ready = "state = 'queued' AND not_before_ms IS NULL"
    line = ["queue_n", "priority", "seq", "not_before_ms", "state"]
    _part("items_waiting", "items", line, ready)


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("item_seq", _BIG, sa.ForeignKey("items.seq"), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("attempt_state", sa.Text(), nullable=False),
        sa.Column("token_epoch", sa.Integer(), server_default="0", nullable=False),
        sa.Column("token_counter", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reported", sa.Integer(), server_default="0", nullable=False),
        sa.Column("agent_n", _BIG, sa.ForeignKey("agents.n"), nullable=True),
        *_outcome(),
        sa.Column("times", sa.Text(), server_default="{}", nullable=False),
        sa.Column("budget", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("item_seq", "attempt"),
    )


def _item_secrets() -> None:
    op.create_table(
        "item_secrets",
        sa.Column("item_seq", _BIG, sa.ForeignKey("items.seq"), nullable=False),
        sa.Column("env", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("item_seq", "env"),
    )


def _named_secrets() -> None:
    op.create_table(
        "named_secrets",
        sa.Column("entity_n", _BIG, sa.ForeignKey("entities.n"), primary_key=True),
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), server_default="", nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
    )


def _log_chunks() -> None:
    op.create_table(
        "log_chunks",
        sa.Column("item_seq", _BIG, sa.ForeignKey("items.seq"), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("item_seq", "attempt", "source", "start"),
    )


def _log_sources() -> None:
    op.create_table(
        "log_sources",
        sa.Column("item_seq", _BIG, sa.ForeignKey("items.seq"), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("truncated", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("item_seq", "attempt", "source"),
    )


def _outputs() -> None:
    op.create_table(
        "outputs",
        sa.Column("item_seq", _BIG, sa.ForeignKey("items.seq"), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size_b", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("blob", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("item_seq", "attempt", "path"),
    )
