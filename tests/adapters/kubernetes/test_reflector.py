"""Keeping up with a kind: quiet watches, pasts that are forgotten, and ends."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from launchyard.adapters.kubernetes.client import SILENCE_S, Cluster
from launchyard.adapters.kubernetes.paths import EVENT_KIND, JOBS, Address
from launchyard.adapters.kubernetes.reflector import Reflector, Wanted
from launchyard.adapters.kubernetes.view import View
from tests.programs import until
from tests.rig.kubernetes.kinds import EVENTS
from tests.rig.kubernetes.kinds import JOBS as JOB_KIND
from tests.rig.kubernetes.proxy import Fault, Proxy
from tests.rig.kubernetes.standin import Kubernetes, standin


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Kubernetes]:
    """Give a stand-in whose pods start no processes."""
    with standin(tmp_path, plays=True) as cluster:
        yield cluster


@pytest.fixture
def api(proxied: str) -> Iterator[Cluster]:
    """Give the cluster's API through the proxy."""
    with closing(Cluster(Address(proxied))) as api:
        yield api


def happen(cluster: Kubernetes, name: str, uid: str, **more: str) -> None:
    """Have something happen to a job."""
    about = {"kind": "Job", "name": "x", "uid": uid}
    told = {"metadata": {"name": name}, "involvedObject": about, "type": "Warning"}
    cluster.standin.cluster.create(EVENTS, cluster.namespace, {**told, **more})


def events_of(heard: list[str], watch_s: float) -> Wanted:
    """Return the wish for all events, whose names are heard."""

    def told(_: str, obj: dict[str, dict[str, str]]) -> None:
        heard.append(obj["metadata"]["name"])

    return Wanted(
        path=EVENT_KIND.path("jobs"),
        watch_s=watch_s,
        listed=lambda found: heard.extend(one["metadata"]["name"] for one in found),
        told=told,
    )


def test_a_quiet_watch_is_no_trouble(
    cluster: Kubernetes, api: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    """Clusters give no bookmarks of events: watches end in silence, and their past is forgotten."""
    caplog.set_level(logging.INFO)
    heard: list[str] = []
    store, asked = cluster.standin.cluster, cluster.standin.asked
    with closing(Reflector(api, events_of(heard, 1.0)).start()) as reflector:
        assert reflector.synced.wait(10.0)
        until(lambda: asked["watch", "events"] >= 1, "a watch")
        store.compact()
        until(lambda: asked["list", "events"] >= 2, "another list")
        happen(cluster, "one", "j1")
        until(lambda: heard == ["one"], "what happens after all that")
        assert reflector.error is None
    assert not caplog.records


def test_a_watch_of_events_ends_before_its_silence_is_suspicious(
    cluster: Kubernetes, api: Cluster, proxy: Proxy
) -> None:
    """Else every break of a healthy connection would be told as a trouble of the cluster."""
    view = View(api, cluster.namespace, JOBS, ()).start()
    with closing(view):
        view.hear_events()
        until(lambda: any("/events?" in path and "watch" in path for _, path in proxy.seen), "it")
    [path, *_] = (path for _, path in proxy.seen if "/events?" in path and "watch=" in path)
    [watch_s] = parse_qs(urlsplit(path).query)["timeoutSeconds"]
    assert int(watch_s) < SILENCE_S * 0.9


def test_a_closed_one_ends_also_while_it_begins(api: Cluster, proxy: Proxy) -> None:
    """Nobody can cut a watch that is not there yet: it must not be heard for its whole time."""
    fault = proxy.add(Fault("GET", "watch=true", delay_s=0.5))
    reflector = Reflector(api, events_of([], 60.0)).start()
    assert fault.met.wait(10.0)
    reflector.close()
    assert not reflector._thread.is_alive()


def test_one_refusal_after_another_is_one_trouble(cluster: Kubernetes, api: Cluster) -> None:
    """Each names another pod, and so is an event of its own: the first one's time counts."""
    labels = {"launchyard-item": "i", "launchyard-attempt": "1"}
    pod = {"restartPolicy": "Never", "containers": [{"name": "main"}]}
    spec = {"suspend": True, "template": {"spec": pod}}
    job = {"metadata": {"name": "x", "labels": labels}, "spec": spec}
    made = cluster.standin.cluster.create(JOB_KIND, cluster.namespace, job)
    uid = made["metadata"]["uid"]
    view = View(api, cluster.namespace, JOBS, ()).start()
    with closing(view):
        assert view.wait(10.0)
        view.hear_events()
        for number in range(3):
            stamp = f"2026-11-21T20:00:0{number}Z"
            happen(cluster, f"e{number}", uid, reason="FailedCreate", firstTimestamp=stamp)
        entry = view.entry(uid, "x")
        assert entry is not None

        def seconds() -> set[int]:
            return {(e.last_ms - e.first_ms) // 1000 for e in view.sight(entry).events}

        until(lambda: seconds() == {2}, "all three")
        assert len(view.sight(entry).events) == 1
