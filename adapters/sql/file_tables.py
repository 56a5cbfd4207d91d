"""The tables of logs, outputs and archives."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, Table, Text

from launchyard.adapters.sql.tables import TABLES

log_sources: Final = Table(
    "log_sources",
    TABLES,
    Column("item_seq", ForeignKey("items.seq"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("cursor", BigInteger, nullable=False),
    Column("truncated", Integer, nullable=False, server_default="0"),
)

log_chunks: Final = Table(
    "log_chunks",
    TABLES,
    Column("item_seq", ForeignKey("items.seq"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("start", BigInteger, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

outputs: Final = Table(
    "outputs",
    TABLES,
    Column("item_seq", ForeignKey("items.seq"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("size_b", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("blob", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)

archives: Final = Table(
    "archives",
    TABLES,
    Column("sha256", Text, primary_key=True),
    Column("path", Text, nullable=False),
    Column("size_b", BigInteger, nullable=False),
    Column("blob", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)
