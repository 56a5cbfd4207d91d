"""Named secrets over REST: written, never read; told to the holder of a lease alone."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.http.agents import FakeAgent
from tests.servers import LIMIT_S, RunningServer, running_server, start_program

VALUE = "correct-horse \N{SNOWMAN}"
PATH = "/entities/team/secrets"


def spec(**names: str) -> dict[str, Any]:
    """Return a launch that asks for secrets."""
    asked = [{"env": env, "from": f"secret:{name}"} for env, name in names.items()]
    return {"project": "p", "overrides": {"entry_point": ["true"]}, "secrets": asked}


def put(server: RunningServer, name: str, value: str = VALUE) -> Any:
    """Set a secret."""
    return server.call("PUT", f"{PATH}/{name}", json={"value": value})


def submit(server: RunningServer, queue: str, **names: str) -> Any:
    """Put a launch that asks for secrets on a queue."""
    path = f"/entities/team/queues/{queue}/items"
    return server.ask("POST", path, json={"spec": spec(**names)})


def test_a_value_goes_in_and_does_not_come_out(
    server: RunningServer, queue: str, make_agent: Callable[..., FakeAgent]
) -> None:
    """No answer but the lease has it, and no file of the server."""
    told = [put(server, "hf"), server.call("GET", PATH), submit(server, queue, HF="hf").json()]
    assert "hf" in [one["name"] for one in told[1]["secrets"]]
    assert told[0]["set_by"] == "admin"
    assert "correct-horse" not in repr(told)
    grant = make_agent(queue).claim()["items"][0]
    assert grant["secrets"]["HF"] == VALUE
    assert "correct-horse" not in server.ask("GET", f"/items/{grant['item']}").text
    files = [path for path in server.state.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"launchyard.db", "secrets.keys"}
    assert not [path for path in files if b"correct-horse" in path.read_bytes()]


def test_a_launch_asks_for_what_is_there(server: RunningServer, queue: str) -> None:
    """A name that the entity has not got is refused, with the one that was meant."""
    put(server, "wandb-key")
    answer = submit(server, queue, A="wandb_key")
    assert answer.status_code == 422
    [problem] = answer.json()["problems"]
    assert (problem["path"], problem["hint"]) == ("secrets[0]", "did you mean `wandb-key`?")
    both = spec(WANDB_API_KEY="wandb-key") | {"_wandb_api_key": "k" * 40}
    path = f"/entities/team/queues/{queue}/plan"
    assert server.ask("POST", path, json={"spec": both}).status_code == 422


def test_another_entity_s_secret_is_nobody_else_s(server: RunningServer, queue: str) -> None:
    """Names are an entity's own."""
    server.ask("POST", "/entities", json={"name": "afar", "kind": "team"})
    server.call("PUT", "/entities/afar/secrets/theirs", json={"value": VALUE})
    assert submit(server, queue, A="theirs").status_code == 422


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("hf", {}),
        ("hf", {"value": ""}),
        ("hf", {"value": 7}),
        ("hf", {"value": "correct-horse\0"}),
        ("hf", {"value": "correct-horse" * 10_000}),
        ("h f", {"value": "correct-horse"}),
        ("x" * 200, {"value": "correct-horse"}),
    ],
)
def test_what_cannot_be_a_secret_is_refused(server: RunningServer, name: str, body: Any) -> None:
    """In words that have no word of it."""
    answer = server.ask("PUT", f"{PATH}/{name}", json=body)
    assert answer.status_code == 422
    assert "correct-horse" not in answer.text


def test_a_removed_secret_is_missing_at_the_claim(
    server: RunningServer, queue: str, make_agent: Callable[..., FakeAgent]
) -> None:
    """And a changed one is the new one: the claim decides."""
    for name in ("kept", "gone"):
        put(server, name, "old")
    submit(server, queue, KEPT="kept", GONE="gone")
    put(server, "kept", "new")
    assert server.ask("DELETE", f"{PATH}/gone").status_code == 204
    assert server.ask("DELETE", f"{PATH}/gone").status_code == 404
    found = make_agent(queue).claim()["items"][0]["secrets"]
    assert (found["KEPT"], "GONE" in found) == ("new", False)


def test_a_new_key_takes_over(tmp_path: Path) -> None:
    """Put before the old one it seals everything anew at the start, and the old one may go."""
    keys = tmp_path / "state" / "secrets.keys"
    with running_server(tmp_path) as server:
        server.make_queue()
        put(server, "hf")
        submit(server, "main", HF="hf")
    old = keys.read_text()
    keys.write_text(f"{'ab' * 32}\n{old}")
    with running_server(tmp_path):
        pass
    keys.write_text(f"{'ab' * 32}\n")
    with running_server(tmp_path) as server:
        grant = FakeAgent.start(server, "a", ("main",)).claim()["items"][0]
        assert grant["secrets"]["HF"] == VALUE


def test_a_lost_key_is_told_and_stops_nothing_else(tmp_path: Path) -> None:
    """The log names the secret; its item goes without, and the agent will say so."""
    with running_server(tmp_path) as server:
        server.make_queue()
        put(server, "hf")
        submit(server, "main", HF="hf")
    (tmp_path / "state" / "secrets.keys").unlink()
    with running_server(tmp_path) as server:
        assert "secret hf of team is lost" in server.said()
        grant = FakeAgent.start(server, "a", ("main",)).claim()["items"][0]
        assert "HF" not in grant["secrets"]
        put(server, "hf", "again")
        submit(server, "main", HF="hf")
        assert "again" not in server.said()


def test_a_sealed_value_opens_nowhere_else(tmp_path: Path) -> None:
    """Whoever may write to the database cannot move a secret to a name or entity of their own."""
    with running_server(tmp_path) as server:
        server.make_queue()
        put(server, "hf")
        put(server, "mine", "x")
    database = tmp_path / "state" / "launchyard.db"
    with sqlite3.connect(database) as connection:
        [(sealed,)] = connection.execute("SELECT sealed FROM named_secrets WHERE name = 'hf'")
        connection.execute("UPDATE named_secrets SET sealed = ? WHERE name = 'mine'", (sealed,))
    connection.close()
    with running_server(tmp_path) as server:
        submit(server, "main", HF="mine")
        grant = FakeAgent.start(server, "a", ("main",)).claim()["items"][0]
        assert "HF" not in grant["secrets"]
        assert "it was changed, or belongs to something else" in server.said()
    shutil.rmtree(tmp_path / "state")


def test_a_bad_key_is_told_at_the_start(tmp_path: Path) -> None:
    """Which file, and what is needed."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "secrets.keys").write_text("correct-horse\n")
    with start_program(tmp_path) as process:
        assert process.wait(LIMIT_S) == 1
    said = (tmp_path / "server.log").read_text()
    assert "secrets.keys, key 1 is no key" in said
    assert "correct-horse" not in said


def test_a_job_s_log_has_asterisks_in_its_place(tmp_path: Path) -> None:
    """As many, so that no cursor moves; also after a restart, and line by line."""
    long, lines, short = "correct-horse-correct-horse", "first-line-1\nsecond-line-2\n", "abc"
    with running_server(tmp_path) as server:
        server.make_queue()
        names = {"LONG": long, "LINES": lines, "SHORT": short}
        for name, value in names.items():
            put(server, name.lower(), value)
        answer = submit(server, "main", **{name: name.lower() for name in names})
        path = f"/items/{answer.json()['id']}"
        grant = FakeAgent.start(server, "a", ("main",)).claim()["items"][0]
        token = grant["secrets"]["LAUNCHYARD_TOKEN"]
        text = f"<{long}> second-line-2 abc {token}\n"
        put(server, "long", "another-one")
        log = f"{path}/attempts/1/logs/job"
        assert server.call("PUT", f"{log}?start=0", data=text) == {"cursor": len(text)}
        stars = ("*" * len(long), "*" * len("second-line-2"), "*" * len(token))
        want = f"<{stars[0]}> {stars[1]} abc {stars[2]}\n"
        assert server.ask("GET", f"{path}/logs").text == want
    with running_server(tmp_path) as server:
        server.call("PUT", f"{log}?start={len(text)}", data="<another-one>")
        assert server.ask("GET", f"{path}/logs").text == f"{want}<{'*' * len('another-one')}>"
