"""Whatever answers, or does not: the error says what, why and the remedy."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from launchyard.adapters.client.operator import RestOperator
from launchyard.adapters.client.server import RestLaunchServer
from launchyard.adapters.client.transport import Call, Transport
from launchyard.domain.exchange import Caller
from launchyard.ports.launch_server import ServerError, StaleAgentError
from launchyard.ports.operator import Failure, OperatorError
from tests.adapters.client.scripted import Asked, Reply, as_json, problem, scripted

KEY = "k" * 40
CALLER = Caller(agent="a", epoch=1)


def _failure(reply: Reply) -> OperatorError:
    """Return the error that a reply becomes."""
    with scripted(lambda _: reply) as server:
        operator = RestOperator(server.url, KEY)
        with pytest.raises(OperatorError) as caught:
            operator.me()
        operator.close()
    return caught.value


@pytest.mark.parametrize(
    ("status", "failure", "retry"),
    [
        (401, Failure.AUTH, False),
        (403, Failure.AUTH, False),
        (404, Failure.NOT_FOUND, False),
        (409, Failure.CONFLICT, False),
        (413, Failure.INVALID, False),
        (422, Failure.INVALID, False),
        (429, Failure.OTHER, True),
        (500, Failure.OTHER, True),
        (503, Failure.OTHER, True),
        (507, Failure.OTHER, True),
    ],
)
def test_a_refusal_keeps_its_words_and_kind(status: int, failure: Failure, retry: bool) -> None:
    """The server's sentence and remedy reach people; `retry` tells agents whether it may pass."""
    error = _failure(problem(status, "this is why", remedy="do that"))
    assert str(error) == "this is why"
    assert error.remedy == "do that"
    assert (error.status, error.refusal.failure, error.retry) == (status, failure, retry)


def test_a_name_that_is_near_is_offered() -> None:
    """Near names become a "did you mean"."""
    error = _failure(problem(404, "there is no queue mian", known=["main", "mine"]))
    assert error.remedy.startswith("did you mean `main`, `mine`?")


def test_a_near_name_is_not_offered_twice() -> None:
    """A server that says it in its own words has the last one."""
    error = _failure(problem(404, "no queue", known=["main"], remedy="did you mean main?"))
    assert error.remedy == "did you mean main?"


def test_every_problem_of_a_document_arrives() -> None:
    """With its path and the hint."""
    told = {"path": "overrides.args", "message": "must be a list", "hint": "write a list"}
    error = _failure(problem(422, "not valid", problems=[told, told]))
    assert error.refusal.problems == (("overrides.args", "must be a list", "write a list"),) * 2


@pytest.mark.parametrize(
    ("message", "told"),
    [("is not known here", "allowed: a, b"), ("must be one of a, b", "")],
    ids=["news", "said already"],
)
def test_what_would_be_allowed_is_told_where_nothing_else_is(message: str, told: str) -> None:
    """Unless the message has it in words."""
    wrong = {"path": "retry", "message": message, "hint": "", "allowed": "a, b"}
    error = _failure(problem(422, "not valid", problems=[wrong]))
    assert error.refusal.problems == (("retry", message, told),)


def test_a_web_page_is_no_server() -> None:
    """A wrong address or port often answers HTML, with success even."""
    error = _failure(Reply(200, b"<html>hello</html>", "text/html"))
    assert "no Launchyard server" in str(error)
    assert "text/html" in error.refusal.where
    assert error.refusal.failure is Failure.UNREACHABLE
    assert not error.retry


def test_a_gateway_that_fails_is_tried_again() -> None:
    """A proxy before the server answers HTML while the server restarts."""
    error = _failure(Reply(502, b"<html>bad gateway</html>", "text/html"))
    assert error.retry
    assert "Bad Gateway" in str(error)


def test_the_key_is_not_sent_after_a_redirect() -> None:
    """The answer names the new address instead."""
    with scripted(lambda _: as_json({})) as other:
        place = f"{other.url}/api/v1/me"
        error = _failure(Reply(307, headers={"Location": place}))
        assert place in str(error)
        assert not other.asked


def test_nobody_there() -> None:
    """Connection refused: may pass, and the address is named."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(OperatorError, match=url) as caught:
            RestOperator(url, KEY).me()
    assert caught.value.retry
    assert caught.value.refusal.failure is Failure.UNREACHABLE
    assert caught.value.refusal.where == "connection refused"


def test_a_silent_server_is_not_waited_for_for_ever() -> None:
    """A connection that is taken and never answered ends in a time-out."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        http = Transport(f"http://127.0.0.1:{silent.getsockname()[1]}", KEY)
        with pytest.raises(OperatorError) as caught:
            http.json(Call(method="GET", path="/me", read_s=0.1))
        http.close()
    assert caught.value.refusal.failure is Failure.TIMEOUT
    assert caught.value.retry


def test_a_dead_kept_connection_is_opened_anew() -> None:
    """A server that restarted costs one repeat, not an error."""
    replies = iter([Reply(drop=True), as_json({"user": "ada"})])
    with scripted(lambda _: next(replies)) as server:
        operator = RestOperator(server.url, KEY)
        assert operator.me().user == "ada"
        operator.close()


def test_what_could_be_made_twice_is_not_repeated() -> None:
    """A lost answer to making a key is told, because the key may be there."""
    with scripted(lambda _: Reply(drop=True)) as server:
        operator = RestOperator(server.url, KEY)
        with pytest.raises(OperatorError) as caught:
            operator.revoke_key("k1")
        assert len(server.asked) == 2
        with pytest.raises(OperatorError):
            operator.cancel("i1")
        server.asked.clear()
        with pytest.raises(OperatorError):
            operator._make("/keys", {})
        assert len(server.asked) == 1
        assert caught.value.refusal.where == "the connection broke off"
        operator.close()


def test_an_old_agent_is_told_so() -> None:
    """410 means that a newer start of the same agent has registered."""
    with scripted(lambda _: problem(410, "epoch 2 is here")) as server:
        agent = RestLaunchServer(server.url, KEY)
        with pytest.raises(StaleAgentError):
            agent.goodbye(CALLER)
        agent.close()


def test_an_answer_of_another_form_is_told() -> None:
    """Server and client of different releases: says which form was expected."""
    with scripted(lambda _: as_json({"agent": 3})) as server:
        agent = RestOperator(server.url, KEY)
        with pytest.raises(ServerError, match="no Me: user: is missing"):
            agent.me()
        agent.close()


def test_names_cannot_lead_elsewhere() -> None:
    """A queue called `../../keys` is asked for under that name."""
    with scripted(lambda _: problem(404, "no")) as server:
        operator = RestOperator(server.url, KEY)
        with pytest.raises(OperatorError):
            operator.queue("team", "../../keys?x#y")
        operator.close()
    assert server.asked[0].path == "/api/v1/entities/team/queues/..%2F..%2Fkeys%3Fx%23y"


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies are read once, and NO_PROXY keeps hosts out."""

    def answer(asked: Asked) -> Reply:
        return as_json({"user": asked.path})

    with scripted(answer) as proxy:
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        far = RestOperator("http://far.example:1", KEY)
        assert far.me().user == "http://far.example:1/api/v1/me"
        far.close()
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        near = RestOperator(proxy.url, KEY)
        assert near.me().user == "/api/v1/me"
        near.close()


def test_an_untrusted_certificate_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle that is not there trusts nobody; the error says which variable names it."""
    missing = tmp_path / "none.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(missing))
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    operator = RestOperator("https://127.0.0.1:1", KEY)
    with pytest.raises(OperatorError, match="not trusted") as caught:
        operator.me()
    assert caught.value.refusal.failure is Failure.UNREACHABLE
    assert "SSL_CERT_FILE" in caught.value.remedy
    operator.close()
