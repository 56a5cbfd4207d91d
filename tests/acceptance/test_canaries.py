"""Secrets planted everywhere they may be are found nowhere else.

One real job gets an entity's secret, a submitter's W&B key and its own token, through a server
and an agent that log all they can. Then everything that anybody could look at is searched.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from launchyard.domain.rights import KEY_PATTERN
from tests.programs import ENTITY, LIMIT_S, QUEUE, Yard, free_port, start, until

SECRET = "canary-secret-9f8e7d6c"  # noqa: S105 - planted
WANDB = "canarywandb" + "k3y7" * 9
_JOB = """
import hashlib, json, os, pathlib, time, urllib.error, urllib.request

def ask(method, path, data=None):
    url = os.environ["LAUNCHYARD_SERVER"] + "/api/v1" + path
    headers = {"Authorization": "Bearer " + os.environ["LAUNCHYARD_TOKEN"]}
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code

item = os.environ["LAUNCHYARD_ITEM"]
mine = f"/items/{item}/attempts/1"
told = {
    "own item": ask("GET", f"/items/{item}"),
    "own log": ask("PUT", mine + "/logs/own.notes?start=0", b"noted\\n"),
    "own output": ask("PUT", mine + "/outputs/from-inside", b"1"),
    "a key": ask("POST", "/keys", b"{}"),
    "secrets": ask("GET", "/entities/team/secrets"),
}
sums = {k: hashlib.sha256(os.environ[k].encode()).hexdigest() for k in ("HF", "WANDB_API_KEY")}
output = pathlib.Path(os.environ["LAUNCHYARD_OUTPUT"])
(output / "told.new").write_text(json.dumps({"told": told, "sums": sums}))
(output / "told.new").rename(output / "told.json")
print("ready", flush=True)
while not (output / "go").exists():
    time.sleep(0.05)
"""


@dataclass
class Scene:
    """The programs with the job in their midst."""

    yard: Yard
    item: str
    operations: str
    agent_key: str
    token: str

    @property
    def canaries(self) -> Mapping[str, str]:
        """Everything that must not be seen."""
        return {
            "secret": SECRET,
            "wandb key": WANDB,
            "admin key": self.yard.key_file.read_text().strip(),
            "agent key": self.agent_key,
            "attempt token": self.token,
        }


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Start server, agent and job; the job waits until it is let go."""
    folder = tmp_path_factory.mktemp("canaries")
    yard = Yard(folder, server_words=("--log-level", "debug", "--log-format", "json"))
    try:
        yard.start_server()
        yard.make_queue()
        yield _scene(yard)
    finally:
        yard.close()


def _scene(yard: Yard) -> Scene:
    wish = {"user": "robot", "entity": ENTITY, "role": "agent"}
    agent_key = str(yard.call("POST", "/keys", json=wish)["key"])
    port = _start_agent(yard, agent_key)
    yard.call("PUT", f"/entities/{ENTITY}/secrets/hf", json={"value": SECRET})
    more = {"secrets": [{"env": "HF", "from": "secret:hf"}], "_wandb_api_key": WANDB}
    item = yard.submit(sys.executable, "-c", _JOB, **more)
    yard.wait_for(item, lambda view: view["attempt_state"] == "running" or view["state"] == "done")
    token = ""

    def seen() -> bool:
        nonlocal token
        token = _token_of(item)
        names = [path.name for path in _files(yard.folder / "agent")]
        return bool(token) and "told.json" in names

    until(seen, "the job")
    return Scene(yard, item, f"http://127.0.0.1:{port}", agent_key, token)


def _start_agent(yard: Yard, key: str) -> int:
    key_file = yard.folder / "agent.key"
    key_file.write_text(key)
    port = free_port()
    words = ["agent", "-q", QUEUE, "-e", ENTITY, "-j", "2", "--name", "a", "--server", yard.url]
    words += ["--key-file", str(key_file), "--state-dir", str(yard.folder / "agent")]
    words += ["--operations-port", str(port), "--log-level", "debug"]
    yard.agents["a"] = start(yard.folder, "agent-log", words)
    return port


def _token_of(item: str) -> str:
    """Return the token in the environment of the item's job, where alone it may be."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        pairs = dict(text.partition("=")[::2] for text in variables)
        if pairs.get("LAUNCHYARD_ITEM") == item and "LAUNCHYARD_TOKEN" in pairs:
            return pairs["LAUNCHYARD_TOKEN"]
    return ""


def _files(folder: Path) -> Iterator[Path]:
    """Give every file below a folder, in which programs make and remove some meanwhile."""
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names)


def _read(path: Path) -> bytes:
    """Return what is in a file; nothing if it is gone by now."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _places(scene: Scene) -> Iterator[tuple[str, bytes]]:
    """Give everything that somebody may see, with where it is."""
    keys = {"admin.key", "agent.key"}
    for path in _files(scene.yard.folder):
        if path.is_file() and path.name not in keys:
            yield str(path.relative_to(scene.yard.folder)), _read(path)
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        yield str(path), _read(path)
    for name in ("/status", "/status.json", "/metrics"):
        if scene.yard.agents["a"].process.poll() is None:
            yield name, requests.get(f"{scene.operations}{name}", timeout=LIMIT_S).content
    yield "the server's metrics", requests.get(f"{scene.yard.url}/metrics", timeout=LIMIT_S).content
    spec = {"spec": scene.yard.item(scene.item)["spec"]}
    yield "the item", json.dumps(scene.yard.item(scene.item)).encode()
    for name in ("/items", "/agents", f"/entities/{ENTITY}/secrets"):
        yield name, json.dumps(scene.yard.call("GET", name)).encode()
    plan = scene.yard.call("POST", f"/entities/{ENTITY}/queues/{QUEUE}/plan", json=spec)
    yield "the plan", json.dumps(plan).encode()


def _found(scene: Scene) -> list[tuple[str, str]]:
    """Return which canary was found where; the item's id shows that the search finds things."""
    wanted = {name: value.encode() for name, value in scene.canaries.items()}
    found: list[tuple[str, str]] = []
    control: set[str] = set()
    for place, data in _places(scene):
        found += [(name, place) for name, value in wanted.items() if value in data]
        if scene.item.encode() in data:
            control.add(place)
    assert {"server/launchyard.db-wal", "server.log", "/items", "the item"} <= control
    return found


def test_canaries_are_found_nowhere(scene: Scene) -> None:
    """While the job runs and after it: the job itself had them, and nothing else."""
    assert _found(scene) == []
    names = {path.name for path in _files(scene.yard.folder)}
    assert {"launchyard.db", "server.log", "agent-log.log", "told.json"} <= names
    made = _files(scene.yard.folder / "agent")
    place = next(path for path in made if path.name == "told.json")
    told: dict[str, Any] = json.loads(place.read_text())
    sums = {"HF": SECRET, "WANDB_API_KEY": WANDB}
    assert told["sums"] == {k: hashlib.sha256(v.encode()).hexdigest() for k, v in sums.items()}
    allowed = {"own item": 200, "own log": 200, "own output": 201}
    assert told["told"] == allowed | {"a key": 403, "secrets": 403}
    assert KEY_PATTERN.fullmatch(scene.token)
    (place.parent / "go").touch()
    assert scene.yard.wait_done(scene.item)["attempt_state"] == "succeeded"
    scene.yard.wait_for(scene.item, lambda view: bool(view["logs_complete"]))
    assert _found(scene) == []
    headers = {"Authorization": f"Bearer {scene.token}"}
    answer = requests.get(
        f"{scene.yard.url}/api/v1/items/{scene.item}", headers=headers, timeout=LIMIT_S
    )
    assert answer.status_code == 401
