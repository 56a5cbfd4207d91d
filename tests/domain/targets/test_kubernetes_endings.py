"""Why a job on a cluster failed."""

from __future__ import annotations

import itertools

import pytest

from launchyard.domain.attempt import AttemptState as S
from launchyard.domain.documents import Json
from launchyard.domain.reason import Reason
from launchyard.domain.targets.kubernetes_objects import summarise_object
from launchyard.domain.targets.kubernetes_pods import MAIN
from launchyard.domain.targets.kubernetes_status import Grace, Sight, judge
from tests.domain.targets.kubernetes_kit import (
    NOW_MS,
    RUNS,
    condition,
    ended,
    event,
    job,
    judged,
    pod,
    summary,
    waiting,
)

FAILED = condition("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")


def disrupted(reason: str, status: str = "True") -> Json:
    """Return the condition of a pod that the cluster takes away."""
    return condition("DisruptionTarget", reason, "preempted by a pod of higher priority", status)


TAKEN = [
    "PreemptionByScheduler",
    "DeletionByTaintManager",
    "EvictionByEvictionAPI",
    "DeletionByPodGC",
    "TerminationByKubelet",
]


@pytest.mark.parametrize("reason", TAKEN)
def test_a_preempted_job_is_preempted(reason: str) -> None:
    """W-07: every reason counts, and the job's failure that follows does not hide it."""
    leaving = pod("Running", RUNS, conditions=[disrupted(reason)])
    still = judged(job(active=1), leaving)
    assert still.state is S.RUNNING, "its job might replace it: only the job says when it is over"
    assert reason in still.detail
    gone = pod("Failed", ended(137), conditions=[disrupted(reason)])
    over = judged(job(FAILED, failed=1), gone)
    assert (over.state, over.reason) == (S.PREEMPTED, Reason.PREEMPTED)


def test_a_condition_that_is_false_takes_nobody() -> None:
    """W-07: the status of a condition counts, too."""
    fine = pod("Failed", ended(1), conditions=[disrupted(TAKEN[0], "False")])
    assert judged(job(FAILED), fine).reason is Reason.EXIT_CODE


def test_a_job_remembers_the_preemption_of_a_pod_that_is_gone() -> None:
    """W-07: our failure policy writes it into the Job; else an event of the pod tells."""
    said = "Pod ml/x has condition DisruptionTarget matching FailJob rule at index 0"
    over = judged(job(condition("Failed", "PodFailurePolicy", said)))
    assert over.state is S.PREEMPTED
    told = (event("Pod", "p1", "Preempted", "Preempted by pod y on node n1"),)
    assert judged(job(FAILED), events=told).state is S.PREEMPTED
    assert judged(job(FAILED), pod("Failed", ended(3)), events=told).reason is Reason.EXIT_CODE


def test_evictions_tell_whose_fault_they_are() -> None:
    """A node that runs out takes the pod away; a pod over its own limit failed."""
    pressure = pod("Failed", reason="Evicted", message="The node was low on resource: memory.")
    seen = judged(job(FAILED), pressure)
    assert (seen.state, seen.reason) == (S.PREEMPTED, Reason.EVICTED)
    limit = "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi."
    seen = judged(job(FAILED), pod("Failed", reason="Evicted", message=limit))
    assert (seen.state, seen.reason) == (S.FAILED, Reason.OUT_OF_STORAGE)


@pytest.mark.parametrize("reason", ["NodeLost", "NodeShutdown", "Terminated"])
def test_a_lost_node_preempts(reason: str) -> None:
    """The job did nothing wrong."""
    assert judged(job(FAILED), pod("Failed", reason=reason)).state is S.PREEMPTED


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (ended(137, "OOMKilled"), Reason.OUT_OF_MEMORY, "limits.memory"),
        (ended(3), Reason.EXIT_CODE, "code 3"),
        (ended(127), Reason.COMMAND_NOT_FOUND, "not found"),
        (ended(143), Reason.KILLED_BY_SIGNAL, "SIGTERM"),
        (
            ended(128, "StartError", message='exec: "x": executable file not found in $PATH'),
            Reason.COMMAND_NOT_FOUND,
            "executable file",
        ),
        (ended(128, "ContainerCannotRun", message="bad mount"), Reason.CONTAINER_CONFIG, "bad"),
    ],
)
def test_the_main_containers_end_is_the_jobs(status: Json, reason: Reason, words: str) -> None:
    """Exit code, memory, signal and a missing command each have a reason and the code."""
    seen = judged(job(FAILED, failed=1), pod("Failed", status))
    assert (seen.state, seen.reason) == (S.FAILED, reason)
    assert seen.exit_code
    assert words in seen.detail


def test_the_main_container_is_the_one_that_the_pod_names() -> None:
    """The API tells of containers in an order of its own; a sidecar's end does not explain ours."""
    found = pod("Failed", ended(143, name="a-proxy"), ended(5, name="job"))
    found["metadata"]["annotations"] = {MAIN: "job"}  # type: ignore[index, call-overload]
    assert judged(job(FAILED), found).exit_code == 5
    fetch = pod("Failed", ended(0), initContainerStatuses=[ended(1, name="init")])
    assert judged(job(FAILED), fetch).detail.startswith("container init")


def test_an_order_of_pods_changes_nothing() -> None:
    """What is said of a job follows from the set of its pods."""
    pods = [
        summary(pod("Failed", ended(1))),
        summary(pod("Failed", ended(137), conditions=[disrupted(TAKEN[0])])),
        summary(pod("Pending", waiting("ErrImagePull", "x"))),
    ]
    found = summarise_object(job(FAILED))
    seen = {
        judge(Sight(found=found, pods=order), NOW_MS, Grace())
        for order in itertools.permutations(pods)
    }
    assert {one.state for one in seen} == {S.PREEMPTED}
