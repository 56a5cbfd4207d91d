"""What the token of an attempt may do with artifacts: those of its own run, and no other's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.adapters.http.graphql.conftest import Client, Job

BY_ID = """query A($i: ID!) { artifact(id: $i) {
  digest aliases { alias } currentManifest { file { directUrl } }
  files { edges { node { directUrl } } } } }"""
BY_NAME = """query M($n: String!) { project(name: "p", entityName: "team") {
  artifactCollectionMembership(name: $n) { artifact { digest } } } }"""
FILES = """query F($c: String!, $a: String!) { project(name: "p", entityName: "team") {
  artifactCollection(name: $c) { artifactMembership(aliasName: $a) {
    files { edges { node { directUrl } } } } } } }"""


def make(client: Client, name: str, digest: str, **more: Any) -> dict[str, Any]:
    """Make a version, or try to."""
    given = {"entityName": "team", "projectName": "p", "artifactTypeName": "model", **more}
    aliases = [{"artifactCollectionName": name, "alias": one} for one in more.pop("aliases", ())]
    given |= {"artifactCollectionName": name, "aliases": aliases, "digest": digest}
    want = "artifact { id state artifactSequence { latestArtifact { id } } }"
    return client.try_to("createArtifact", want, **given, digestAlgorithm="MANIFEST_MD5")


def made(client: Client, name: str, digest: str, **more: Any) -> str:
    """Make a version with a file, and commit it; return its id."""
    identity = str(make(client, name, digest, **more)["data"]["createArtifact"]["artifact"]["id"])
    files = {"artifactFiles": [{"artifactID": identity, "name": "w.bin", "md5": "x"}]}
    found = client.do("createArtifactFiles", "files { edges { node { uploadUrl } } }", **files)
    url = found["files"]["edges"][0]["node"]["uploadUrl"]
    assert client.session.put(url, data=digest.encode(), timeout=30).ok
    client.do("commitArtifact", "artifact { id }", artifactID=identity)
    return identity


def aliases(client: Client, identity: str) -> set[str]:
    """Return the names of a version."""
    return {one["alias"] for one in client.data(BY_ID, i=identity)["aliases"]}


@pytest.fixture
def name(numbers: Iterator[int]) -> str:
    """Give the name of a new collection."""
    return f"model{next(numbers)}"


def test_a_job_makes_reads_and_names_artifacts_of_its_own_run(
    client: Client, job: Job, name: str
) -> None:
    """Whole and findable for everybody; addresses and rights end with the attempt."""
    job.upsert()
    own = {"runName": job.run}
    first = made(job.client, name, "d1", **own, aliases=["best"])
    assert aliases(job.client, first) == {"v0", "latest", "best"}
    second = made(job.client, name, "d2", **own)
    assert aliases(client, first) == {"v0", "best"}
    assert make(job.client, name, "d1")["data"]["createArtifact"]["artifact"]["id"] == first
    use = {"entityName": "team", "projectName": "p", **own, "artifactID": second}
    assert job.client.do("useArtifact", "artifact { digest }", **use)["artifact"]["digest"] == "d2"
    place = {"entityName": "team", "projectName": "p", "artifactCollectionName": name}
    for mutation, wanted in (("addAliases", True), ("deleteAliases", False)):
        change = {"artifactID": second, "aliases": [{**place, "alias": "good"}]}
        assert job.client.do(mutation, "success", **change)["success"]
        assert ("good" in aliases(client, second)) is wanted
    for alias in ("v1", "latest", job.run):
        found = job.client.data(FILES, c=name, a=alias)["artifactCollection"]
        [edge] = found["artifactMembership"]["files"]["edges"]
        url = edge["node"]["directUrl"]
        assert job.client.session.get(url, timeout=30).content == b"d2"
    job.over()
    assert job.client.session.get(url, timeout=30).status_code == 403
    assert job.client.post({"query": BY_ID, "variables": {"i": second}}).status_code == 401
    assert aliases(client, second) == {"v1", "latest"}


@dataclass
class Others:
    """Versions that are not the job's: of another run, of a key, of another project and entity."""

    run: str
    key: str
    project: str
    afar: str


@pytest.fixture
def others(client: Client, name: str, numbers: Iterator[int]) -> Others:
    """Give them, all in collections of the same name; the other run is over."""
    queue = f"other{next(numbers)}"
    client.server.make_queue(queue=queue)
    other = Job.begun(client, queue)
    other.upsert()
    run = made(other.client, name, "theirs", runName=other.run, aliases=["prod", "v9"])
    other.over()
    key = made(client, f"{name}-key", "keys")
    project = made(client, name, "apart", projectName="apart")
    return Others(run, key, project, made(client, name, "afar", entityName="ada"))


WRITES: dict[str, Callable[[Client, str, dict[str, str]], dict[str, Any]]] = {
    "files": lambda c, i, _: c.try_to(
        "createArtifactFiles",
        "files { edges { node { uploadUrl } } }",
        artifactFiles=[{"artifactID": i, "name": "w.bin", "md5": "x"}],
    ),
    "manifest": lambda c, i, p: c.try_to(
        "createArtifactManifest",
        "artifactManifest { id }",
        artifactID=i,
        name="wandb_manifest.json",
        digest="",
        runName="r",
        entityName=p["entityName"],
        projectName=p["projectName"],
    ),
    "commit": lambda c, i, _: c.try_to("commitArtifact", "artifact { id }", artifactID=i),
    "say": lambda c, i, _: c.try_to("updateArtifact", "artifact { id }", artifactID=i),
    "name": lambda c, i, p: c.try_to(
        "addAliases", "success", artifactID=i, aliases=[{**p, "alias": "mine"}]
    ),
    "unname": lambda c, i, p: c.try_to(
        "deleteAliases", "success", artifactID=i, aliases=[{**p, "alias": "latest"}]
    ),
}


def test_no_artifact_of_others_is_open_to_it(
    client: Client, job: Job, name: str, others: Others
) -> None:
    """Neither to be read nor written, by id or name, whoever made it and wherever it is."""
    job.upsert()
    place = {"entityName": "team", "projectName": "p", "artifactCollectionName": name}
    for what, identity in vars(others).items():
        before = client.data(BY_ID, i=identity)["aliases"]
        assert job.client.data(BY_ID, i=identity) is None, what
        use = {"entityName": "team", "projectName": "p", "runName": job.run}
        assert "errors" in job.client.try_to(
            "useArtifact", "artifact { id }", **use, artifactID=identity
        )
        for how, write in WRITES.items():
            [error] = write(job.client, identity, place)["errors"]
            assert error["extensions"]["status"] == 403, (what, how)
        assert client.data(BY_ID, i=identity)["aliases"] == before
    for alias in (f"{name}:latest", f"{name}:v0", f"{name}:prod", f"{name}-key:latest"):
        assert job.client.data(BY_NAME, n=alias)["artifactCollectionMembership"] is None
        assert client.data(BY_NAME, n=alias)["artifactCollectionMembership"] is not None
    found = job.client.data(FILES, c=name, a="v0")
    assert found["artifactCollection"] is None
    for given in (
        {"projectName": "apart", "runName": job.run},
        {"entityName": "ada", "runName": job.run},
        {"runName": "other"},
        {"projectName": "apart"},
    ):
        [error] = make(job.client, name, "d", **given)["errors"]
        assert error["extensions"]["status"] == 403, given


def test_its_versions_take_no_name_and_no_place_of_others(
    client: Client, job: Job, name: str, others: Others
) -> None:
    """A collection may be shared; aliases stay where they are, and so do numbers to come."""
    job.upsert()
    own = {"runName": job.run}
    wanted = ["latest", "prod", "v0", "v7", "mine"]
    mine = made(job.client, name, "theirs", **own, aliases=wanted)
    assert mine != others.run
    assert aliases(client, mine) == {"v1", "mine"}
    assert aliases(client, others.run) >= {"v0", "latest", "prod"}
    assert client.data(BY_NAME, n=f"{name}:v9")["artifactCollectionMembership"] is None
    place = {"entityName": "team", "projectName": "p", "artifactCollectionName": name}
    for alias in ("prod", "v7"):
        change = {"artifactID": mine, "aliases": [{**place, "alias": alias}]}
        [error] = job.client.try_to("addAliases", "success", **change)["errors"]
        assert error["extensions"]["status"] == 403, alias
    assert aliases(client, mine) == {"v1", "mine"}
    [error] = make(job.client, name, "d", **own, artifactTypeName="job")["errors"]
    assert "artifacts of type 'model' alone" in error["message"]
    keys = made(client, name, "by a key", aliases=["mine"])
    assert aliases(client, keys) == {"v2", "latest", "mine"}
    assert aliases(client, mine) == {"v1"}


def test_it_reads_what_its_launch_names(
    client: Client, name: str, others: Others, numbers: Iterator[int]
) -> None:
    """By name or id, in its own entity: it is the submitter who named it, and may read it."""
    queue = f"named{next(numbers)}"
    client.server.make_queue(queue=queue)
    given = {
        "data": f"team/p/{name}:prod",
        "more": f"wandb-artifact://_id/{others.key}",
        "far": f"ada/p/{name}:latest",
        "farther": f"wandb-artifact://_id/{others.afar}",
        "torn": "no such/name:at:all/",
        "odd": {"id": others.project},
    }
    overrides = {"entry_point": ["true"], "artifacts": given}
    job = Job.begun(client, queue, overrides=overrides)
    job.upsert()
    use = {"entityName": "team", "projectName": "p", "runName": job.run}
    for identity in (others.run, others.key):
        assert job.client.data(BY_ID, i=identity) is not None
        job.client.do("useArtifact", "artifact { id }", **use, artifactID=identity)
        for how, write in WRITES.items():
            place = {"entityName": "team", "projectName": "p", "artifactCollectionName": name}
            assert "errors" in write(job.client, identity, place), how
    for identity in (others.project, others.afar):
        assert job.client.data(BY_ID, i=identity) is None
    assert job.client.data(BY_NAME, n=f"{name}:v0")["artifactCollectionMembership"] is not None
