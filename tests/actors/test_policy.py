"""Plugins' word about launches and machines, as the agent keeps it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import Refusal
from launchyard.domain.reason import Reason
from launchyard.domain.review import JobEvent, Question, Rejection, Review, Reviewed
from launchyard.ports.plugins import PluginView
from tests.actors.kit import LIMIT_S, TARGET, Bench, once, runs_of, until
from tests.actors.server import ScriptedServer

S = AttemptState


def passes(review: Review) -> Reviewed:
    """Let a launch pass as it is."""
    return Reviewed(review=review)


@dataclass
class ScriptedPolicy:
    """A `Policy` with the words of a test."""

    judge: Callable[[Review], Reviewed] = passes
    no: Refusal | None = None
    events: list[JobEvent] = field(default_factory=list)
    seen: list[Review] = field(default_factory=list)
    reviews = guards = listens = True

    def review(self, review: Review) -> Reviewed:
        self.seen.append(review)
        return self.judge(review)

    def refusal(self, question: Question) -> Refusal | None:
        assert question.host_bound
        return self.no

    def tell(self, event: JobEvent) -> None:
        self.events.append(event)

    def listing(self) -> Sequence[PluginView]:
        return (PluginView(name="scripted", origin="tests", version="1", state="on"),)

    def close(self, timeout_s: float) -> None:
        """Hold nothing."""


@pytest.fixture
def server() -> ScriptedServer:
    """Return a server whose leases hold for long."""
    return ScriptedServer()


@pytest.fixture
def policy() -> ScriptedPolicy:
    """Return rules that let everything pass."""
    return ScriptedPolicy()


@pytest.fixture
def bench(tmp_path: Path, server: ScriptedServer, policy: ScriptedPolicy) -> Bench:
    """Return a folder for agents of that server under those rules."""
    return Bench(tmp_path, server, policy=policy, look_s=0.1)


def test_a_refused_launch_never_runs(
    bench: Bench, server: ScriptedServer, policy: ScriptedPolicy
) -> None:
    """Its end says who refused it and by which rule; others run."""

    def judge(review: Review) -> Reviewed:
        no = Rejection(rule="night", message="not now")
        return replace(
            passes(review), rejection=no if review.item == "a" else None, plugin="strict"
        )

    policy.judge = judge
    server.enqueue("a", *once(bench.folder / "a"))
    server.enqueue("b", *once(bench.folder / "b"))
    with bench.running() as running:
        end = server.wait_end("a")
        assert (end.state, end.reason) == (S.REJECTED, Reason.REVIEW_REJECTED)
        assert end.detail == "refused by strict, rule `night`: not now"
        assert server.wait_end("b").state is S.SUCCEEDED
        assert running.agent.view.status().plugins[0].name == "scripted"
    assert (runs_of(bench.folder / "a"), runs_of(bench.folder / "b")) == (0, 1)


def test_a_changed_launch_runs_as_changed_and_is_judged_once(
    bench: Bench, server: ScriptedServer, policy: ScriptedPolicy
) -> None:
    """The journal keeps what came of it: a heartbeat's or another start's lease changes nothing."""
    words = [*once(bench.folder / "changed")]
    policy.judge = lambda r: passes(replace(r, spec={"overrides": {"entry_point": [*words]}}))
    server.enqueue("a", *once(bench.folder / "asked"))
    with bench.running():
        assert server.wait_end("a").state is S.SUCCEEDED
    assert (runs_of(bench.folder / "asked"), runs_of(bench.folder / "changed")) == (0, 1)
    assert len(policy.seen) == 1


def test_a_slow_reviewer_holds_no_other_work_up(
    bench: Bench, server: ScriptedServer, policy: ScriptedPolicy
) -> None:
    """Heartbeats and reports go on, and a cancel ends what is being judged."""
    go = threading.Event()

    def judge(review: Review) -> Reviewed:
        if review.item == "a":
            go.wait(LIMIT_S)
        return passes(review)

    policy.judge = judge
    server.enqueue("a", *once(bench.folder / "a"))
    server.enqueue("b", *once(bench.folder / "b"))
    with bench.running():
        assert server.wait_end("b").state is S.SUCCEEDED
        server.cancel("a")
        assert server.wait_end("a").state is S.CANCELLED
        go.set()
    assert runs_of(bench.folder / "a") == 0


def test_what_nobody_can_judge_goes_back(
    bench: Bench, server: ScriptedServer, policy: ScriptedPolicy
) -> None:
    """It uses up no attempt, and nothing more is claimed until somebody can."""

    def judge(review: Review) -> Reviewed:
        policy.no = Refusal(reason="reviewer_off", detail="strict is off")
        return replace(passes(review), unable=True)

    policy.judge = judge
    server.enqueue("a", *once(bench.folder / "a"))
    with bench.running() as running:
        server.wait(lambda: TARGET in server.refusing, "a refusal")
        server.wait(lambda: not server.items["a"].holder, "the item back in its place")
        assert "strict is off" in running.agent.view.status().why
        policy.judge, policy.no = passes, None
        assert server.wait_end("a").state is S.SUCCEEDED
    assert runs_of(bench.folder / "a") == 1


def test_nothing_is_claimed_while_the_machine_is_full(
    bench: Bench, server: ScriptedServer, policy: ScriptedPolicy
) -> None:
    """From the first claim on; the server and /status hear why, and it passes by itself."""
    policy.no = Refusal(reason="host_guard", detail="disk: 1 GiB free, and 10 GiB must be")
    server.enqueue("a", *once(bench.folder / "a"))
    with bench.running() as running:
        server.wait(lambda: server.refusing.get(TARGET) == policy.no, "the refusal")
        assert "10 GiB must be" in running.agent.view.status().why
        assert runs_of(bench.folder / "a") == 0
        policy.no = None
        assert server.wait_end("a").state is S.SUCCEEDED
        until(lambda: not running.agent.view.status().why, "nothing to be said")


def test_listeners_hear_each_step(
    bench: Bench, server: ScriptedServer, policy: ScriptedPolicy
) -> None:
    """In their order, and the end with its reason."""
    server.enqueue("a", "/bin/sh", "-c", "exit 3")
    with bench.running():
        server.wait_end("a")
    end = policy.events[-1]
    assert (end.item, end.attempt, end.state) == ("a", 1, S.FAILED)
    assert (end.reason, end.exit_code) == (Reason.EXIT_CODE, 3)
    assert [e.seq for e in policy.events] == sorted({e.seq for e in policy.events})
