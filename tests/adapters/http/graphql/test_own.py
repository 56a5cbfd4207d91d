"""What the token of an attempt may do over GraphQL: its own run, and nothing of others."""

from __future__ import annotations

import json

from tests.adapters.http.agents import FakeAgent
from tests.adapters.http.graphql.conftest import RUN_NAMES, Client, Job

RUN = """query R($p: String!, $n: String!) { project(name: $p, entityName: "team") {
  run(name: $n) { state summaryMetrics config user { username }
    files(names: ["a.txt"]) { edges { node { directUrl } } } } } }"""
CLOSED = (
    'query { project(name: "p", entityName: "team") { runQueues { name } } }',
    """query { project(name: "p", entityName: "team") { artifactType(name: "job") {
      artifactCollections { edges { node { name } } } } } }""",
    'query { launchAgent(id: "a") { id } }',
    'mutation { deleteRun(input: {id: "%s"}) { success } }',
    'mutation { stopRun(input: {id: "%s"}) { success } }',
    'mutation { ackRunQueueItem(input: {runQueueItemId: "i", runName: "r"}) { success } }',
    """mutation { createArtifact(input: {entityName: "team", projectName: "p", digest: "d",
      digestAlgorithm: MANIFEST_MD5,
      artifactTypeName: "model", artifactCollectionName: "m"}) { artifact { id } } }""",
)


def test_a_job_tells_of_its_own_run(client: Client, job: Job) -> None:
    """It is the submitter's, linked to the item, with summary and end; the log stays the agent's.

    A token lives as long as its attempt, and so do the addresses that it was given.
    """
    viewer = job.client.data(
        "query { viewer { username entity admin teams { edges { node { name } } } } }"
    )
    assert viewer == {
        "username": "admin",
        "entity": "team",
        "admin": False,
        "teams": {"edges": [{"node": {"name": "team"}}]},
    }
    made = job.upsert(config=json.dumps({"lr": {"value": 1}}))
    assert made["data"]["upsertBucket"]["inserted"] is True
    files = {"entityName": "team", "projectName": "p", "runName": job.run, "files": ["a.txt"]}
    [file] = job.client.do("createRunFiles", "files { uploadUrl }", **files)["files"]
    assert job.client.session.put(file["uploadUrl"], data=b"x", timeout=30).ok
    summary = {"wandb-summary.json": {"offset": 0, "content": ['{"best": 2}']}}
    lines = {"output.log": {"offset": 0, "content": ["twice"]}}
    assert job.stream(files=summary | lines) == 200
    shown = client.data(RUN, p="p", n=job.run)["run"]
    assert (shown["state"], shown["summaryMetrics"]) == ("running", '{"best": 2}')
    assert shown["user"] == {"username": "admin"}
    assert shown["files"]["edges"]
    assert job.stream(complete=True, exitcode=0, files={}) == 200
    assert job.client.data(RUN, p="p", n=job.run)["run"]["state"] == "finished"
    assert client.item(job.item)["attempt_state"] == "running"
    assert client.server.ask("GET", f"/items/{job.item}/logs?source=main").text == ""
    job.agent.report(job.grant, 2, state="failed", reason="exit_code", exit_code=1)
    assert client.data(RUN, p="p", n=job.run)["run"]["state"] == "finished"
    assert job.client.post({"query": "query { viewer { id } }"}).status_code == 401
    assert job.stream(files={}) == 401
    assert job.client.session.put(file["uploadUrl"], data=b"y", timeout=30).status_code == 403


def test_a_run_that_was_cut_off_is_what_became_of_its_attempt(client: Client, job: Job) -> None:
    """A job that is killed sends no end; nobody should see its run going on for ever."""
    job.upsert()
    assert client.data(RUN, p="p", n=job.run)["run"]["state"] == "running"
    job.agent.report(job.grant, 2, state="failed", reason="exit_code", exit_code=137)
    assert client.data(RUN, p="p", n=job.run)["run"]["state"] == "failed"


def test_nothing_of_others_is_open_to_it(client: Client, job: Job) -> None:
    """Another run, also of the same name elsewhere; queues, artifacts, agents; other entities."""
    for given in ({"name": "other"}, {"entityName": "ada"}):
        [error] = job.upsert(**given)["errors"]
        assert error["extensions"]["status"] == 403
    client.do("upsertBucket", "inserted", **{**RUN_NAMES, "modelName": "theirs"}, name=job.run)
    assert "errors" in job.upsert(modelName="theirs")
    assert job.stream(project="theirs", files={}) == 403
    assert job.stream(run="other", files={}) == 403
    assert job.client.data(RUN, p="theirs", n=job.run)["run"] is None
    assert job.client.data('query { entity(name: "ada") { id } }') is None
    assert job.client.data('query { project(name: "p", entityName: "ada") { id } }') is None
    identity = job.upsert(modelName="anywhere")["data"]["upsertBucket"]["bucket"]["id"]
    for text in CLOSED:
        [error] = job.client.ask(text.replace("%s", identity))["errors"]
        assert error["extensions"]["status"] == 403, text
        assert "secret named WANDB_API_KEY" in error["message"]


def test_the_next_attempt_goes_on_with_the_run(client: Client, queue: str) -> None:
    """The run has its item's name in every attempt, and follows the one that speaks."""
    item = client.server.submit(queue=queue)
    agent = FakeAgent.start(client.server, f"again-{queue}", (queue,))
    states = []
    for number in (1, 2):
        [grant] = agent.claim()["items"]
        assert agent.launch(grant)["verdict"] == "taken"
        agent.report(grant, 1, state="running", place=agent.place(item, str(number)))
        job = Job(Client(client.server, grant["secrets"]["LAUNCHYARD_TOKEN"]), agent, grant)
        job.upsert()
        states.append(client.data(RUN, p="p", n=job.run)["run"]["state"])
        job.stream(complete=True, exitcode=3, files={})
        if number == 1:
            agent.report(grant, 2, state="failed", reason="exit_code", exit_code=3)
            agent.report(grant, 3, logs_complete=True)
            client.server.call("POST", f"/items/{item}/retry")
    assert states == ["running", "running"]
