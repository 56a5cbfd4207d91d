"""What the adapter itself must not forget: which items are ours, and under which runs.

A W&B server keeps no leases, so this file is where they are. It is a file of lines, each a change,
written before the change counts; a line that was cut off by a crash is one that never counted.
"""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from launchyard.domain.documents import Json
from launchyard.domain.exchange import Place
from launchyard.domain.lease import Token
from launchyard.domain.wire import WireError, from_json, to_json
from launchyard.ports.launch_server import ServerError

FILE: Final = "items.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An item that is ours.

    `mine` says that the run's id was made here. `own_key` says that it came with a key of its
    submitter's, which is kept in memory alone. `acked` counts for ever; before it the server gives
    the item away a minute after `popped_ms`. What is `shelved` waits here for a slot. A run of ours
    is `finishing` from when we make it known, as its job did without.
    """

    item: str
    queue: str
    entity: str
    project: str
    run_id: str
    resource: str
    spec: Mapping[str, Json]
    config: Json
    popped_ms: int
    mine: bool = True
    own_key: bool = False
    scheduler: bool = False
    sweep: str = ""
    author: str = ""
    resumes: int = 0
    counter: int = 1
    acked: bool = False
    tried: bool = False
    shelved: bool = False
    place: Place | None = None
    requeued: bool = False
    finishing: bool = False

    @property
    def token(self) -> Token:
        """What a lease of it shows; it only grows when the item is given to the agent anew."""
        return Token(0, self.counter)


@dataclass(slots=True)
class _Contents:
    meta: dict[str, str] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)


class Book:
    """The file `items.jsonl` of *folder*; thread-safe, and written by one process."""

    def __init__(self, folder: str) -> None:
        self._path = Path(folder, FILE)
        self._lock = threading.RLock()
        self._now = _read(self._path)
        self._file = self._begun()

    def meta(self, name: str) -> str:
        """Return a small value, or ""."""
        return self._now.meta.get(name, "")

    def set_meta(self, **values: str) -> None:
        """Keep small values."""
        with self._lock:
            self._write({"meta": dict(values)})
            self._now.meta |= values

    def get(self, item: str) -> Held | None:
        """Return an item, if it is ours."""
        return self._now.held.get(item)

    def all(self) -> tuple[Held, ...]:
        """Return every item of ours."""
        with self._lock:
            return tuple(self._now.held.values())

    def put(self, *items: Held) -> None:
        """Keep items as they are now.

        Raises:
            ServerError: the file cannot be written, so nothing of it counts.
        """
        with self._lock:
            self._write(*({"held": to_json(item)} for item in items))
            self._now.held |= {item.item: item for item in items}

    def change(self, item: str, **values: Any) -> Held | None:
        """Change some of an item's values; None when it is not ours."""
        with self._lock:
            known = self.get(item)
            if known is None:
                return None
            changed = replace(known, **values)
            if changed != known:
                self.put(changed)
            return changed

    def drop(self, *items: str) -> None:
        """Forget items."""
        with self._lock:
            gone = [item for item in items if item in self._now.held]
            self._write(*({"gone": item} for item in gone))
            for item in gone:
                del self._now.held[item]

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._file.close()

    def _begun(self) -> Any:
        """Write the contents anew, without what has gone, and go on from there."""
        fresh = self._path.with_suffix(".new")
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        file = os.fdopen(descriptor, "wb", buffering=0)
        lines: list[Mapping[str, Any]] = [{"meta": self._now.meta}]
        lines += [{"held": to_json(held)} for held in self.all()]
        try:
            _append(file, b"".join(map(_line, lines)))
            os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError:
            file.close()
            raise
        return file

    def _write(self, *lines: Mapping[str, Any]) -> None:
        if not lines:
            return
        try:
            _append(self._file, b"".join(map(_line, lines)))
        except (OSError, ValueError) as e:
            words = e.strerror if isinstance(e, OSError) else "it is closed"
            raise ServerError(
                f"{self._path} cannot be written: {words}",
                retry=True,
                remedy="make room on the disk of the agent's state folder",
            ) from None


def _append(file: Any, data: bytes) -> None:
    """Write all of *data* or nothing; the next line would be glued to a part of it."""
    before = file.tell()
    written = file.write(data)
    if written != len(data):
        file.truncate(before)
        file.seek(before)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _line(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def _read(path: Path) -> _Contents:
    contents = _Contents()
    for document in _documents(path):
        if isinstance(gone := document.get("gone"), str):
            contents.held.pop(gone, None)
        if isinstance(meta := document.get("meta"), dict):
            contents.meta |= {str(key): str(value) for key, value in meta.items()}
        if "held" in document:
            held = _held(document["held"])
            if held is not None:
                contents.held[held.item] = held
    return contents


def _held(document: object) -> Held | None:
    try:
        return from_json(Held, document)
    except WireError:
        return None


def _documents(path: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    for line in lines:
        try:
            document = json.loads(line)
        except ValueError:
            continue
        if isinstance(document, dict):
            yield document
