"""What a query may be, whoever sends it."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from graphql import get_introspection_query

from tests.adapters.http.graphql.conftest import Client

VIEWER = "{ viewer { id entity username teams { edges { node { name } } } } }"


def test_the_schema_can_be_asked_for(client: Client) -> None:
    """By tools in whole, and by old clients type by type."""
    names = {one["name"] for one in client.data(get_introspection_query())["types"]}
    assert {"LaunchAgent", "ServerSettings", "FailRunQueueItemInput"} <= names
    text = 'query P { M: __type(name: "Mutation") { fields { name } } }'
    fields = {one["name"] for one in client.data(text)["fields"]}
    assert {"createRunQueue", "failRunQueueItem", "createRunFiles", "upsertRunQueue"} <= fields


def test_anybody_with_a_key_learns_who_they_are(client: Client) -> None:
    """A key that nobody has gets 401, in a shape in which clients find the message."""
    client.key = client.server.make_key("submitter", user="eve")
    viewer = client.data(VIEWER)
    assert (viewer["username"], viewer["entity"]) == ("eve", "team")
    assert [edge["node"]["name"] for edge in viewer["teams"]["edges"]] == ["team"]
    client.key = "0" * 40
    answer = client.post({"query": VIEWER})
    assert answer.status_code == 401
    assert "nobody has this key" in answer.json()["errors"][0]["message"]


def _deep(levels: int) -> str:
    """Return a query that goes round in a circle that the schema has."""
    step = "artifactSequence { latestArtifact { "
    return '{ artifact(id: "x") { ' + step * levels + "id" + " } }" * levels + " } }"


def _spread(number: int) -> str:
    """Return ten uses of a fragment."""
    return f"...F{number} " * 10


def _laughs(levels: int) -> str:
    """Return a few lines that ask for ten times as much with each level."""
    spread = [f"fragment F{n} on User {{ {_spread(n + 1)} }}" for n in range(levels)]
    return " ".join(["{ viewer { ...F0 } }", *spread, f"fragment F{levels} on User {{ id }}"])


MANY = " ".join(f"a{n}: viewer {{ id }}" for n in range(101))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{ viewer { nothing } }", "Cannot query field 'nothing' on type 'User'."),
        ("{ viewer {", "Syntax Error"),
        ("{" + MANY + "}", "100 things"),
        ("{ ...F } fragment F on Query { ... on Query {" + MANY + "} }", "100 things"),
        ("{" + "viewer { id }" * 3000 + "}", "more than 4000 tokens"),
        ("{ viewer { id } }" + " " * 70_000, "65536 characters"),
        (_deep(30), "deeper than 30 levels"),
        (_laughs(6), "more than 2000 fields"),
        ("fragment A on User { ...A } { viewer { ...A } }", "deeper than 30 levels"),
    ],
)
def test_a_query_out_of_proportion_is_refused(client: Client, text: str, says: str) -> None:
    """Before anything is looked at; the answer is in GraphQL's shape."""
    answer = client.ask(text)
    assert says in answer["errors"][0]["message"]
    assert answer.get("data") is None


WORDS = ["", "x", "\x00", "é" * 50, "e30=", "UnVuOnYxOmE6Yjpj", "[1]", "{}"]
JUNK: list[Any] = [*WORDS, None, True, -1, 1.5, [], {}, [{}], {"a": [None]}]


def test_junk_gets_an_answer_and_no_failure(client: Client) -> None:
    """Whatever stands in a request, no 500 comes of it and no word of our insides."""
    for body in (b"", b"[]", b"null", b'{"query": 1}', b"\xff", b"{" * 500, b'{"query":""}'):
        assert client.post(body).status_code in {200, 422}, body
    kinds = client.data(get_introspection_query())["types"]
    inputs = {one["name"]: one["inputFields"] for one in kinds if one["kind"] == "INPUT_OBJECT"}
    mutations = next(one for one in kinds if one["name"] == "Mutation")["fields"]
    chance = random.Random(4)  # noqa: S311 - the same junk each time
    for field in mutations:
        kind = field["args"][0]["type"]["ofType"]["name"]
        text = f"mutation J($i: {kind}!) {{ {field['name']}(input: $i) {{ __typename }} }}"
        for _ in range(4):
            given = {one["name"]: chance.choice(JUNK) for one in inputs[kind]}
            plain = {name: chance.choice(WORDS) for name in given}
            for variables in ({"i": given}, {"i": plain}):
                answer = client.post({"query": text, "variables": variables})
                assert answer.status_code == 200, (text, variables, answer.text)
                assert "the server failed" not in answer.text, (text, variables)
    assert "Traceback" not in client.server.said()


def test_junk_in_a_stream_gets_an_answer(client: Client) -> None:
    """The file stream takes what it understands, and fails for nothing."""
    client.do("upsertBucket", "inserted", entityName="team", modelName="p", name="junk")
    path = "/files/team/p/junk/file_stream"
    bodies: list[Any] = [
        [],
        {"files": 1},
        {"files": {"output.log": 1}},
        {"files": {"output.log": {"offset": -1, "content": ["x"]}}},
        {"files": {"output.log": {"offset": 0, "content": [1]}}},
        {"files": {"wandb-summary.json": {"offset": 0, "content": ["{"]}}},
        {"complete": True, "exitcode": 10**30},
        {"complete": "yes", "exitcode": "x"},
    ]
    for body in bodies:
        assert client.post(body, path).status_code in {200, 422}, body
    assert client.post({}, "/files/team/p/none/file_stream").status_code == 404
    assert client.post({}, "/files/none/p/none/file_stream").status_code in {403, 404}
    for path in ("/wandb/put/AAAA/x", "/wandb/get/%2e/x?until=9&signature=z"):
        assert client.session.put(client.server.url + path, data=b"x").status_code in {
            403,
            404,
            405,
        }
    assert client.post("{}", "/sdk/otel/v1/metrics").status_code == 200
    assert json.loads(client.post("{}").text)["errors"]


PUSH = """mutation { pushToRunQueueByName(input: {entityName: "team", projectName: "model-registry",
  queueName: "%s", runSpec: %s}) { runQueueItemId } }"""


def test_a_number_that_json_cannot_write_is_refused(client: Client, queue: str) -> None:
    """Wherever it stands: in a body, in a document within it, or in a query's own text."""
    rest = f"/api/v1/entities/team/queues/{queue}"
    launch = b'{"spec": {"project": "p", "overrides": {"run_config": {"lr": %s}}}}'
    for number in (b"1e999", b"-1e999", b"Infinity", b"NaN"):
        for path in (f"{rest}/items", f"{rest}/plan"):
            answer = client.server.ask("POST", path.removeprefix("/api/v1"), data=launch % number)
            assert answer.status_code == 422, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["detail"].startswith("body: is no JSON")
    config = b'{"config": {"env": {"A": 1e999}}}'
    assert (
        client.server.ask("PATCH", f"/entities/team/queues/{queue}", data=config).status_code == 422
    )
    for spec in ('"{\\"a\\": 1e999}"', "{a: 1e999}", "{a: [{b: -1e999}]}"):
        [error] = client.ask(PUSH % (queue, spec))["errors"]
        assert error["message"] == "runSpec: is no JSON", spec
    text = "mutation P($s: JSONString!) " + PUSH.removeprefix("mutation") % (queue, "$s")
    body = json.dumps({"query": text, "variables": {"s": {"a": "here"}}}).replace('"here"', "1e999")
    answer = client.post(body)
    assert answer.status_code == 422
    assert "1e999 is too large" in answer.json()["errors"][0]["message"]
    assert client.server.call("GET", f"/entities/team/queues/{queue}")["counts"]["waiting"] == 0
