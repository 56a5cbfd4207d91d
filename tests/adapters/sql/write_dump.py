"""Write a dump of a small server's database at the newest schema: `python -m tests...write_dump`.

Do so once, when a release brings a new schema; the dumps of released schemas are never changed.
"""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from pathlib import Path
from typing import Final

from launchyard.adapters.sql.schema import HEAD
from launchyard.adapters.sql.store import open_store
from launchyard.plugins.testkit.store_world import MovableClock, World, succeeded
from launchyard.ports.records import FileRecord

DUMPS: Final = Path(__file__).parents[2] / "fixtures" / "schema"
STATES: Final = ("done", "launched", "claimed", "queued")
"""What the items of a dump are, in the order of their ids."""


def fill(path: Path) -> None:
    """Make a database with an item in each state, a log, an output and an archive."""
    store = open_store(f"sqlite:///{path}", MovableClock())
    with contextlib.closing(store):
        world = World(store, MovableClock(), 45, 600).prepare()
        for _ in STATES:
            world.put()
        worker = world.worker()
        done, launched = worker.run(worker.one()), worker.one()
        worker.tell(done, succeeded())
        worker.run(launched, "ly-y-a1")
        worker.one()
        store.append_log(done.item, 1, "main", 0, b"hello\n")
        store.put_output(done.item, 1, FileRecord(path="m", size_b=1, sha256="s", blob="outputs/m"))
        store.put_archive(FileRecord(path="a", size_b=1, sha256="a" * 64, blob="archives/a"))


def main() -> None:
    """Write it, unless that schema has one."""
    to = DUMPS / f"{HEAD}.sql"
    if to.exists():
        raise SystemExit(f"{to.name} is there already, and a released schema never changes")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "server.db")
        fill(path)
        with contextlib.closing(sqlite3.connect(path)) as db:
            to.write_text("\n".join(db.iterdump()) + "\n")


if __name__ == "__main__":
    main()
