"""What stock clients make and launch, run by our own agent; and the stock client in its jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.git.gitserver import GitServer, Repo, git_server, make_certificate
from tests.programs import start, until
from tests.servers import RunningServer, running_server
from tests.stock_client import Stock, stock_python

TRAIN = """
from pathlib import Path

import wandb

settings = wandb.Settings(disable_job_creation=False, save_code=True)
with wandb.init(config={"lr": 0.1}, settings=settings) as run:
    print("hello from the run")
    run.log({"loss": 0.5})
    run.summary["best"] = 0.5
    Path("weights.bin").write_bytes(b"weights")
    model = wandb.Artifact("model", "model")
    model.add_file("weights.bin")
    run.log_artifact(model, aliases=["best"]).wait()
    run.save("weights.bin")
    run.log_code(str(Path(__file__).parent))
    used = run.use_artifact("model:best")
    assert Path(used.download("used"), "weights.bin").read_bytes() == b"weights"
    model.aliases.append("good")
    model.save()
"""
COMMANDS = """
import json
import sys
from wandb.cli import cli

for words in json.loads(sys.argv[1]):
    cli.cli(words, standalone_mode=False)
"""
RUN = """query R($n: String!) { project(name: "p", entityName: "team") {
  artifactCollectionMembership(name: "model:good") { aliases { alias }
    artifact { artifactType { name } files { edges { node { name } } } } }
  run(name: $n) { state config summaryMetrics historyLineCount user { username }
    files(names: ["weights.bin"]) { edges { node { sizeBytes } } } } } }"""
PLACE = ("-e", "team", "-p", "p")
ENTRY = ("-E", "python train.py")


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[GitServer]:
    """Serve a repository over https."""
    folder = tmp_path / "git"
    folder.mkdir()
    with git_server(folder, make_certificate(folder)) as server:
        repo = Repo(server.root / "code")
        repo.commit({"train.py": 'print("hello from the repository")\n', "requirements.txt": ""})
        yield server


@pytest.fixture
def stock(tmp_path: Path, remote: GitServer) -> Iterator[Stock]:
    """Give the client, which trusts the git server, and a server with queues."""
    with running_server(tmp_path / "server") as server:
        server.make_queue()
        server.make_queue(queue="boxes", resource="local-container")
        home = tmp_path / "home"
        (home / "src").mkdir(parents=True)
        (home / "src" / "train.py").write_text('print("hello from the folder")\n')
        (home / "src" / "requirements.txt").write_text("\n")
        (home / "run.py").write_text(TRAIN)
        trusted = {"GIT_SSL_CAINFO": str(remote.certificate)}
        yield Stock(stock_python().parents[1], home, server, trusted)


def test_our_agent_runs_what_stock_clients_launch(
    stock: Stock, remote: GitServer, tmp_path: Path
) -> None:
    """Jobs of a folder and of a repository, a repository itself, and a script with a run.

    What a job says goes under its launch, which needs no command of its own; an image's job is a
    launch of the image. `wandb.init()` needs no more than the token of its attempt, and neither
    do files, code and artifacts of the run.
    """
    server = stock.server
    items = {server.submit(str(stock_python()), str(stock.home / "run.py")): "run"}
    items |= _launched(stock, remote.url("code"))
    words = ["agent", "-q", "main", "-e", "team", "--name", "a", "--server", server.url]
    words += ["--key-file", str(tmp_path / "server" / "admin.key"), "--operations-port", "0"]
    agent = start(tmp_path, "agent", words, stock.more)
    try:
        until(lambda: all(_over(_item(server, one)) for one in items), agent.said)
    finally:
        assert agent.stop() == 0, agent.said()
    for item, where in items.items():
        log = server.ask("GET", f"/items/{item}/logs").text
        assert _item(server, item)["attempt_state"] == "succeeded", (where, log)
        assert log.count(f"hello from the {where}\n") == 1
        assert "ERROR" not in log
    _check_run(server, _item(server, next(iter(items)))["run_id"])
    assert "Traceback" not in server.said()


def _over(item: dict[str, Any]) -> bool:
    """Tell whether an item has come to its end, and its log too."""
    return bool(item["state"] == "done" and item["logs_complete"])


def _launched(stock: Stock, url: str) -> dict[str, str]:
    """Make jobs and launch them; return the items with where their code is from."""
    job = ("job", "create", *PLACE, "-n")
    launch = ("launch", *PLACE, "-q")
    words = [
        (*job, "trainer", *ENTRY, "code", "src"),
        (*job, "cloned", *ENTRY, "git", url),
        (*job, "box", "image", "busybox:2"),
        ("job", "list", *PLACE),
        (*launch, "main", "-j", "team/p/trainer:latest"),
        (*launch, "main", "-j", "team/p/cloned:v0"),
        (*launch, "main", "-u", url, "-E", "python train.py"),
        (*launch, "boxes", "-j", "team/p/box:v0"),
    ]
    said = stock.run("python", "-c", COMMANDS, json.dumps(words))
    for name in ("trainer", "cloned", "box"):
        assert f"team/p/{name}:v0" in said
    found = stock.server.call("GET", "/items?most=4")["items"]
    box, bare, cloned, folder = (_item(stock.server, one["id"]) for one in found)
    assert folder["spec"]["job"] == "team/p/trainer:v0"
    assert folder["spec"]["overrides"]["entry_point"][-1] == "train.py"
    assert box["spec"]["docker"] == {"docker_image": "busybox:2"}
    return {folder["id"]: "folder", cloned["id"]: "repository", bare["id"]: "repository"}


def _check_run(server: RunningServer, name: str) -> None:
    body = {"query": RUN, "variables": {"n": name}}
    project = server.ask("POST", "graphql", json=body).json()["data"]["project"]
    run, model = project["run"], project["artifactCollectionMembership"]
    assert {one["alias"] for one in model["aliases"]} == {"v0", "latest", "best", "good"}
    assert model["artifact"]["artifactType"] == {"name": "model"}
    assert model["artifact"]["files"]["edges"] == [{"node": {"name": "weights.bin"}}]
    assert run["files"]["edges"] == [{"node": {"sizeBytes": len(b"weights")}}]
    assert (run["state"], run["historyLineCount"]) == ("finished", 1)
    assert run["user"] == {"username": "admin"}
    assert json.loads(run["summaryMetrics"])["best"] == 0.5
    assert json.loads(run["config"])["lr"]["value"] == 0.1


def _item(server: RunningServer, item: str) -> dict[str, Any]:
    return dict(server.call("GET", f"/items/{item}"))
