"""Several stores on one file, in threads and in processes that are killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

from launchyard.adapters.sql.settings import StoreSettings
from launchyard.adapters.sql.store import SqlStore, open_store
from launchyard.domain.item import ItemState
from launchyard.plugins.testkit.store_world import MovableClock, World
from launchyard.ports.records import ItemFilter, QueueChange

CLAIMERS = 16
LIMIT = 3

WRITER = """
import sys
from launchyard.adapters.sql.store import open_store
from launchyard.plugins.testkit.store_world import MovableClock, World

store = open_store(sys.argv[1], MovableClock())
world = World(store, MovableClock(), 45, 600).prepare()
while True:
    item = world.put()
    print(item.id, flush=True)
"""

TORN = """
import os, signal, sys
from launchyard.adapters.sql.store import open_store
from launchyard.plugins.testkit.store_world import MovableClock, World

store = open_store(sys.argv[1], MovableClock())
world = World(store, MovableClock(), 45, 600).prepare()
world.put()
with store._db.write():
    store._db._cursor.execute("DELETE FROM item_secrets")
    store._db._cursor.execute("DELETE FROM items")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'server.db'}"


def _open(folder: Path) -> SqlStore:
    return open_store(_url(folder), MovableClock(), StoreSettings(busy_s=120.0))


def test_sixteen_claimers_and_a_limit_of_three(tmp_path: Path) -> None:
    """Each with its own store on the one file; together they never hold a fourth."""
    store = _open(tmp_path)
    world = World(store, MovableClock(), 45, 600).prepare()
    store.change_queue("team", "q", QueueChange(limit=LIMIT))
    for _ in range(CLAIMERS * 2):
        world.put()
    together, claimed = threading.Barrier(CLAIMERS), list[str]()

    def claim(number: int) -> None:
        mine = _open(tmp_path)
        try:
            worker = World(mine, MovableClock(), 45, 600).worker(f"host:{number}")
            together.wait(120)
            claimed.extend(grant.item for grant in worker.claim(2).items)
        finally:
            mine.close()

    threads = [threading.Thread(target=claim, args=(n,)) for n in range(CLAIMERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(claimed) == len(set(claimed)) == LIMIT
    assert store.counts("team", "q").active == LIMIT
    store.close()


def test_a_kill_loses_nothing_that_was_told(tmp_path: Path) -> None:
    """Every item whose number the process printed is there after `kill -9`."""
    command = [sys.executable, "-c", WRITER, _url(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [process.stdout.readline().strip() for _ in range(50)]
        process.send_signal(signal.SIGKILL)
        told += [line.strip() for line in process.stdout if line.endswith("\n")]
    store = _open(tmp_path)
    found = {item.id for item in store.items(ItemFilter(most=100_000))}
    assert set(told) <= found
    assert len(found) <= len(told) + 1
    store.close()


def test_a_kill_in_a_transaction_undoes_it(tmp_path: Path) -> None:
    """What was not committed never was."""
    command = [sys.executable, "-c", TORN, _url(tmp_path)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    store = _open(tmp_path)
    [item] = store.items(ItemFilter())
    assert item.state is ItemState.QUEUED
    assert World(store, MovableClock(), 45, 600).worker().one().secrets == {"TOKEN": "s3cret"}
    store.close()


def test_a_store_notices_what_another_did_to_its_agents(tmp_path: Path) -> None:
    """Leases that are remembered in one process are read again when another changed them."""
    first, second = _open(tmp_path), _open(tmp_path)
    world = World(first, MovableClock(), 45, 600).prepare()
    world.put()
    world.put()
    worker = world.worker()
    grant = worker.one()
    assert worker.beat(grant).stale == ()
    worker.store = second
    other = worker.one()
    second.cancel(other.item, "bob")
    worker.store = first
    answer = worker.beat(grant, other)
    assert (answer.stale, answer.unlisted) == ((), ())
    assert [command.item for command in answer.commands] == [other.item]
    first.close()
    second.close()
