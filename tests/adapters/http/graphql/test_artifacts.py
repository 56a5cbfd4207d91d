"""Artifacts and files, as far as jobs need them."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.adapters.http.graphql.conftest import Client, Job

WHERE = {"entityName": "team", "projectName": "p"}
MEMBER = """query M($n: String!) { project(name: "p", entityName: "team") {
  artifactCollectionMembership(name: $n) { versionIndex aliases { alias }
    artifactCollection { __typename name project { entity { name } } }
    artifact { id state digest metadata ttlDurationSeconds artifactType { name }
      currentManifest { file { directUrl } } } } } }"""
FILES = """query F($a: String!) { project(name: "p", entityName: "team") {
  artifactCollection(name: "job-x") { __typename artifactMembership(aliasName: $a) {
    files(first: 50) { edges { node { name directUrl } } } } } } }"""

_MANIFEST = "artifactManifest { id file { uploadUrl } }"


def _make(client: Client, digest: str, *aliases: str) -> dict[str, Any]:
    """Make a version up to its files."""
    named = [{"artifactCollectionName": "job-x", "alias": one} for one in aliases]
    want = "artifact { id state artifactSequence { id latestArtifact { id versionIndex } } }"
    made = client.do(
        "createArtifact",
        want,
        **WHERE,
        artifactTypeName="job",
        artifactCollectionNames=["job-x"],
        digest=digest,
        digestAlgorithm="MANIFEST_MD5",
        metadata='{"_partial": true}',
        aliases=named,
    )
    return dict(made["artifact"])


def _put(client: Client, url: str, data: bytes) -> None:
    """Upload as clients do: without a key."""
    assert client.session.put(url, data=data, timeout=30).status_code == 200


def test_a_version_is_made_and_found_again(client: Client) -> None:
    """Files and manifest go to signed addresses; a commit gives number and aliases."""
    made = _make(client, "d1", "one")
    assert (made["state"], made["artifactSequence"]["latestArtifact"]) == ("PENDING", None)
    wish = {"artifactID": made["id"], "name": "wandb-job.json", "md5": "x"}
    want = "files { edges { node { storagePath uploadUrl uploadHeaders artifact { id } } } }"
    files = client.do("createArtifactFiles", want, artifactFiles=[wish], storageLayout="V2")
    [edge] = files["files"]["edges"]
    _put(client, edge["node"]["uploadUrl"], b'{"source_type": "image"}')
    manifest = client.do(
        "createArtifactManifest",
        "artifactManifest { id file { id uploadUrl } }",
        **WHERE,
        artifactID=made["id"],
        name="wandb_manifest.json",
        digest="",
        runName="r",
        type="FULL",
    )
    _put(client, manifest["artifactManifest"]["file"]["uploadUrl"], b'{"version": 1}')
    assert client.data(MEMBER, n="job-x:latest")["artifactCollectionMembership"] is None
    client.do("commitArtifact", "artifact { id digest }", artifactID=made["id"])
    member = client.data(MEMBER, n="job-x:v0")["artifactCollectionMembership"]
    assert {one["alias"] for one in member["aliases"]} == {"one", "latest", "v0"}
    assert json.loads(member["artifact"]["metadata"]) == {"_partial": True}
    url = member["artifact"]["currentManifest"]["file"]["directUrl"]
    assert client.session.get(url).content == b'{"version": 1}'
    files = client.data(FILES, a="latest")["artifactCollection"]["artifactMembership"]["files"]
    [edge] = files["edges"]
    assert edge["node"]["name"] == "wandb-job.json"
    assert client.session.get(edge["node"]["directUrl"]).json() == {"source_type": "image"}
    again = _make(client, "d1")
    assert (again["id"], again["state"]) == (made["id"], "COMMITTED")
    second = _make(client, "d2")
    client.do("commitArtifact", "artifact { id }", artifactID=second["id"])
    member = client.data(MEMBER, n="job-x")["artifactCollectionMembership"]
    assert member["versionIndex"] == 1


def _begin(client: Client, run: str) -> str:
    """Begin a run; return its id."""
    given = {"entityName": "team", "modelName": "p", "name": run}
    return str(client.do("upsertBucket", "bucket { id }", **given)["bucket"]["id"])


def test_a_committed_version_stays_as_it_is(client: Client) -> None:
    """No new address for its files or its manifest, and those from before are good no more."""
    made = _make(client, "d7")["id"]
    wish = {"artifactFiles": [{"artifactID": made, "name": "code.py", "md5": "x"}]}
    about = {**WHERE, "artifactID": made, "name": "wandb_manifest.json", "digest": ""}
    about |= {"runName": "r"}
    found = client.do("createArtifactFiles", "files { edges { node { uploadUrl } } }", **wish)
    manifest = client.do("createArtifactManifest", _MANIFEST, **about)["artifactManifest"]
    urls = [found["files"]["edges"][0]["node"]["uploadUrl"], manifest["file"]["uploadUrl"]]
    for url in urls:
        _put(client, url, b"good")
    for _ in range(2):
        client.do("commitArtifact", "artifact { id }", artifactID=made)
    again = {"artifactManifestID": manifest["id"], "digest": "d"}
    for answer in (
        client.try_to("createArtifactFiles", "files { totalCount }", **wish),
        client.try_to("createArtifactManifest", _MANIFEST, **about),
        client.try_to("updateArtifactManifest", _MANIFEST, **again),
    ):
        assert "is committed, so its files stay" in answer["errors"][0]["message"]
    for url in urls:
        assert client.session.put(url, data=b"evil").status_code == 403
    text = """query A($i: ID!) { artifact(id: $i) { currentManifest { file { directUrl } }
      files { edges { node { directUrl } } } } }"""
    shown = client.data(text, i=made)
    [edge] = shown["files"]["edges"]
    for url in (edge["node"]["directUrl"], shown["currentManifest"]["file"]["directUrl"]):
        assert client.session.get(url).content == b"good"


def test_files_are_kept_for_runs_that_are_there(client: Client, job: Job) -> None:
    """Housekeeping finds files by their run; a token begins its run first, like everybody."""
    given = {**WHERE, "files": ["a.txt"]}
    for who, run in ((client, "never"), (job.client, job.run)):
        answer = who.try_to("createRunFiles", "runID", **given, runName=run)
        assert "there is no run" in answer["errors"][0]["message"]
    begun = _begin(client, "soon-gone")
    made = client.do("createRunFiles", "files { uploadUrl }", **given, runName="soon-gone")
    url = made["files"][0]["uploadUrl"]
    _put(client, url, b"x")
    assert client.do("deleteRun", "success", id=begun)["success"]
    assert client.session.put(url, data=b"x").status_code == 404
    odd = base64.b64encode(b"Run:v1:r:a/b:team").decode()
    answer = client.try_to("upsertBucket", "inserted", id=odd)
    assert "without / and :" in answer["errors"][0]["message"]


def test_behind_a_proxy_with_tls_addresses_are_the_proxys(client: Client) -> None:
    """Bytes go the way that the questions came, under the name that was called."""
    _begin(client, "r")
    client.session.headers.update({"X-Forwarded-Proto": "https"})
    made = client.do("createRunFiles", "files { uploadUrl }", **WHERE, runName="r", files=["a.txt"])
    own = client.server.url.replace("http://", "https://")
    assert made["files"][0]["uploadUrl"].startswith(f"{own}/wandb/")


def test_an_address_is_good_for_one_thing(client: Client) -> None:
    """Nobody can make another of it, nor read with one for writing."""
    _begin(client, "r")
    files = client.do(
        "createRunFiles", "runID files { uploadUrl }", **WHERE, runName="r", files=["a.txt"]
    )
    url = files["files"][0]["uploadUrl"]
    _put(client, url, b"x")
    for wrong in (
        url.replace("/a.txt", "/b.txt"),
        url.replace("until=", "until=9"),
        url[:-1] + ("0" if url[-1] != "0" else "1"),
    ):
        assert client.session.put(wrong, data=b"x").status_code == 403
    assert client.session.get(url.replace("/put/", "/get/")).status_code == 403
    bad = client.try_to("createRunFiles", "runID", **WHERE, runName="r", files=["../x"])
    assert "must be relative" in bad["errors"][0]["message"]


def test_strangers_see_and_write_no_artifact(client: Client) -> None:
    """Somebody without a role in the entity learns not even that it is there."""
    made = _make(client, "d9")
    client.server.call("POST", "/entities", json={"name": "afar", "kind": "team"})
    client.key = client.server.make_key("admin", "afar", user="zoe")
    assert client.data("query A($i: ID!) { artifact(id: $i) { id } }", i=made["id"]) is None
    assert client.data('{ project(name: "p", entityName: "team") { id } }') is None
    answer = client.try_to("commitArtifact", "artifact { id }", artifactID=made["id"])
    assert "there is no such artifact" in answer["errors"][0]["message"]
