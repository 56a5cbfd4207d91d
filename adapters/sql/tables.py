"""The tables as the code sees them; `migrations` holds how they came to be.

Flags are whole numbers and documents are JSON text, so that a prepared statement needs no
conversion and every database reads the same. Times are `_ms` of the store's clock.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)

TABLES: Final = MetaData()

_BIG: Final = BigInteger().with_variant(Integer, "sqlite")
"""SQLite gives only INTEGER primary keys a number by itself."""

WAITING: Final = text("items.state = 'queued' AND items.not_before_ms IS NULL")
"""Ready to be claimed. Literals: a bound parameter would hide the partial index from the planner.

What is delayed is not in that index at all, so however many wait for their moment, no claim walks
past them; `ripen` sets `not_before_ms` to null when the moment has come.
"""

DELAYED: Final = text("items.not_before_ms IS NOT NULL")

BEGUN: Final = text("items.state <> 'queued'")
ACTIVE: Final = text(
    "items.state <> 'queued' AND items.state IN ('claimed', 'launching', 'launched')"
)
DONE: Final = text("items.state <> 'queued' AND items.state = 'done'")
OFFERED: Final = text("items.offered = 1")
CANCELLED: Final = text("items.cancel = 1")
MISSED: Final = text("items.missed > 0")
DEAD: Final = text("items.dead <> ''")


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _flag(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default="0")


meta: Final = Table(
    "meta", TABLES, Column("key", Text, primary_key=True), Column("value", Text, nullable=False)
)

entities: Final = Table(
    "entities",
    TABLES,
    Column("n", _BIG, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)

keys: Final = Table(
    "keys",
    TABLES,
    Column("id", Text, primary_key=True),
    Column("user", Text, nullable=False),
    _text("entity"),
    Column("role", Text, nullable=False),
    _text("label"),
    Column("digest", Text, nullable=False, unique=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger),
)

configs: Final = Table(
    "configs",
    TABLES,
    Column("n", _BIG, primary_key=True),
    Column("document", Text, nullable=False),
    Column("variables", Text, nullable=False, server_default="{}"),
)

queues: Final = Table(
    "queues",
    TABLES,
    Column("n", _BIG, primary_key=True),
    Column("entity_n", ForeignKey("entities.n"), nullable=False),
    Column("name", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("config_n", ForeignKey("configs.n"), nullable=False),
    Column("overridable", Text),
    Column("mode", Text, nullable=False, server_default="fifo"),
    Column("most_active", Integer),
    _flag("paused"),
    Column("retry", Text, nullable=False, server_default="null"),
    Column("created_ms", BigInteger, nullable=False),
    Column("deleted_ms", BigInteger),
)
Index(
    "queues_live",
    queues.c.entity_n,
    queues.c.name,
    unique=True,
    sqlite_where=text("deleted_ms IS NULL"),
    postgresql_where=text("deleted_ms IS NULL"),
)

agents: Final = Table(
    "agents",
    TABLES,
    Column("n", _BIG, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("entity_n", ForeignKey("entities.n"), nullable=False),
    Column("name", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("queues", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("max_jobs", Integer, nullable=False),
    _text("hostname"),
    _text("version"),
    _text("status"),
    Column("standing", Text, nullable=False, server_default="{}"),
    _flag("drain"),
    _flag("paused"),
    Column("started_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    Column("lease_until_ms", BigInteger),
    _flag("leases_version"),
    _text("claim_id"),
    Column("claimed", Text, nullable=False, server_default="[]"),
    _text("aborted_id"),
    _flag("stock"),
)
Index("agents_entity", agents.c.entity_n, agents.c.name)
Index(
    "agents_live",
    agents.c.lease_until_ms,
    sqlite_where=text("lease_until_ms IS NOT NULL"),
    postgresql_where=text("lease_until_ms IS NOT NULL"),
)

items: Final = Table(
    "items",
    TABLES,
    Column("seq", _BIG, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("entity_n", ForeignKey("entities.n"), nullable=False),
    Column("queue_n", ForeignKey("queues.n"), nullable=False),
    _flag("priority"),
    Column("state", Text, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="1"),
    Column("attempt_state", Text),
    Column("token_epoch", Integer, nullable=False),
    _flag("token_counter"),
    _flag("reported"),
    Column("holder_n", ForeignKey("agents.n")),
    Column("agent_n", ForeignKey("agents.n")),
    _flag("missed"),
    _flag("offered"),
    Column("offered_until_ms", BigInteger),
    Column("unheard_until_ms", BigInteger),
    _flag("cancel"),
    _text("place_scope"),
    _text("place_name"),
    _text("place_uid"),
    _text("reason"),
    _text("detail"),
    Column("exit_code", Integer),
    _flag("logs_complete"),
    Column("config_n", ForeignKey("configs.n")),
    _text("name"),
    _text("submitter"),
    _text("run_id"),
    _text("idempotency_key"),
    _text("body_digest"),
    _flag("has_secrets"),
    _text("forgotten"),
    Column("retry", Text, nullable=False, server_default="null"),
    Column("fresh_from", Integer, nullable=False, server_default="1"),
    Column("not_before_ms", BigInteger),
    _text("dead"),
    Column("enqueued_ms", BigInteger, nullable=False),
    Column("times", Text, nullable=False, server_default="{}"),
    Column("spec", Text, nullable=False),
)


def _part(name: str, where: str, *columns: Column[int], unique: bool = False) -> None:
    """Index only the rows that *where* is true of."""
    rule = text(where)
    Index(name, *columns, unique=unique, sqlite_where=rule, postgresql_where=rule)


_part(
    "items_waiting",
    "state = 'queued' AND not_before_ms IS NULL",
    items.c.queue_n,
    items.c.priority,
    items.c.seq,
    # SQLite asks the row for what a condition names, unless the index has it: a position in a line
    # of half a million is then counted in 15 ms, not in 45.
    items.c.not_before_ms,
    items.c.state,
)
_part("items_delayed", "not_before_ms IS NOT NULL", items.c.not_before_ms)
_part(
    "items_delayed_queue",
    "not_before_ms IS NOT NULL",
    items.c.state,
    items.c.queue_n,
    items.c.seq,
    items.c.not_before_ms,
)
_part("items_dead", "dead <> ''", items.c.queue_n, items.c.dead, items.c.seq)
_part("items_begun", "state <> 'queued'", items.c.queue_n, items.c.state, items.c.seq)
_part("items_held", "holder_n IS NOT NULL", items.c.holder_n, items.c.seq)
_part("items_cancelled", "cancel = 1", items.c.holder_n, items.c.cancel, items.c.seq)
_part("items_missed", "missed > 0", items.c.holder_n, items.c.missed)
_part("items_offered", "offered = 1", items.c.place_scope, items.c.seq)
_part("items_forgotten", "offered_until_ms IS NOT NULL", items.c.offered_until_ms)
_part("items_unheard", "unheard_until_ms IS NOT NULL", items.c.unheard_until_ms)
_part(
    "items_key",
    "idempotency_key <> ''",
    items.c.entity_n,
    items.c.idempotency_key,
    unique=True,
)
Index("items_entity", items.c.entity_n, items.c.seq)
Index("items_queue", items.c.queue_n, items.c.seq)

secrets: Final = Table(
    "item_secrets",
    TABLES,
    Column("item_seq", ForeignKey("items.seq"), primary_key=True),
    Column("env", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

named_secrets: Final = Table(
    "named_secrets",
    TABLES,
    Column("entity_n", ForeignKey("entities.n"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("sealed", Text, nullable=False),
    _text("set_by"),
    Column("created_ms", BigInteger, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
)

attempts: Final = Table(
    "attempts",
    TABLES,
    Column("item_seq", ForeignKey("items.seq"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("attempt_state", Text, nullable=False),
    Column("token_epoch", Integer, nullable=False, server_default="0"),
    _flag("token_counter"),
    _flag("reported"),
    Column("agent_n", ForeignKey("agents.n")),
    _text("place_scope"),
    _text("place_name"),
    _text("place_uid"),
    _text("reason"),
    _text("detail"),
    Column("exit_code", Integer),
    _flag("logs_complete"),
    Column("config_n", ForeignKey("configs.n")),
    Column("times", Text, nullable=False, server_default="{}"),
    _text("budget"),
)
"""What became of the attempts before an item's present one."""
