"""Logs, outputs and archives: cursors and names here, a log's bytes too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, delete, func, select, update

from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.fates import CURSORS
from launchyard.adapters.sql.file_tables import archives, log_chunks, log_sources, outputs
from launchyard.adapters.sql.part import Part
from launchyard.domain.attempt_token import OWN_SOURCE
from launchyard.ports.records import FileRecord, LogChunk, StoreError, Trouble

_HERE = (
    log_sources.c.item_seq == bindparam("seq"),
    log_sources.c.attempt == bindparam("attempt"),
    log_sources.c.source == bindparam("source"),
)
_SOURCE = select(log_sources).where(*_HERE)
_USED = select(func.coalesce(func.sum(log_sources.c.cursor), 0)).where(*_HERE[:2])
_MOVE = update(log_sources).where(
    log_sources.c.item_seq == bindparam("b_seq"),
    log_sources.c.attempt == bindparam("b_attempt"),
    log_sources.c.source == bindparam("b_source"),
)
_CHUNKS = (
    select(log_chunks.c.start, log_chunks.c.data)
    .where(
        log_chunks.c.item_seq == bindparam("seq"),
        log_chunks.c.attempt == bindparam("attempt"),
        log_chunks.c.source == bindparam("source"),
        log_chunks.c.start < bindparam("end"),
    )
    .order_by(log_chunks.c.start)
)
_FIRST = (
    select(log_chunks.c.start)
    .where(
        log_chunks.c.item_seq == bindparam("seq"),
        log_chunks.c.attempt == bindparam("attempt"),
        log_chunks.c.source == bindparam("source"),
        log_chunks.c.start <= bindparam("start"),
    )
    .order_by(log_chunks.c.start.desc())
    .limit(1)
)
CHUNKS = _CHUNKS.where(log_chunks.c.start >= bindparam("start"))
_DROP_OUTPUT = (
    delete(outputs)
    .where(
        outputs.c.item_seq == bindparam("b_seq"),
        outputs.c.attempt == bindparam("b_attempt"),
        outputs.c.path == bindparam("b_path"),
    )
    .returning(outputs.c.blob)
)
_OUTPUTS = (
    select(outputs)
    .where(outputs.c.item_seq == bindparam("seq"), outputs.c.attempt == bindparam("attempt"))
    .order_by(outputs.c.path)
)
_OTHER_OUTPUTS = select(func.count()).where(
    outputs.c.item_seq == bindparam("seq"),
    outputs.c.attempt == bindparam("attempt"),
    outputs.c.path != bindparam("path"),
)
_OWN_SOURCES = select(func.count()).where(
    log_sources.c.item_seq == bindparam("seq"),
    log_sources.c.attempt == bindparam("attempt"),
    log_sources.c.source.startswith(OWN_SOURCE, autoescape=True),
)
_DROP_ARCHIVE = delete(archives).where(archives.c.sha256 == bindparam("b_sha256"))
_ARCHIVE = select(archives).where(archives.c.sha256 == bindparam("sha256"))


class SqlFiles(Part):
    """The `Files` part of the store."""

    def append_log(self, item: str, attempt: int, source: str, start: int, data: bytes) -> int:
        with self._db.write():
            seq = self._seq(item, attempt)
            where = {"seq": seq, "attempt": attempt, "source": source}
            known = self._db.one(_SOURCE, **where)
            if known is None:
                self._check_source(seq, attempt, source)
            cursor = known["cursor"] if known else 0
            full = bool(known and known["truncated"])
            if not full:
                if start != cursor:
                    raise StoreError(
                        f"the log continues at {cursor}, not at {start}",
                        Trouble.CURSOR,
                        cursor=cursor,
                    )
                used = self._db.number(_USED, seq=seq, attempt=attempt)
                room = max(0, self._settings.log_quota_b - used)
                full = len(data) > room
                kept = data[:room] + self._mark() if full else data
                cursor = self._append(where, known, kept, full=full)
        if full:
            raise StoreError(
                f"the log of attempt {attempt} is full at {self._settings.log_quota_b} bytes",
                Trouble.PAST_QUOTA,
                cursor=cursor,
            )
        return int(cursor)

    def _check_source(self, seq: int, attempt: int, source: str) -> None:
        """Refuse a job one log of its own too many; its agent has one of each container."""
        most = self._settings.own_sources
        if not source.startswith(OWN_SOURCE):
            return
        if self._db.number(_OWN_SOURCES, seq=seq, attempt=attempt) >= most:
            detail = f"attempt {attempt} has {most} logs of its own already, and may have no more"
            raise StoreError(detail, Trouble.PAST_QUOTA)

    def _mark(self) -> bytes:
        """Return what a reader sees where the log was cut."""
        quota = self._settings.log_quota_b
        mark = f"[launchyard: this log is cut here: its quota of {quota} bytes is used up]"
        return f"\n{mark}\n".encode()

    def _append(
        self, where: Mapping[str, object], known: Row | None, data: bytes, *, full: bool
    ) -> int:
        """Write bytes and cursor; return the new cursor."""
        start = known["cursor"] if known else 0
        seq, attempt, source = where["seq"], where["attempt"], where["source"]
        to = int(start) + len(data)
        key = {"item_seq": seq, "attempt": attempt, "source": source}
        if known is None:
            self._db.run(log_sources.insert(), **key, cursor=to, truncated=int(full))
        else:
            names = {"b_seq": seq, "b_attempt": attempt, "b_source": source}
            self._db.run(_MOVE, **names, cursor=to, truncated=int(full))
        if data:
            self._db.run(_ADD_CHUNK, **key, start=start, data=data)
        return to

    def read_log(self, item: str, attempt: int, source: str, start: int, most_b: int) -> LogChunk:
        with self._db.read():
            where = {"seq": self._seq(item, attempt), "attempt": attempt, "source": source}
            known = self._db.one(_SOURCE, **where)
            if known is None or start >= known["cursor"]:
                return LogChunk(source=source, start=start, to=start, data=b"")
            first = self._db.rows(_FIRST, start=start, **where)[0]["start"]
            rows = self._db.rows(CHUNKS, start=first, end=start + most_b, **where)
        whole = b"".join(row["data"] for row in rows)
        data = whole[start - first : start - first + most_b]
        to = start + len(data)
        cut = bool(known["truncated"]) and to == known["cursor"]
        return LogChunk(source=source, start=start, to=to, data=data, truncated=cut)

    def log_cursors(self, item: str, attempt: int) -> Mapping[str, int]:
        with self._db.read():
            rows = self._db.rows(CURSORS, seq=self._seq(item, attempt), attempt=attempt)
        return {row["source"]: row["cursor"] for row in rows}

    def put_output(self, item: str, attempt: int, file: FileRecord) -> str:
        with self._db.write():
            seq = self._check_output(item, attempt, file.path)
            before = self._db.one(_DROP_OUTPUT, b_seq=seq, b_attempt=attempt, b_path=file.path)
            self._db.run(
                _ADD_OUTPUT,
                item_seq=seq,
                attempt=attempt,
                path=file.path,
                size_b=file.size_b,
                sha256=file.sha256,
                blob=file.blob,
                created_ms=file.created_ms or self._clock.now_ms(),
            )
        return str(before["blob"]) if before else ""

    def expect_output(self, item: str, attempt: int, path: str) -> None:
        with self._db.read():
            self._check_output(item, attempt, path)

    def _check_output(self, item: str, attempt: int, path: str) -> int:
        """Return the item's number, or refuse an output of no attempt, or one too many."""
        seq, most = self._seq(item, attempt), self._settings.outputs
        if self._db.number(_OTHER_OUTPUTS, seq=seq, attempt=attempt, path=path) >= most:
            detail = f"attempt {attempt} has {most} outputs already, and may have no more"
            raise StoreError(detail, Trouble.PAST_QUOTA)
        return seq

    def outputs(self, item: str, attempt: int) -> Sequence[FileRecord]:
        with self._db.read():
            rows = self._db.rows(_OUTPUTS, seq=self._seq(item, attempt), attempt=attempt)
        return [_file(row) for row in rows]

    def put_archive(self, file: FileRecord) -> None:
        with self._db.write():
            self._db.run(_DROP_ARCHIVE, b_sha256=file.sha256)
            self._db.run(
                _ADD_ARCHIVE,
                sha256=file.sha256,
                path=file.path,
                size_b=file.size_b,
                blob=file.blob,
                created_ms=file.created_ms or self._clock.now_ms(),
            )

    def archive(self, sha256: str) -> FileRecord | None:
        with self._db.read():
            row = self._db.one(_ARCHIVE, sha256=sha256)
        return _file(row) if row else None


_ADD_CHUNK = log_chunks.insert()
_ADD_OUTPUT = outputs.insert()
_ADD_ARCHIVE = archives.insert()


def _file(row: Row) -> FileRecord:
    return FileRecord(
        path=row["path"],
        size_b=row["size_b"],
        sha256=row["sha256"],
        blob=row["blob"],
        created_ms=row["created_ms"],
    )
