"""What events explain of an attempt that gets nowhere, and for how long."""

from __future__ import annotations

import pytest

from launchyard.domain.attempt import AttemptState as S
from launchyard.domain.documents import Json
from launchyard.domain.reason import Reason
from tests.domain.targets.kubernetes_kit import (
    NOW_MS,
    RUNS,
    STAMP,
    condition,
    container,
    event,
    job,
    judged,
    moment,
    pod,
    waiting,
)

NO_CLASS = 'Error creating: pods "x-" is forbidden: no PriorityClass with name fast was found'


@pytest.mark.parametrize(
    ("message", "expected", "grace_s"),
    [
        ('pods "x" is forbidden: exceeded quota: gpu, used: 8', Reason.QUOTA_EXCEEDED, 1800),
        ("pods is forbidden: violates PodSecurity", Reason.CONTAINER_CONFIG, 300),
        (NO_CLASS, Reason.CONTAINER_CONFIG, 300),
        ('pods "x-" is forbidden: minimum cpu usage per Container', Reason.CONTAINER_CONFIG, 300),
        ('pods is forbidden: User "jobs" cannot create resource', Reason.SUBMIT_FAILED, 300),
        ("Internal error occurred", Reason.SUBMIT_FAILED, 300),
    ],
)
def test_a_job_without_pods_is_explained_by_its_events(
    message: str, expected: Reason, grace_s: int
) -> None:
    """Quota and the cluster's own rules show nowhere else."""
    said = (event("Job", "j1", "FailedCreate", message),)
    assert judged(job(), events=said, after_s=grace_s - 1).detail.startswith("FailedCreate")
    over = judged(job(), events=said, after_s=grace_s)
    assert (over.state, over.reason) == (S.FAILED, expected)


def test_volumes_that_are_not_there_are_told_by_events() -> None:
    """The pod only says that its container is being created."""
    making = pod("Pending", waiting("ContainerCreating"))
    missing = event(
        "Pod", "p1", "FailedMount", 'secret "data" not found', lastTimestamp=moment(180)
    )
    said = (missing,)
    seen = judged(job(active=1), making, events=said, after_s=300)
    assert (seen.reason, seen.hopeless) == (Reason.CONTAINER_CONFIG, True)
    assert judged(job(active=1), making, events=(), after_s=300).state is S.PENDING


def test_a_hiccup_of_a_node_that_passed_ends_nothing() -> None:
    """No event tells that it is over: it is no longer repeated while an image is fetched."""
    making = pod("Pending", waiting("ContainerCreating"))
    said = (event("Pod", "p1", "FailedCreatePodSandBox", "cni", lastTimestamp=moment(10)),)
    seen = judged(job(active=1), making, events=said, after_s=20)
    assert seen.detail.startswith("FailedCreatePodSandBox")
    assert seen.again_ms == NOW_MS + 190_000, "its words are taken back when it falls silent"
    later = judged(job(active=1), making, events=said, after_s=300)
    assert (later.state, later.detail) == (S.PENDING, "")


def test_a_pod_that_got_further_has_no_more_trouble_with_its_node() -> None:
    """Its sandbox is there, or a container of it runs, however lately it was otherwise."""
    told = event("Pod", "p1", "FailedMount", "slow", lastTimestamp=moment(290))
    waits = waiting("PodInitializing")
    ready = pod("Pending", waits, conditions=[condition("PodReadyToStartContainers")])
    fetches = container("fetch", {"running": {"startedAt": STAMP}})
    begun = pod("Pending", waits, initContainerStatuses=[fetches])
    for found in (ready, begun):
        assert judged(job(active=1), found, events=(told,), after_s=300).state is S.PENDING
    not_yet = pod("Pending", waits, conditions=[condition("PodReadyToStartContainers", status="")])
    assert judged(job(active=1), not_yet, events=(told,), after_s=300).hopeless


def test_events_of_one_reason_are_one_trouble() -> None:
    """Each refusal of a quota names another pod, and so is an event of its own."""
    said = "pods {} is forbidden: exceeded quota: gpu"
    old = event("Job", "j1", "FailedCreate", said.format("x-1"))
    more: dict[str, Json] = {"firstTimestamp": moment(1500), "lastTimestamp": moment(1500)}
    new = event("Job", "j1", "FailedCreate", said.format("x-2"), **more)
    for kept in (new.after(old), old.after(new)):
        assert (kept.first_ms, kept.last_ms) == (NOW_MS, NOW_MS + 1_500_000)
        over = judged(job(), events=(kept,), after_s=1800)
        assert over.reason is Reason.QUOTA_EXCEEDED
        assert "x-2" in over.detail


def test_a_refused_replacement_has_the_whole_grace() -> None:
    """The first pod was refused for a moment, too; since then there was one."""
    more: dict[str, Json] = {"lastTimestamp": moment(7000)}
    said = (event("Job", "j1", "FailedCreate", "exceeded quota: gpu", **more),)
    leaving = pod("Running", RUNS)
    leaving["metadata"] |= {  # type: ignore[operator]
        "deletionTimestamp": moment(7000),
        "creationTimestamp": moment(6900),
    }
    leaving["status"] |= {"containerStatuses": []}  # type: ignore[operator]
    seen = judged(job(), leaving, events=said, after_s=7000)
    assert seen.again_ms == NOW_MS + (6900 + 1800) * 1000


@pytest.mark.parametrize("when", ["series", "eventTime", "creationTimestamp"])
def test_events_of_every_kind_tell_their_times(when: str) -> None:
    """Old recorders write first and last times, new ones a moment and a series."""
    stamp: Json = moment(5)
    ways: dict[str, dict[str, Json]] = {
        "series": {"eventTime": STAMP, "series": {"count": 2, "lastObservedTime": stamp}},
        "eventTime": {"eventTime": stamp},
        "creationTimestamp": {"metadata": {"creationTimestamp": stamp}},
    }
    kept = event("Pod", "p1", "FailedMount", "x", **{"firstTimestamp": None, **ways[when]})
    assert kept.last_ms == NOW_MS + 5000
    assert kept.first_ms == NOW_MS + (0 if when == "series" else 5000)
