"""The agent's journal: what it must know again after any crash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from launchyard.domain.documents import Json
from launchyard.domain.exchange import Report


class JournalError(Exception):
    """The journal cannot be read or written; the message says where and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One attempt as the supervisor last knew it; `row` is the supervisor's own document."""

    item: str
    row: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Changes that are written together or not at all.

    `reports` are added to the outbox; `sent` removes an item's reports up to that `seq`;
    `forgotten` removes items with all that is theirs; `meta` sets small values (the agent's id).
    """

    entries: Sequence[Entry] = ()
    reports: Sequence[Report] = ()
    sent: Mapping[str, int] = field(default_factory=dict)
    forgotten: Sequence[str] = ()
    meta: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """All that the journal holds; `outbox` is in order of writing."""

    entries: Sequence[Entry]
    outbox: Sequence[Report]
    meta: Mapping[str, str]


class Journal(Protocol):
    """Keeps what an agent must not forget. One process writes; any thread may call, one at a time.

    Promises: after `commit` returns, `kill -9` loses nothing of it; a batch is atomic; a damaged
    file is a `JournalError` that names it and the remedy, never an empty journal.
    """

    def load(self) -> Contents:
        """Read everything."""
        ...

    def commit(self, batch: Batch) -> None:
        """Write *batch*."""
        ...

    def close(self) -> None:
        """Give the file back; repeating is harmless."""
        ...
