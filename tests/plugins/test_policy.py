"""What plugins say about launches, machines and events, and what their failures cost."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from launchyard.adapters.prometheus.metrics import PrometheusMetrics
from launchyard.domain.attempt import AttemptState
from launchyard.domain.review import JobEvent, Phase, Question, Rejection, Review
from launchyard.plugins import API, hookimpl
from launchyard.plugins.builtin_policy import SecureMode
from launchyard.plugins.events import MOST
from launchyard.plugins.manager import Plugins, Rules
from launchyard.plugins.policy import PluginPolicy
from launchyard.ports.plugins import Fault

REVIEW = Review(
    phase=Phase.CLAIM,
    target="local-process",
    entity="team",
    queue="q",
    spec={"docker": {"docker_image": "train:1"}},
    config={"nice": 1},
)
HERE = Question(target="local-process", host_bound=True)


class Plugin:
    """A plugin with whatever a test gives it."""

    launchyard_api = API

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Any] = []
        self.told: Mapping[str, Any] = {}

    def give(self, asked: Any, settings: Mapping[str, Any]) -> Any:
        """Note the question; return, raise or call the answer."""
        self.asked.append(asked)
        self.told = settings
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer(asked) if callable(self.answer) else self.answer


class Reviewer(Plugin):
    """A reviewer."""

    @hookimpl
    def review_launch(self, review: Review, settings: Mapping[str, Any]) -> Any:
        return self.give(review, settings)


class Guard(Plugin):
    """A host guard."""

    @hookimpl
    def can_accept(self, question: Question, settings: Mapping[str, Any]) -> Any:
        return self.give(question, settings)


class Listener(Plugin):
    """A receiver of events."""

    @hookimpl
    def job_event(self, event: JobEvent) -> None:
        self.give(event, {})


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """Give an event that is set when the test is over."""
    event = threading.Event()
    yield event
    event.set()


def policy(limit_s: float = 60.0, **plugins: Plugin) -> PluginPolicy:
    """Return a policy of *plugins*."""
    settings: Any = {"strict": {"most": 3}}
    rules = Rules(extra=dict(plugins), settings=settings)
    return PluginPolicy(Plugins(rules), PrometheusMetrics(), limit_s)


def test_without_plugins_all_passes_and_nothing_is_asked() -> None:
    """An installation without rules pays nothing for them."""
    free = policy()
    assert (free.reviews, free.guards, free.listens) == (False, False, False)
    assert free.review(REVIEW).review == REVIEW
    assert free.refusal(HERE) is None


def test_a_rejection_names_plugin_and_rule() -> None:
    """Whoever launched learns whom to ask."""
    strict = Reviewer(Rejection(rule="budget", message="too dear"))
    word = policy(strict=strict).review(REVIEW)
    assert word.text == "refused by strict, rule `budget`: too dear"
    assert not word.unable
    assert strict.told == {"most": 3}


def test_a_reviewer_changes_spec_and_configuration_only() -> None:
    """Where a launch goes and whose it is are no plugin's to say."""
    changed = Reviewer(lambda r: replace(r, spec={"name": "x"}, entity="other", queue="else"))
    after = Reviewer(None)
    word = policy(changed=changed, later=after).review(REVIEW)
    assert word.review == replace(REVIEW, spec={"name": "x"})
    assert word.changed_by == ("changed",)
    assert after.asked == [word.review]


def test_a_reviewer_that_writes_into_what_it_gets_changes_nothing() -> None:
    """Each gets documents of its own."""

    def scribble(review: Review) -> None:
        assert isinstance(review.config, dict)
        review.config["nice"] = 19

    assert policy(rude=Reviewer(scribble)).review(REVIEW).review == REVIEW


@pytest.mark.parametrize("answer", [ValueError("oh"), SystemExit(3), 42, lambda r: r.nothing])
def test_a_reviewer_that_fails_refuses(answer: object) -> None:
    """What was not judged does not run; the next launch is judged again."""
    odd = policy(odd=Reviewer(answer))
    for _ in range(2):
        word = odd.review(REVIEW)
        assert word.rejection is not None
        assert (word.plugin, word.rejection.rule, word.unable) == ("odd", "error", False)
    assert odd.refusal(HERE) is None
    assert len(odd.listing()[-1].faults) == 1


def test_a_reviewer_that_hangs_is_switched_off_and_shuts_the_agent(
    never: threading.Event,
) -> None:
    """The launch that it hung on is refused; later ones are nobody's fault, and go back."""
    stuck = policy(0.05, stuck=Reviewer(lambda _: never.wait()))
    first, second = stuck.review(REVIEW), stuck.review(REVIEW)
    assert first.rejection is not None
    assert "within 0.05 s" in first.rejection.message
    assert (first.unable, second.unable) == (False, True)
    refusal = stuck.refusal(HERE)
    assert refusal is not None
    assert refusal.reason == "reviewer_off"
    assert stuck.listing()[-1].state == "broken"


def test_a_guard_says_no_in_its_words() -> None:
    """A refusal tells which plugin and which rule."""
    full = policy(full=Guard(Rejection(rule="night", message="closed until six")))
    refusal = full.refusal(HERE)
    assert refusal is not None
    assert (refusal.reason, refusal.detail) == ("guard", "full, night: closed until six")


@pytest.mark.parametrize("answer", [OSError("no such disk"), True, "yes"])
def test_a_guard_that_fails_is_a_no(answer: object) -> None:
    """Whatever is no clear yes is a no."""
    refusal = policy(odd=Guard(answer)).refusal(HERE)
    assert refusal is not None
    assert refusal.detail.startswith("odd: ")


def test_a_guard_that_hangs_stays_a_no(never: threading.Event) -> None:
    """It is asked once; after that the agent stays shut for its target."""
    guard = Guard(lambda _: never.wait())
    stuck = policy(0.05, stuck=guard)
    refusals = [stuck.refusal(HERE) for _ in range(3)]
    assert all(refusals)
    assert len(guard.asked) == 1


def event(number: int = 1) -> JobEvent:
    """Return one of an attempt's steps."""
    return JobEvent(
        id=f"i.1.{number}",
        at_ms=1,
        item="i",
        attempt=1,
        seq=number,
        state=AttemptState.RUNNING,
        entity="team",
        queue="q",
        target="local-process",
        agent="a",
    )


def test_events_come_in_their_order() -> None:
    """And all of them, also those that waited when the agent ended."""
    listener = Listener(None)
    told = policy(ear=listener)
    for number in range(50):
        told.tell(event(number))
    told.close(120)
    assert [one.seq for one in listener.asked] == list(range(50))


def test_a_listener_that_raises_hears_on() -> None:
    """A failure costs that event alone."""
    listener = Listener(ValueError("no"))
    told = policy(ear=listener)
    told.tell(event(1))
    told.tell(event(2))
    told.close(120)
    assert len(listener.asked) == 2


def test_a_listener_that_hangs_holds_nobody_up(never: threading.Event) -> None:
    """Telling returns at once; what does not fit is dropped, and others hear everything."""
    seen = threading.Event()

    def hang(_: JobEvent) -> None:
        seen.set()
        never.wait()

    good = Listener(None)
    metrics = PrometheusMetrics()
    rules = Rules(extra={"stuck": Listener(hang), "good": good})
    told = PluginPolicy(Plugins(rules), metrics, 30.0)
    told.tell(event(0))
    assert seen.wait(120)
    for number in range(MOST + 10):
        told.tell(event(number))
    dropped = [
        sample.value
        for sample in metrics.snapshot()
        if sample.family.name == "plugin_events"
        and sample.labels.get("plugin") == "stuck"
        and sample.labels.get("result") == "dropped"
    ]
    assert 10.0 in dropped
    told.close(0.2)


def test_secure_mode_comes_last() -> None:
    """It judges what others have made of a launch."""
    loosen = Reviewer(lambda r: replace(r, config={"shell": True}))
    rules = Rules(extra={"secure-mode": SecureMode(), "loosen": loosen})
    plugins = Plugins(rules)
    next(row for row in plugins.rows_with("review_launch") if row.name == "loosen").origin = "dist"
    word = PluginPolicy(plugins).review(REVIEW)
    assert (word.plugin, word.changed_by) == ("secure-mode", ())
    assert loosen.asked


def test_faults_are_told_as_they_happen() -> None:
    """Log and metric hear of each, however often; the list holds each sort once."""
    heard: list[Fault] = []
    plugins = Plugins(Rules(extra={"odd": Guard(OSError("x"))}), heard.append)
    asked = PluginPolicy(plugins)
    asked.refusal(HERE)
    asked.refusal(HERE)
    assert [(fault.plugin, fault.hook) for fault in heard] == [("odd", "can_accept")] * 2
