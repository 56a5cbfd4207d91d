"""The runner on a cluster that fails: behind a proxy that makes trouble on request."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from launchyard.adapters.kubernetes.notes import wished
from launchyard.adapters.kubernetes.paths import Address
from launchyard.adapters.kubernetes.places import KubernetesConfig
from launchyard.adapters.kubernetes.runner import KubernetesRunner
from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason
from launchyard.ports.runner import Handle, Observation, RunnerError
from tests.adapters.kubernetes.jobs import LIMIT_S, cut_off, end_of, gated, launch, told
from tests.programs import until
from tests.rig.kubernetes.kinds import JOBS, PODS
from tests.rig.kubernetes.proxy import Fault, Proxy
from tests.rig.kubernetes.standin import Kubernetes, standin

S = AttemptState


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    """Give a stand-in: no real cluster has troubles on request."""
    with standin(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def runner(beyond: KubernetesRunner) -> KubernetesRunner:
    """Give a runner that reaches the cluster through the proxy."""
    return beyond


def notes_on(cluster: Kubernetes, handle: Handle) -> list[str]:
    """Return the names of the notes on a job."""
    shelves = cluster.standin.cluster.shelves
    [kind] = (kind for kind in shelves if kind.plural == "configmaps")
    names = [one["metadata"]["name"] for one in cluster.standin.cluster.all(kind)]
    return [name for name in names if name.startswith(handle.name)]


def test_a_lost_answer_starts_nothing_twice(runner: KubernetesRunner, proxy: Proxy) -> None:
    """The cluster made the job and its answer was lost: the repetition finds it there."""
    fault, wish = proxy.add(Fault("POST", "/jobs", lost=True)), launch("exit 0")
    handle = runner.submit(wish)
    assert fault.met.is_set()
    assert runner.submit(wish) == handle
    assert end_of(runner, handle).state is S.SUCCEEDED


def test_only_what_may_have_been_heard_is_unsure(runner: KubernetesRunner, proxy: Proxy) -> None:
    """A submit without an answer is; one that was refused is not."""
    for status in (0, 503):
        proxy.faults[:] = [Fault("POST", "/jobs", status=status, lost=not status, times=99)]
        wish = launch("exit 0")
        soon = time.clock_gettime(time.CLOCK_BOOTTIME) + 2.0
        with pytest.raises(RunnerError) as caught:
            runner.submit(replace(wish, deadline=soon))
        assert (caught.value.unsure, caught.value.retry) == (not status, True)
        proxy.faults.clear()
        assert end_of(runner, runner.submit(wish)).state is S.SUCCEEDED


def test_a_lost_answer_leaves_no_half(runner: KubernetesRunner, proxy: Proxy) -> None:
    """Each step is finished by the next try, and the job gets its secret."""
    proxy.add(Fault("POST", "/secrets", lost=True))
    wish = launch('test "$WORD" = open', secrets={"WORD": "open"})
    assert end_of(runner, runner.submit(wish)).state is S.SUCCEEDED


def test_a_busy_cluster_is_asked_later(runner: KubernetesRunner, proxy: Proxy) -> None:
    """429 names the time to wait, and it is kept; 500 is tried again soon."""
    proxy.add(Fault("POST", "/jobs", status=429, retry_after_s=1))
    proxy.add(Fault("POST", "/jobs", status=500))
    before = time.monotonic()
    handle = runner.submit(launch("exit 0"))
    assert time.monotonic() - before >= 1.0
    assert end_of(runner, handle).state is S.SUCCEEDED


def test_a_name_is_free_only_where_the_cluster_says_so(
    runner: KubernetesRunner, proxy: Proxy
) -> None:
    """What cannot be looked up now may be running: who took it for absent would leave it there."""
    wish = launch("sleep 600")
    handle = runner.submit(wish)
    for code in (401, 403, 404, 429, 503):  # a 404 without a word: a balancer's
        proxy.add(Fault("GET", f"/jobs/{wish.name}", status=code, retry_after_s=60, times=9))
        with pytest.raises(RunnerError, match="cannot be looked up") as caught:
            runner.find(wish.owner, wish.name)
        assert caught.value.retry
        proxy.faults.clear()
    assert runner.find(wish.owner, wish.name) == handle
    assert runner.find(wish.owner, "another") is None
    runner.cancel(handle, 0.0, Reason.CANCELLED)


def test_a_conflict_is_not_taken_for_a_name_that_is_there(
    runner: KubernetesRunner, proxy: Proxy, cluster: Kubernetes
) -> None:
    """Others who write to the same quota at the same time: asked again, it goes through."""
    for what in ("/jobs", "/secrets", "/configmaps"):
        proxy.add(Fault("POST", what, status=409, word="Conflict", times=2))
    handle = runner.submit(launch("sleep 600", secrets={"WORD": "x"}))
    runner.cancel(handle, 0.0, Reason.CANCELLED)
    assert end_of(runner, handle).state is S.CANCELLED
    assert notes_on(cluster, handle)
    assert not any(fault.times for fault in proxy.faults)
    runner.remove(handle)


@pytest.mark.parametrize("code", [409, 500])
def test_no_try_comes_after_the_deadline(runner: KubernetesRunner, proxy: Proxy, code: int) -> None:
    """Who cannot create in time gives up: another agent may have the lease by then."""
    proxy.add(Fault("POST", "/jobs", status=code, word="Conflict", times=1000))
    wish = launch("exit 0")
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    with pytest.raises(RunnerError) as caught:
        runner.submit(replace(wish, deadline=now + 1.0))
    assert caught.value.retry
    assert time.clock_gettime(time.CLOCK_BOOTTIME) < now + LIMIT_S


def test_a_refusal_is_told_in_the_clusters_words(
    runner: KubernetesRunner, proxy: Proxy, cluster: Kubernetes
) -> None:
    """A right that is missing is named, with the remedy, and nothing is tried again."""
    cluster.standin.denied.add(("create", "jobs"))
    try:
        with pytest.raises(RunnerError, match=r"cannot create resource.*give the agent") as caught:
            runner.submit(launch("exit 0"))
        assert not caught.value.retry
    finally:
        cluster.standin.denied.clear()
    said = "etcdserver: request is too large"
    proxy.add(Fault("POST", "/jobs", status=500, said=said))
    with pytest.raises(RunnerError, match=said) as caught:
        runner.submit(launch("exit 0"))
    assert caught.value.reason is Reason.SPEC_INVALID


def test_a_cut_watch_misses_nothing(runner: KubernetesRunner, proxy: Proxy, tmp_path: Path) -> None:
    """W-08: it goes on where it was: what ended meanwhile is told."""
    watch = runner.watch()
    handle = runner.submit(gated(tmp_path / "go"))
    watch.add(handle)
    told(watch, lambda seen: seen.state is S.RUNNING)
    cut_off(proxy, proxy.add(Fault("GET", "watch=true", status=500, times=3)))
    (tmp_path / "go").touch()
    assert told(watch, lambda seen: seen.state is S.FAILED).exit_code == 3
    watch.close()


def test_a_forgotten_past_is_listed_anew(
    runner: KubernetesRunner, proxy: Proxy, cluster: Kubernetes, tmp_path: Path
) -> None:
    """W-08: after a 410 what was deleted in the gap is noticed, and what ended in it."""
    watch = runner.watch()
    ending, going = runner.submit(gated(tmp_path / "go")), runner.submit(launch("sleep 600"))
    for handle in (ending, going):
        watch.add(handle)
        told(watch, lambda seen: seen.state is S.RUNNING)
    cut_off(proxy, proxy.add(Fault("GET", "watch=true", status=500, times=1000)))
    known = cluster.standin.cluster
    (tmp_path / "go").touch()
    until(lambda: known.get(JOBS, cluster.namespace, ending.name)["status"].get("failed"), "3")
    known.delete(JOBS, cluster.namespace, going.name, {"propagationPolicy": "Foreground"})
    known.compact()
    proxy.faults.clear()
    ends: dict[Handle, Observation] = {}
    while len(ends) < 2:
        for seen in watch.wait(LIMIT_S):
            ends[seen.handle] = seen.observation
        ends = {handle: seen for handle, seen in ends.items() if seen.reason}
    assert ends[ending].exit_code == 3
    assert ends[going].reason is Reason.HANDLE_UNKNOWN
    watch.close()


def test_a_watch_that_is_refused_is_not_hurried(
    runner: KubernetesRunner, proxy: Proxy, tmp_path: Path
) -> None:
    """W-08: 403 and 500 are asked again later and later, and the watch lives on."""
    watch = runner.watch()
    handle = runner.submit(gated(tmp_path / "go"))
    watch.add(handle)
    told(watch, lambda seen: seen.state is S.RUNNING)
    faults = [proxy.add(Fault("GET", "/jobs?", status=code, times=400)) for code in (403, 500)]
    cut_off(proxy, faults[0])
    watch.wait(2.0)
    left = sum(fault.times for fault in faults)
    assert 800 - left < 20, "a cluster in trouble is not to be stormed"
    proxy.faults.clear()
    (tmp_path / "go").touch()
    assert told(watch, lambda seen: seen.state is S.FAILED).exit_code == 3
    watch.close()


def test_a_cancel_survives_a_lost_answer(runner: KubernetesRunner, proxy: Proxy) -> None:
    """The note was written or the job deleted, and nobody heard: it ends as cancelled."""
    proxy.add(Fault("POST", "/configmaps", lost=True))
    proxy.add(Fault("DELETE", "/jobs", lost=True))
    handle = runner.submit(launch("sleep 600"))
    runner.cancel(handle, 1.0, Reason.CANCELLED)
    assert end_of(runner, handle).state is S.CANCELLED
    runner.remove(handle)
    assert runner.observe(handle).state is S.LOST


@pytest.mark.parametrize(("grace_s", "expected"), [(45.5, 46), (0.2, 1)])
def test_a_cancel_leaves_the_time_that_the_queue_says(
    cluster: Kubernetes, tmp_path: Path, grace_s: float, expected: int
) -> None:
    """More than a pod has by itself, whoever deletes it; and never none, which leaves it running.

    The garbage collector comes before the agent: who deletes again can only shorten the time.
    """
    config = KubernetesConfig(folder=str(tmp_path), address=Address(cluster.kubeconfig))
    with closing(KubernetesRunner(config)) as runner:
        wish = launch("trap '' TERM; sleep 2", {"cancel_grace": grace_s})
        handle, watch = runner.submit(wish), runner.watch()
        watch.add(handle)
        told(watch, lambda seen: seen.state is S.RUNNING)
        watch.close()
        runner.cancel(handle, wish.plan.grace_s, Reason.CANCELLED)
        assert end_of(runner, handle).state is S.CANCELLED
        runner.remove(handle)
    metas = [change.obj["metadata"] for change in cluster.standin.cluster.since(PODS, 0)]
    own = [meta for meta in metas if meta["name"].startswith(handle.name)]
    given = [meta["deletionGracePeriodSeconds"] for meta in own if "deletionTimestamp" in meta]
    assert given[-1] == expected


def test_no_note_outlives_its_job(
    runner: KubernetesRunner, cluster: Kubernetes, tmp_path: Path
) -> None:
    """One of an agent that is gone goes with the job, and a late cancel writes none."""
    wish = launch("sleep 600")
    handle = runner.submit(wish)
    runner.cancel(handle, 0.0, Reason.CANCELLED)
    assert end_of(runner, handle).state is S.CANCELLED
    assert notes_on(cluster, handle)
    config = KubernetesConfig(folder=str(tmp_path), address=Address(cluster.kubeconfig))
    with closing(KubernetesRunner(config)) as heir:
        heir.remove(handle)
        assert not notes_on(cluster, handle)
        late = wished(Reason.CANCELLED)
        heir._standing.end(handle, late, wish.labels, 0.0)
        assert not notes_on(cluster, handle)


def test_a_job_costs_few_requests(runner: KubernetesRunner, cluster: Kubernetes) -> None:
    """With a secret: two to begin, one to clear away, and none in between."""
    warm = runner.submit(launch("exit 0"))
    end_of(runner, warm)
    asked = cluster.standin.asked
    before = dict(asked)
    handle = runner.submit(launch("exit 0", secrets={"WORD": "x"}))
    assert end_of(runner, handle).state is S.SUCCEEDED
    runner.remove(handle)
    made = {key: n - before.get(key, 0) for key, n in asked.items() if n != before.get(key, 0)}
    # Watches begin once, that of events with the first job that waits.
    made = {key: n for key, n in made.items() if key[0] != "watch" and key[1] != "events"}
    assert made == {("create", "jobs"): 1, ("create", "secrets"): 1, ("delete", "jobs"): 1}
