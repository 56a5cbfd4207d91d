"""What a cluster says of an attempt, in our words."""

from __future__ import annotations

import pytest

from launchyard.domain.attempt import AttemptState as S
from launchyard.domain.documents import Json
from launchyard.domain.reason import Reason
from launchyard.domain.targets.kubernetes_objects import (
    summarise_object,
)
from launchyard.domain.targets.kubernetes_pods import summarise_pod
from launchyard.domain.targets.kubernetes_status import GONE, Grace, Sight, judge
from tests.domain.targets.kubernetes_kit import (
    NOW_MS,
    RUNS,
    STAMP,
    condition,
    container,
    ended,
    job,
    judged,
    pod,
    summary,
    waiting,
)


@pytest.mark.parametrize("succeeded", [0, 1, 7])
def test_counters_tell_nothing(succeeded: int) -> None:
    """W-03: one finished pod of several is no end; the condition is, whatever a counter says."""
    counting = job(succeeded=succeeded, active=3, failed=0)
    assert judged(counting, pod("Running", RUNS)).state is S.RUNNING
    done = job(condition("SuccessCriteriaMet"), condition("Complete"), succeeded=succeeded)
    assert judged(done).state is S.SUCCEEDED
    assert judged(done).reason is Reason.COMPLETED


def test_a_failed_pod_that_is_retried_is_no_end() -> None:
    """W-04: `failed: 1` with retries left is a job that runs; Failed without any pod is its end."""
    assert judged(job(failed=1, active=1), pod("Failed", ended(1)), pod("Running", RUNS)).state is (
        S.RUNNING
    )
    over = judged(job(condition("Failed", "DeadlineExceeded", "Job was active longer than 60 s")))
    assert (over.state, over.reason) == (S.TIMED_OUT, Reason.RUN_TIMEOUT)
    assert "longer than 60 s" in over.detail


def test_a_pod_is_over_before_its_job_says_so() -> None:
    """In between the attempt still runs; it waits again only when a new pod has to start."""
    for phase, status in (("Succeeded", ended(0, "Completed")), ("Failed", ended(1))):
        assert judged(job(), pod(phase, status)).state is S.RUNNING
    retried = judged(job(active=1, failed=1), pod("Failed", ended(1)), pod("Pending"))
    assert retried.state is S.PENDING


def test_an_end_that_is_only_decided_is_awaited() -> None:
    """FailureTarget comes before Failed; until then pods of it may still run."""
    seen = judged(job(condition("FailureTarget", "BackoffLimitExceeded")))
    assert seen.state is S.RUNNING


def test_a_container_that_is_being_made_does_not_run() -> None:
    """W-05: creating is waiting, and so is a pod whose sidecar alone runs."""
    assert judged(job(active=1), pod("Pending", waiting("ContainerCreating"))).state is S.PENDING
    sidecar = container("proxy", {"running": {"startedAt": STAMP}})
    mixed = pod("Running", waiting("ContainerCreating"), sidecar)
    assert judged(job(active=1), mixed).state is S.PENDING
    assert judged(job(active=1), pod("Running", RUNS)).at_ms == NOW_MS


@pytest.mark.parametrize(
    ("reason", "message", "expected"),
    [
        ("ErrImagePull", "reg/x:1: not found", Reason.SOURCE_NOT_FOUND),
        (
            "ImagePullBackOff",
            "pull access denied, repository does not exist",
            Reason.SOURCE_REFUSED,
        ),
        ("ErrImagePull", "dial tcp: i/o timeout", Reason.SOURCE_UNREACHABLE),
        ("ErrImageNeverPull", "", Reason.SOURCE_NOT_FOUND),
        ("CreateContainerConfigError", 'secret "x" not found', Reason.CONTAINER_CONFIG),
        ("CreateContainerError", "bad mount", Reason.CONTAINER_CONFIG),
        ("RunContainerError", 'exec: "x": executable file not found', Reason.COMMAND_NOT_FOUND),
    ],
)
def test_a_pod_that_cannot_start_is_explained_and_given_up(
    reason: str, message: str, expected: Reason
) -> None:
    """W-05: the cluster's words at once, an end when the grace is over, and the moment to look."""
    stuck = pod("Pending", waiting(reason, message))
    seen = judged(job(active=1), stuck, after_s=299)
    assert (seen.state, seen.again_ms) == (S.PENDING, NOW_MS + 300_000)
    assert reason in seen.detail
    assert message in seen.detail
    over = judged(job(active=1), stuck, after_s=300)
    assert (over.state, over.reason, over.hopeless) == (S.FAILED, expected, True)
    assert reason in over.detail


def test_what_may_help_fits_the_words() -> None:
    """A claim that is not there wants no smaller job, and a user who is root no secret."""
    said = '0/1 nodes are available: 1 persistentvolumeclaim "data" not found.'
    claim = pod(conditions=[condition("PodScheduled", "Unschedulable", said, "False")])
    assert "make the volume claim" in judged(job(active=1), claim).detail
    said = "container has runAsNonRoot and image will run as root"
    user = pod("Pending", waiting("CreateContainerConfigError", said))
    assert judged(job(active=1), user).detail.endswith("root: `securityContext.runAsUser`")


def test_a_name_that_is_none_is_given_up_at_once() -> None:
    """No time makes an image's name right."""
    seen = judged(job(active=1), pod("Pending", waiting("InvalidImageName", "UPPER")))
    assert (seen.state, seen.reason, seen.hopeless) == (S.FAILED, Reason.SPEC_INVALID, True)


def test_a_trouble_that_goes_on_keeps_its_beginning() -> None:
    """Back-off and new tries alternate; a trouble that passed begins anew."""
    first = summarise_pod(pod("Pending", waiting("ErrImagePull", "x")), NOW_MS)
    again = summarise_pod(pod("Pending", waiting("ImagePullBackOff", "x")), NOW_MS + 9000, first)
    assert again.trouble is not None
    assert again.trouble.since_ms == NOW_MS
    fine = summarise_pod(pod("Pending", waiting("ContainerCreating")), NOW_MS + 10_000, again)
    assert fine.trouble is None
    later = summarise_pod(pod("Pending", waiting("ErrImagePull", "x")), NOW_MS + 11_000, fine)
    assert later.trouble is not None
    assert later.trouble.since_ms == NOW_MS + 11_000


@pytest.mark.parametrize("later", ['Back-off pulling image "reg/denied:404"', ""])
def test_a_pull_that_is_put_off_keeps_its_cause(later: str) -> None:
    """Clusters before 1.32 say it in the moment of the failure alone; alone, words tell nothing."""
    refused = "reg/x:1: 401 Unauthorized"
    first = summarise_pod(pod("Pending", waiting("ErrImagePull", refused)), NOW_MS)
    away = pod("Pending", waiting("ImagePullBackOff", later))
    kept = summarise_pod(away, NOW_MS + 9000, summarise_pod(away, NOW_MS + 5000, first)).trouble
    assert kept == first.trouble
    assert kept is not None
    assert (kept.reason, kept.since_ms) == (Reason.SOURCE_REFUSED, NOW_MS)
    assert "401" in kept.said
    assert judged(job(active=1), away, after_s=300).reason is Reason.SOURCE_UNREACHABLE
    other = pod("Pending", waiting("ImagePullBackOff", later, name="beside"))
    found = summarise_pod(other, NOW_MS + 9000, first).trouble
    assert found is not None
    assert "401" not in found.said
    absent = pod("Pending", waiting("ErrImagePull", "reg/x:1: not found"))
    found = summarise_pod(absent, NOW_MS + 9000, first).trouble
    assert found is not None
    assert found.reason is Reason.SOURCE_NOT_FOUND


def test_crash_loops_are_the_clusters_business() -> None:
    """The owner asked for restarts; the backoff limit ends them."""
    looping = pod("Running", waiting("CrashLoopBackOff", "back-off 5m0s restarting"))
    assert judged(job(active=1), looping, after_s=9999).state is S.PENDING


@pytest.mark.parametrize("reason", ["Unschedulable", "SchedulerError"])
def test_a_pod_that_no_node_takes_waits_longer(reason: str) -> None:
    """W-05: nodes may join; after the longer grace the attempt is over."""
    said = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
    stuck = pod(conditions=[condition("PodScheduled", reason, said, "False")])
    seen = judged(job(active=1), stuck, after_s=1799)
    assert (seen.state, seen.suspended) == (S.PENDING, False)
    assert said in seen.detail
    over = judged(job(active=1), stuck, after_s=1800)
    assert (over.reason, over.hopeless) == (Reason.UNSCHEDULABLE, True)


def test_a_pod_behind_a_scheduling_gate_waits_as_a_suspended_job_does() -> None:
    """Somebody holds it back on purpose: it frees its slot, and no grace ends the attempt."""
    gate = condition("PodScheduled", "SchedulingGated", "Scheduling is blocked by a gate", "False")
    seen = judged(job(active=1), pod(conditions=[gate]), after_s=10**7)
    assert (seen.state, seen.suspended, seen.again_ms) == (S.PENDING, True, None)
    assert "Scheduling is blocked" in seen.detail
    stuck = pod("Pending", waiting("ErrImagePull", "x"))
    stuck["metadata"]["uid"] = "p2"  # type: ignore[index, call-overload]
    assert judged(job(active=2), pod(conditions=[gate]), stuck, after_s=300).hopeless


def test_a_grace_of_nothing_waits_for_ever() -> None:
    """Some clusters are queues."""
    stuck = pod(conditions=[condition("PodScheduled", "Unschedulable", "no", "False")])
    sight = Sight(found=summarise_object(job(active=1)), pods=(summary(stuck),))
    seen = judge(sight, NOW_MS + 10**10, Grace(schedule_s=0))
    assert (seen.state, seen.again_ms) == (S.PENDING, None)


def test_a_suspended_job_waits_and_frees_its_slot() -> None:
    """Kueue holds it back, before its start or in the middle."""
    for found in (job(condition("Suspended", "JobSuspended", "Job suspended")), job(suspend=True)):
        seen = judged(found)
        assert (seen.state, seen.suspended) == (S.PENDING, True)
        assert seen.detail
    resumed = job(condition("Suspended", "JobResumed", "Job resumed", "False"), active=1)
    assert judged(resumed, pod("Running", RUNS)).suspended is False


def test_pods_of_the_same_name_are_told_apart() -> None:
    """W-12: another uid has its own trouble; labels say whose a pod is, so namespaces never mix."""
    first = summarise_pod(pod("Pending", waiting("ErrImagePull")), NOW_MS)
    other = pod("Pending", waiting("ErrImagePull"))
    other["metadata"]["uid"] = "p2"  # type: ignore[index, call-overload]
    second = summarise_pod(other, NOW_MS + 5, first)
    assert second.trouble is not None
    assert second.trouble.since_ms == NOW_MS + 5
    assert (second.item, second.attempt, second.job) == ("i", "1", "ly-abc-a1")


@pytest.mark.parametrize("odd", [{}, {"status": None}, {"status": {"conditions": [None, 3]}}])
def test_odd_answers_are_no_news(odd: dict[str, Json]) -> None:
    """What is empty or broken keeps the attempt where it is, and raises nothing."""
    sight = Sight(found=summarise_object(odd), pods=(summarise_pod(odd, NOW_MS),))
    assert judge(sight, NOW_MS, Grace()).state is S.PENDING


def test_what_is_gone_is_lost() -> None:
    """W-08: an object that vanished in a gap of the watch is an end, not silence."""
    assert (GONE.state, GONE.reason) == (S.LOST, Reason.HANDLE_UNKNOWN)
