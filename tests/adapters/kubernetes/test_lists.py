"""Lists of many pages that expire midway, relists, bookmarks, and logs after an agent's restart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from launchyard.adapters.kubernetes.paths import Address
from launchyard.adapters.kubernetes.places import KubernetesConfig
from launchyard.adapters.kubernetes.runner import KubernetesRunner
from launchyard.domain.attempt import AttemptState
from launchyard.domain.naming import Owner, labels, target_name
from launchyard.domain.reason import Reason
from launchyard.ports.runner import Handle, Watch
from tests.adapters.kubernetes.jobs import LIMIT_S, end_of, launch, log_of, told
from tests.programs import until
from tests.rig.kubernetes.kinds import JOBS
from tests.rig.kubernetes.proxy import Fault, Proxy
from tests.rig.kubernetes.standin import Kubernetes, standin

S = AttemptState
MANY = 1100
"""Three pages."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    """Give a stand-in with many jobs; they are suspended, so that they cost nothing."""
    with standin(tmp_path_factory.mktemp("cluster"), plays=True) as cluster:
        for number in range(MANY):
            owner = Owner(installation="tests", item=f"item-{number}", attempt=1, agent="a")
            ours = labels(owner, "")
            pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}
            spec = {"suspend": True, "template": {"metadata": {"labels": ours}, "spec": pod}}
            meta = {"name": target_name("tests", owner.item, 1), "labels": ours}
            job = {"metadata": meta, "spec": {"backoffLimit": 0, **spec}}
            cluster.standin.cluster.create(JOBS, cluster.namespace, job)
        yield cluster


@pytest.fixture
def runner(beyond: KubernetesRunner) -> KubernetesRunner:
    """Give a runner that reaches the cluster through the proxy."""
    return beyond


def watched(runner: KubernetesRunner, watch: Watch) -> list[Handle]:
    """Watch every job; return their handles in the order of the list when each was told of."""
    owned = [one.handle for one in runner.list_owned("tests", "a")]
    for handle in owned:
        watch.add(handle)
    left = set(owned)
    while left:
        seen = watch.wait(LIMIT_S)
        assert seen, f"{len(left)} were never told of"
        assert all(one.observation.suspended for one in seen)
        left -= {one.handle for one in seen}
    return owned


def test_a_list_that_expires_midway_is_begun_anew(runner: KubernetesRunner, proxy: Proxy) -> None:
    """410 behind the first page of the jobs: all are known, and none is taken for gone."""
    fault = proxy.add(Fault("GET", "continue=", status=410))
    watch = runner.watch()
    some = runner.submit(launch("exit 0", {"spec": {"suspend": True}}))
    watch.add(some)
    told(watch, lambda seen: seen.suspended)
    assert fault.met.is_set()
    watch.close()
    everything = runner.watch()
    assert len(watched(runner, everything)) == MANY + 1
    everything.close()
    runner.cancel(some, 0.0, Reason.CANCELLED)
    end_of(runner, some)
    runner.remove(some)


def test_a_relist_notices_what_is_gone_from_any_page(
    runner: KubernetesRunner, proxy: Proxy, cluster: Kubernetes
) -> None:
    """Deleted while nobody could hear, and the past is forgotten: each is lost, no other is."""
    watch = runner.watch()
    owned = watched(runner, watch)
    proxy.add(Fault("GET", "watch=true", status=500, times=4))
    proxy.cut()
    gone = {owned[0], owned[600], owned[-1]}
    for handle in gone:
        cluster.standin.cluster.delete(JOBS, cluster.namespace, handle.name, {})
    cluster.standin.cluster.compact()
    lost: set[Handle] = set()
    while lost != gone:
        seen = watch.wait(LIMIT_S)
        assert {one.observation.reason for one in seen} == {Reason.HANDLE_UNKNOWN}
        lost |= {one.handle for one in seen}
    assert not watch.wait(0.1)
    watch.close()


def test_a_bookmark_saves_a_list(
    runner: KubernetesRunner, proxy: Proxy, cluster: Kubernetes
) -> None:
    """What was told before is forgotten, the bookmark is not: the watch goes on from there."""
    asked = cluster.standin.asked
    watches = asked["watch", "jobs"]
    watch = runner.watch()
    handle = watched(runner, watch)[0]
    until(lambda: asked["watch", "jobs"] > watches, "a watch")
    cluster.standin.cluster.compact()
    version = cluster.standin.cluster.version
    # How far it is, nobody tells but itself.
    jobs = runner._places.view(runner._places.home)._jobs
    until(lambda: int(jobs._version or 0) >= version, "a bookmark")
    before = asked["list", "jobs"]
    proxy.cut()
    cluster.standin.cluster.delete(JOBS, cluster.namespace, handle.name, {})
    assert told(watch, lambda seen: seen.reason is not None).reason is Reason.HANDLE_UNKNOWN
    assert asked["list", "jobs"] == before
    watch.close()


def test_a_log_that_was_rotated_goes_on(tmp_path: Path) -> None:
    """A new agent knows how much was shipped; the node has less than that, and it says so."""
    with standin(tmp_path) as cluster:
        address = Address(cluster.kubeconfig)
        config = KubernetesConfig(folder=str(tmp_path), address=address)
        with closing(KubernetesRunner(config)) as first:
            handle = first.submit(launch("echo one; echo two; echo three"))
            end_of(first, handle)
            assert log_of(first, handle, "main") == b"one\ntwo\nthree\n"
        (run,) = cluster.standin.kubelet._runs.values()
        del run.outputs["main"].lines[:2]
        with closing(KubernetesRunner(config)) as second:
            text = log_of(second, handle, "main", 10)
        assert text.startswith(b"[launchyard: ")
        assert text.endswith(b"\nthree\n")


def test_a_slow_answer_is_asked_for_again(
    runner: KubernetesRunner, proxy: Proxy, cluster: Kubernetes
) -> None:
    """The first request comes through when the second has been answered: there is one job."""
    made = cluster.standin.asked["create", "jobs"]
    slow = proxy.add(Fault("POST", "/jobs", delay_s=8.0))
    wish = launch("exit 0", {"spec": {"suspend": True}})
    handle = runner.submit(wish)
    assert slow.met.is_set()
    until(lambda: cluster.standin.asked["create", "jobs"] >= made + 2, "the slow one")
    assert runner.submit(wish) == handle
    assert [one.handle for one in runner.list_owned("tests", "a")].count(handle) == 1
    runner.cancel(handle, 0.0, Reason.CANCELLED)
    end_of(runner, handle)
    runner.remove(handle)
