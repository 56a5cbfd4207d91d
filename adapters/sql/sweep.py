"""Taking away what is old: found on a reader, judged again and deleted in short transactions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import bindparam, delete, func, select

from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.file_tables import archives, log_chunks, log_sources, outputs
from launchyard.adapters.sql.part import Part
from launchyard.adapters.sql.run_tables import run_files, runs
from launchyard.adapters.sql.tables import agents, attempts, entities, items, secrets
from launchyard.domain.item import ItemState
from launchyard.ports.housekeeping import Dropped, OldArchives, OldItem, OldItems
from launchyard.ports.tracking import RunKey

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_PAGE: Final = 1000
DONE_PAGE = (
    select(items.c.seq, items.c.id, items.c.state, items.c.enqueued_ms, items.c.times)
    .where(items.c.seq > bindparam("after"))
    .order_by(items.c.seq)
    .limit(bindparam("most"))
)
_ITEM = select(items.c.seq, items.c.state, items.c.times).where(items.c.id == bindparam("id"))
_LOG_B = select(func.coalesce(func.sum(log_sources.c.cursor), 0)).where(
    log_sources.c.item_seq == bindparam("seq")
)
_OUTPUTS = select(outputs.c.size_b, outputs.c.blob).where(outputs.c.item_seq == bindparam("seq"))
_RUN_OWNERS = (
    select(entities.c.name.label("entity"), runs.c.project, runs.c.name)
    .join(entities, entities.c.n == runs.c.entity_n)
    .where(runs.c.item_seq == bindparam("seq"))
)
_RUN_FILES = select(run_files.c.size_b, run_files.c.blob).where(
    run_files.c.owner == bindparam("owner")
)
_DROP_RUN_FILES = delete(run_files).where(run_files.c.owner == bindparam("b_owner"))
_CHUNKS = (
    select(
        log_chunks.c.attempt,
        log_chunks.c.source,
        log_chunks.c.start,
        func.length(log_chunks.c.data).label("size_b"),
    )
    .where(log_chunks.c.item_seq == bindparam("seq"))
    .limit(256)
)
_DROP_CHUNK = delete(log_chunks).where(
    log_chunks.c.item_seq == bindparam("b_seq"),
    log_chunks.c.attempt == bindparam("b_attempt"),
    log_chunks.c.source == bindparam("b_source"),
    log_chunks.c.start == bindparam("b_start"),
)
_SOURCES = delete(log_sources).where(log_sources.c.item_seq == bindparam("b_seq"))
_REST = (
    delete(outputs).where(outputs.c.item_seq == bindparam("b_seq")),
    delete(attempts).where(attempts.c.item_seq == bindparam("b_seq")),
    delete(secrets).where(secrets.c.item_seq == bindparam("b_seq")),
    delete(runs).where(runs.c.item_seq == bindparam("b_seq")),
    delete(items).where(items.c.seq == bindparam("b_seq")),
)
_OLD_ARCHIVES = select(archives.c.sha256, archives.c.size_b).where(
    archives.c.created_ms < bindparam("before")
)
_ARCHIVE = select(archives.c.blob).where(
    archives.c.sha256 == bindparam("sha256"), archives.c.created_ms < bindparam("before")
)
_DROP_ARCHIVE = delete(archives).where(archives.c.sha256 == bindparam("b_sha256"))
_KEY: Final = ("entity", "project", "name")
_NEWEST = select(func.coalesce(func.max(items.c.seq), 0))
_SPECS = (
    select(items.c.seq, items.c.spec)
    .where(items.c.seq > bindparam("after"))
    .order_by(items.c.seq)
    .limit(_PAGE)
)
_AWAY = (agents.c.lease_until_ms.is_(None), agents.c.seen_ms < bindparam("b_before"))
_OLD_AGENTS = select(agents.c.n, agents.c.id).where(*_AWAY)
_NAMED = (
    select(items.c.agent_n).where(items.c.agent_n.is_not(None)).distinct(),
    select(items.c.holder_n).where(items.c.holder_n.is_not(None)).distinct(),
    select(attempts.c.agent_n).where(attempts.c.agent_n.is_not(None)).distinct(),
)
_DROP_AGENT = delete(agents).where(agents.c.id == bindparam("b_id"), *_AWAY).returning(agents.c.n)


class SqlSweep(Part):
    """The `Housekeeping` part of the store."""

    def old_items(self, before_ms: int, after: int, most: int) -> OldItems:
        with self._db.read():
            rows = self._db.rows(DONE_PAGE, after=after, most=most)
            found = [self._old(row) for row in rows if _ended(row, before_ms)]
        # Items are numbered as they come: what follows a young one is young as well.
        over = len(rows) < most or rows[-1]["enqueued_ms"] >= before_ms
        return OldItems(items=found, after=0 if over else rows[-1]["seq"])

    def _old(self, row: Row) -> OldItem:
        log_b = self._db.number(_LOG_B, seq=row["seq"])
        files = self._files(row["seq"])
        return OldItem(id=row["id"], size_b=log_b + sum(file["size_b"] for file in files))

    def drop_item(self, item: str, before_ms: int, most_b: int) -> Dropped:
        with self._db.write():
            row = self._db.one(_ITEM, id=item)
            if row is None or not _ended(row, before_ms):
                return Dropped()
            seq = row["seq"]
            self._db.run(_SOURCES, b_seq=seq)
            if not self._drop_chunks(seq, most_b):
                return Dropped(over=False)
            blobs = tuple(file["blob"] for file in self._files(seq))
            for owner in self._run_owners(seq):
                self._db.run(_DROP_RUN_FILES, b_owner=owner)
            for statement in _REST:
                self._db.run(statement, b_seq=seq)
            return Dropped(gone=True, blobs=blobs)

    def _files(self, seq: int) -> list[Row]:
        """Return the outputs of an item, and the files of its runs."""
        files = [*self._db.rows(_OUTPUTS, seq=seq)]
        for owner in self._run_owners(seq):
            files += self._db.rows(_RUN_FILES, owner=owner)
        return files

    def _run_owners(self, seq: int) -> list[str]:
        """Return whose files go with an item: those of its runs."""
        rows = self._db.rows(_RUN_OWNERS, seq=seq)
        return [RunKey(**{name: row[name] for name in _KEY}).owner for row in rows]

    def _drop_chunks(self, seq: int, most_b: int) -> bool:
        """Delete as much of a log as one transaction may; tell whether that was all."""
        left = most_b
        rows = self._db.rows(_CHUNKS, seq=seq)
        for row in rows:
            if left <= 0:
                return False
            where = {f"b_{name}": row[name] for name in ("attempt", "source", "start")}
            self._db.run(_DROP_CHUNK, b_seq=seq, **where)
            left -= row["size_b"]
        return not rows or not self._db.rows(_CHUNKS, seq=seq)

    def old_archives(self, before_ms: int) -> OldArchives:
        found = {
            row["sha256"]: row["size_b"] for row in self._db.rows(_OLD_ARCHIVES, before=before_ms)
        }
        seen = self._db.number(_NEWEST)
        if found:
            for name in self._named_archives(0):
                found.pop(name, None)
        return OldArchives(archives=found, seen=seen)

    def _named_archives(self, after: int) -> Iterator[str]:
        """Give what may be an archive's name in the launches behind number *after*."""
        while rows := self._db.rows(_SPECS, after=after):
            for row in rows:
                yield from _SHA256.findall(row["spec"])
            after = rows[-1]["seq"]

    def drop_archive(self, sha256: str, before_ms: int, seen: int) -> str:
        with self._db.write():
            row = self._db.one(_ARCHIVE, sha256=sha256, before=before_ms)
            if row is None or sha256 in self._named_archives(seen):
                return ""
            self._db.run(_DROP_ARCHIVE, b_sha256=sha256)
            return str(row["blob"])

    def old_agents(self, before_ms: int) -> Sequence[str]:
        with self._db.read():
            found = {r["n"]: r["id"] for r in self._db.rows(_OLD_AGENTS, b_before=before_ms)}
            for named in _NAMED if found else ():
                for row in self._db.rows(named):
                    found.pop(row[0], None)
        return list(found.values())

    def drop_agents(self, agents: Sequence[str], before_ms: int) -> int:
        """Forget agents without the database's own look through all items for their numbers.

        None has an index on them, so each look would take the longer, the more items there are.
        `old_agents` has looked; and whoever was away so long must say hello before it gets one.
        """
        with self._db.unchecked(), self._db.write():
            return sum(
                len(self._db.rows(_DROP_AGENT, b_id=one, b_before=before_ms)) for one in agents
            )


def _ended(row: Row, before_ms: int) -> bool:
    """Tell whether an item is done, and for how long."""
    if row["state"] != ItemState.DONE:
        return False
    times: dict[str, int] = json.loads(row["times"])
    return max(times.values(), default=before_ms) < before_ms
