"""`server backup` and `server restore` with real servers, and `gc`, from the command line."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sqlite3
import tarfile
import time
from pathlib import Path

import pytest

from launchyard.adapters.sql.store import open_store
from launchyard.adapters.system.clock import SystemClock
from launchyard.bootstrap.backup import back_up, restore
from launchyard.ports.programs import ProgramError
from tests.adapters.cli.kit import Home
from tests.adapters.http.agents import FakeAgent, lease
from tests.servers import RunningServer, running_server

DAY_S = 86400


def _home(folder: Path, server: RunningServer | None = None) -> Home:
    folder.mkdir(parents=True, exist_ok=True)
    return Home(folder, server)


def _archive(folder: Path, server: RunningServer) -> str:
    """Upload a code archive; return its name."""
    path = folder / "code.tar.gz"
    (folder / "train.py").write_text("print(1)\n")
    with tarfile.open(path, "w:gz") as tar:
        tar.add(folder / "train.py", "train.py")
    data = path.read_bytes()
    name = hashlib.sha256(data).hexdigest()
    assert server.ask("PUT", f"/archives/{name}", data=data).status_code == 201
    return name


def _make_run(server: RunningServer) -> None:
    """Make a run with a file, as a stock client does."""
    begin = """mutation { upsertBucket(input: {entityName: "team", modelName: "p", name: "r"}) {
      inserted } createRunFiles(input: {entityName: "team", projectName: "p", runName: "r",
      files: ["a"]}) { files { uploadUrl } } }"""
    made = server.ask("POST", "graphql", json={"query": begin}).json()["data"]
    url = made["createRunFiles"]["files"][0]["uploadUrl"]
    assert server.session.put(url, data=b"of the run", timeout=120).ok


def _file_of_run(server: RunningServer) -> bytes:
    text = """{ project(name: "p", entityName: "team") { run(name: "r") { files { edges { node {
      directUrl } } } } } }"""
    run = server.ask("POST", "graphql", json={"query": text}).json()["data"]["project"]["run"]
    [edge] = run["files"]["edges"]
    return server.session.get(edge["node"]["directUrl"], timeout=120).content


def _reclaim(agent: FakeAgent, grant: dict[str, str]) -> str:
    body = {"caller": agent.caller, **lease(grant), "place": agent.place(grant["item"], "1")}
    return str(agent.ask("reclaim", body).json()["verdict"])


def _is_private(backup: Path) -> None:
    assert backup.stat().st_mode & 0o777 == 0o600
    with tarfile.open(backup) as tar:
        assert not any("secrets.keys" in name for name in tar.getnames())


def _restored(home: Home, backup: Path, state: Path) -> None:
    """Restore beside the old server, and bring the keys, which are kept apart."""
    old, new = state.parents[1] / "old", state.parent
    restored = home.run("server", "restore", str(backup), "--state-dir", str(state))
    assert restored.code == 0, restored.err
    shutil.copy(old / "state" / "secrets.keys", state)
    shutil.copy(old / "admin.key", new)


def _cannot_go_elsewhere(home: Home, backup: Path, state: Path) -> None:
    """The next start would serve another database beside the restored files, without a word."""
    words = ("server", "restore", str(backup), "--state-dir", str(state))
    urls = (f"sqlite:///{state.parents[1] / 'old.db'}", "postgresql://u:passw0rd@127.0.0.1/yard")
    for url in urls:
        refused = home.run(*words, env={"LAUNCHYARD_SERVER_DATABASE": url})
        assert (refused.code, state.exists()) == (3, False)
        assert "LAUNCHYARD_SERVER_DATABASE" in refused.err
        assert "passw0rd" not in refused.err


def _cannot_go_over(home: Home, backup: Path, state: Path) -> None:
    full = home.run("server", "restore", str(backup), "--state-dir", str(state))
    assert full.code == 6
    assert "not empty" in full.err


def test_a_backup_of_a_working_server_comes_back(tmp_path: Path) -> None:
    """Jobs run while it is made; what began after it is settled with the agent that has it.

    The archive is its owner's alone and has no keys in it.
    """
    backup = tmp_path / "yard.backup"
    with running_server(tmp_path / "old") as server:
        server.make_queue()
        home = _home(tmp_path / "home", server)
        code = _archive(tmp_path, server)
        _make_run(server)
        assert home.run("secret", "set", "hf", stdin="s3cret-canary").code == 0
        items = [server.submit("true") for _ in range(3)]
        old = FakeAgent.start(server, "a", ("main",))
        [before] = old.claim()["items"]
        assert old.launch(before)["verdict"] == "taken"
        old.report(before, 1, state="running", place=old.place(before["item"], "1"))
        path = f"/items/{before['item']}/attempts/1"
        assert server.ask("PUT", f"{path}/outputs/m.txt", data=b"model").status_code == 201
        done = home.run("server", "backup", str(backup), "--state-dir", str(server.state))
        assert done.code == 0, done.err
        assert "secrets.keys" in done.err
        [after] = old.claim()["items"]
        assert old.launch(after)["verdict"] == "taken"
        server.kill()
    _is_private(backup)
    state = tmp_path / "new" / "state"
    _cannot_go_elsewhere(home, backup, state)
    _restored(home, backup, state)
    with running_server(tmp_path / "new") as server:
        old.server = home.server = server
        other = FakeAgent.start(server, "b", ("main",))
        assert other.claim(4)["items"] == []
        beat = {"caller": old.caller, "leases": [lease(before), lease(after)]}
        answer = old.ask("heartbeat", beat).json()
        assert {ref["item"] for ref in answer["stale"]} == {before["item"], after["item"]}
        assert [_reclaim(old, grant) for grant in (before, after)] == ["granted", "granted"]
        assert other.claim(4)["items"] == []
        shown = {one["id"]: one["state"] for one in server.call("GET", "/items")["items"]}
        assert shown == {items[0]: "launched", items[1]: "launched", items[2]: "queued"}
        assert server.ask("GET", f"/archives/{code}").status_code == 200
        output = server.ask("GET", f"/items/{before['item']}/outputs/m.txt").content
        assert (output, _file_of_run(server)) == (b"model", b"of the run")
        assert "hf" in home.run("secret", "list").out
        _cannot_go_over(home, backup, state)


@pytest.mark.parametrize("harm", ["cut", "changed", "other", "newer"])
def test_a_backup_that_cannot_be_trusted_is_refused(tmp_path: Path, harm: str) -> None:
    """Nothing is left of the attempt, and the words say what is wrong."""
    state, backup = tmp_path / "state", tmp_path / "b"
    state.mkdir()
    with contextlib.closing(_fresh(state / "launchyard.db")) as db:
        if harm == "newer":
            db.execute("UPDATE alembic_version SET version_num = '9999'")
            db.commit()
    assert back_up(str(backup), str(state), "").items == 0
    data = backup.read_bytes()
    if harm == "cut":
        backup.write_bytes(data[: len(data) * 2 // 3])
    elif harm == "changed":
        middle = len(data) // 2
        backup.write_bytes(data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :])
    elif harm == "other":
        backup.write_text("my holiday pictures")
    new = tmp_path / "new"
    with pytest.raises(ProgramError, match="was not restored") as refused:
        restore(str(backup), str(new), f"sqlite:///{new / 'launchyard.db'}")
    assert ("does not know" if harm == "newer" else "damaged") in refused.value.where
    assert not new.exists()
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".")]


def _fresh(path: Path) -> sqlite3.Connection:
    """Make a database as a server does."""
    open_store(f"sqlite:///{path}", SystemClock()).close()
    return sqlite3.connect(path)


_KEPT = {
    "runs": """INSERT INTO runs (entity_n, project, name, state, created_ms, heard_ms)
      SELECT min(n), 'p', 'r', 'running', :old, :old FROM entities""",
    "artifacts": """INSERT INTO artifacts (id, entity_n, project, kind, collection, state, digest,
      created_ms) SELECT 'a', min(n), 'p', 'model', 'c', 'PENDING', 'd', :old FROM entities""",
}


def test_gc_tells_first_and_takes_then(tmp_path: Path) -> None:
    """On the server and in the agent's folder; what is used, waiting or fresh stays."""
    with running_server(tmp_path / "server") as server:
        server.make_queue()
        code, item = _archive(tmp_path, server), server.submit("true")
        server.call("POST", f"/items/{item}/cancel", json={})
        waiting = server.submit("true")
        old_ms = round((time.time() - 100 * DAY_S) * 1000)
        with contextlib.closing(sqlite3.connect(server.state / "launchyard.db")) as db:
            db.execute("UPDATE archives SET created_ms = ?", [old_ms])
            for name in ("runs", "artifacts"):
                db.execute(_KEPT[name], {"old": old_ms})
            db.execute("UPDATE items SET enqueued_ms = ?", [old_ms])
            db.execute("UPDATE items SET times = ? WHERE id = ?", [f'{{"done": {old_ms}}}', item])
            db.commit()
        home = _home(tmp_path / "home", server)
        agent = tmp_path / "agent"
        venv = agent / "build" / "venv" / "venvs" / "key"
        venv.mkdir(parents=True)
        (venv / "big").write_bytes(b"x" * 10_000)
        (venv / "launchyard-complete").touch()
        os.utime(venv / "launchyard-complete", (0, 0))
        words = ("gc", "--state-dir", str(agent), "--json")
        would, went, again = (
            {one["kind"]: one["count"] for one in home.run(*words, *more).json["gone"]}
            for more in (["--dry-run"], [], [])
        )
        kept = {"runs": 1, "artifacts": 1}
        others = {"archives": 1, "agents": 0, "venvs": 1, "journals": 0}
        assert would == went == {"items": 1} | kept | others
        assert set(again.values()) == {0}
        assert server.ask("GET", f"/items/{item}").status_code == 404
        assert server.ask("GET", f"/items/{waiting}").status_code == 200
        assert server.ask("HEAD", f"/archives/{code}").status_code == 404
        assert not venv.exists()
