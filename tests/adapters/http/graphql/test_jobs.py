"""Launches that name a job: what the job says goes under them when they are queued."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.adapters.http.graphql.conftest import Client

WHERE = {"entityName": "team", "projectName": "p"}
GIT = {"git": {"remote": "https://git.example/a.git", "commit": "a" * 40}}
REPO = {
    "_version": "v0",
    "source_type": "repo",
    "source": {**GIT, "entrypoint": ["python", "train.py"], "notebook": False},
    "runtime": "3.11",
    "input_types": {},
    "output_types": {},
}


def _job(client: Client, name: str, document: Any, kind: str = "job") -> None:
    """Make a job, as clients do."""
    named = {"artifactTypeName": kind, "artifactCollectionNames": [name]}
    made = client.do(
        "createArtifact",
        "artifact { id }",
        **WHERE,
        **named,
        digest=json.dumps(document),
        digestAlgorithm="MANIFEST_MD5",
        aliases=[{"artifactCollectionName": name, "alias": "best"}],
    )["artifact"]["id"]
    wish = {"artifactID": made, "name": "wandb-job.json", "md5": "x"}
    want = "files { edges { node { uploadUrl } } }"
    files = client.do("createArtifactFiles", want, artifactFiles=[wish], storageLayout="V2")
    url = files["files"]["edges"][0]["node"]["uploadUrl"]
    data = document if isinstance(document, str) else json.dumps(document)
    assert client.session.put(url, data=data.encode(), timeout=30).ok
    client.do("commitArtifact", "artifact { id }", artifactID=made)


def test_a_job_is_laid_under_its_launch(client: Client, queue: str) -> None:
    """The exact version, its command and Python; what the launch says itself wins."""
    _job(client, f"job-{queue}", REPO)
    name = f"team/p/job-{queue}"
    shown = client.item(client.pushed(queue, job=f"{name}:best", overrides={"args": ["--x"]}))
    assert shown["spec"]["job"] == f"{name}:v0"
    wanted = {"entry_point": ["python", "train.py"], "args": ["--x"]}
    assert shown["spec"]["overrides"] == wanted
    assert shown["spec"]["python_version"] == "3.11"
    body = {"spec": {"job": name, "overrides": {"entry_point": ["sh"]}}}
    path = f"/entities/team/queues/{queue}"
    made = client.server.call("POST", f"{path}/items", json=body)
    assert made["spec"]["overrides"]["entry_point"] == ["sh"]
    plan = client.server.call("POST", f"{path}/plan", json={"spec": {"job": name}})
    assert plan["spec"]["job"] == f"{name}:v0"
    again = client.server.call("POST", f"/items/{made['id']}/duplicate")
    assert again["spec"]["overrides"] == made["spec"]["overrides"]


@pytest.mark.parametrize(
    ("job", "why"),
    [
        ("team/p/nothing:v0", "there is no job team/p/nothing:v0"),
        ("nobody/p/nothing", "there is no job nobody/p/nothing:latest"),
        ("nothing", "names no artifact"),
        ("team/p/data", "is an artifact of type 'dataset'"),
        ("team/p/torn", "is no JSON"),
        ("team/p/odd", "source_type"),
    ],
)
def test_whoever_submits_hears_of_a_job_that_cannot_be(
    client: Client, queue: str, job: str, why: str
) -> None:
    """At once, and with its place in the launch."""
    if job == "team/p/data":
        _job(client, "data", REPO, "dataset")
        _job(client, "torn", "{")
        _job(client, "odd", {"source_type": "tape"})
    body = {"spec": {"job": job}}
    answer = client.server.ask("POST", f"/entities/team/queues/{queue}/items", json=body)
    assert answer.status_code == 422
    [problem] = answer.json()["problems"]
    assert problem["path"] == "job"
    assert why in problem["message"]


def test_a_job_of_strangers_is_none(client: Client) -> None:
    """Who may not read its entity learns nothing of it."""
    _job(client, "hidden", REPO)
    client.server.call("POST", "/entities", json={"name": "outside", "kind": "team"})
    client.server.make_queue(entity="outside", queue="q")
    key = client.server.make_key("admin", "outside", user="oz")
    body = {"spec": {"job": "team/p/hidden"}}
    answer = client.server.ask("POST", "/entities/outside/queues/q/items", key=key, json=body)
    assert "there is no job" in answer.text
