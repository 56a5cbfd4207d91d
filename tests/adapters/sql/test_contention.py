"""A queue's limit under contention, by processes as they run in production."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from launchyard.adapters.sql.store import open_store
from launchyard.plugins.testkit.store_world import MovableClock, World
from launchyard.ports.records import QueueChange

CLAIMERS = 16
LIMIT = 3
CLAIMS = 10_000

CLAIMER = """
import os, sys
from launchyard.adapters.sql.settings import StoreSettings
from launchyard.adapters.sql.store import open_store
from launchyard.plugins.testkit.store_world import MovableClock, World, ref
from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import Release

def work(number, most):
    store = open_store(sys.argv[1], MovableClock(), StoreSettings(busy_s=60.0))
    store._db._cursor.execute("PRAGMA synchronous = OFF")
    worker = World(store, MovableClock(), 45, 600).worker(f"host:{number}")
    made = 0
    while made < most:
        grants = worker.claim(min(2, most - made)).items
        if not grants:
            os.sched_yield()
            continue
        made += len(grants)
        back = [Release(lease=ref(grant), state=AttemptState.CLAIMED) for grant in grants]
        store.release(worker.caller, back)
    store.close()

children = []
for number in range(int(sys.argv[2])):
    pid = os.fork()
    if pid == 0:
        work(number, int(sys.argv[3]))
        os._exit(0)
    children.append(pid)
sys.exit(any(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children))
"""

WATCH = """
CREATE TRIGGER watch AFTER UPDATE OF state ON items WHEN NEW.state = 'claimed'
BEGIN
    INSERT INTO seen
    SELECT count(*) FROM items WHERE state IN ('claimed', 'launching', 'launched');
END
"""


@pytest.mark.timeout(900)
def test_a_limit_holds_in_ten_thousand_claims(tmp_path: Path) -> None:
    """Sixteen processes on one file; the database itself counts at every single claim."""
    url = f"sqlite:///{tmp_path / 'server.db'}"
    store = open_store(url, MovableClock())
    world = World(store, MovableClock(), 45, 600).prepare()
    store.change_queue("team", "q", QueueChange(limit=LIMIT))
    for _ in range(CLAIMERS):
        world.put()
    store._db._cursor.execute("CREATE TABLE seen (active INTEGER)")
    store._db._cursor.execute(WATCH)
    command = [sys.executable, "-c", CLAIMER, url, str(CLAIMERS), str(CLAIMS // CLAIMERS)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=800)
    assert done.returncode == 0, done.stderr
    rows = store._db._cursor.execute("SELECT count(*), max(active) FROM seen").fetchall()
    assert tuple(rows[0]) == (CLAIMS, LIMIT)
    assert store.counts("team", "q").waiting == CLAIMERS
    store.close()
