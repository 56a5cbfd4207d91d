"""Queues that name namespaces and clusters of their own, with one agent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from launchyard.adapters.kubernetes.paths import Address
from launchyard.adapters.kubernetes.places import KubernetesConfig
from launchyard.adapters.kubernetes.runner import KubernetesRunner
from launchyard.domain.attempt import AttemptState
from launchyard.domain.documents import Json
from launchyard.domain.reason import Reason
from launchyard.ports.runner import Handle, RunnerError
from tests.adapters.kubernetes.jobs import end_of, launch
from tests.programs import until
from tests.rig.kubernetes.kinds import JOBS, NAMESPACES
from tests.rig.kubernetes.objects import Resource
from tests.rig.kubernetes.standin import Kubernetes, standin

S = AttemptState
WAITS: dict[str, Json] = {"spec": {"suspend": True}}
CUSTOM: dict[str, Json] = {"spec": {"template": {"spec": {"containers": [{"name": "main"}]}}}}


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kubernetes, Kubernetes]]:
    """Give two stand-ins."""
    folders = (tmp_path_factory.mktemp("east"), tmp_path_factory.mktemp("west"))
    with standin(folders[0]) as east, standin(folders[1]) as west:
        east.standin.cluster.create(NAMESPACES, "", {"metadata": {"name": "other"}})
        yield east, west


def both(path: Path, east: Kubernetes, west: Kubernetes) -> str:
    """Write a kubeconfig with a context for each cluster; return its path."""
    document = {"apiVersion": "v1", "kind": "Config", "current-context": "east"}
    parts: dict[str, list[Json]] = {"clusters": [], "users": [], "contexts": []}
    for name, one in (("east", east), ("west", west)):
        parts["clusters"].append({"name": name, "cluster": {"server": one.standin.url}})
        parts["users"].append({"name": name, "user": {"token": one.standin.token}})
        context: Json = {"cluster": name, "user": name, "namespace": "jobs"}
        parts["contexts"].append({"name": name, "context": context})
    path.write_text(json.dumps({**document, **parts}))
    return str(path)


def runner_on(path: str, folder: Path) -> KubernetesRunner:
    """Return a runner whose own cluster is the file's current one."""
    return KubernetesRunner(KubernetesConfig(folder=str(folder), address=Address(path)))


def watches(cluster: Kubernetes) -> tuple[int, int]:
    """Return how many watches of jobs and pods were begun."""
    asked = cluster.standin.asked
    return asked["watch", "jobs"], asked["watch", "pods"]


def test_each_queue_has_its_namespace_and_cluster(
    clusters: tuple[Kubernetes, Kubernetes], tmp_path: Path
) -> None:
    """W-12, W-14: one list-watch for each place, however many jobs; a new process finds them all.

    A cluster that is named in two ways has a job under one handle all the same: else the other
    one would be a stray, and be ended.
    """
    east, west = clusters
    path = both(tmp_path / "kubeconfig", east, west)
    configs: list[Json] = [
        {},
        {"namespace": "other"},
        {"kubeconfig": path, "context": "west"},
        {"kubeconfig": west.kubeconfig, "namespace": "jobs"},
    ]
    script = 'echo up; trap "exit 0" TERM; sleep 600 & wait'
    with closing(runner_on(path, tmp_path)) as before:
        wishes = [launch(script, config) for config in configs for _ in range(2)]
        handles = [before.submit(wish) for wish in wishes]
        for handle in handles:
            running(before, handle)
        until(lambda: watches(east) == watches(west) == (2, 2), "one watch for each place")
    assert [len(_names(one, space)) for one, space in ((east, "jobs"), (east, "other"))] == [2, 2]
    assert len(_names(west, "jobs")) == 4
    with closing(runner_on(path, tmp_path)) as after:
        assert {one.handle for one in after.list_owned("tests", "a")} == set(handles)
        for wish, handle in zip(wishes, handles, strict=True):
            assert after.find(wish.owner, wish.name) == handle
        for handle in handles[::2]:
            assert b"up\n" in log_until(after, handle)
            after.cancel(handle, 5.0, Reason.CANCELLED)
            assert end_of(after, handle).state is S.CANCELLED
            after.remove(handle)
        assert {one.handle for one in after.list_owned("tests", "a")} == set(handles[1::2])
        for handle in handles[1::2]:
            after.cancel(handle, 0.0, Reason.CANCELLED)


def test_what_is_gone_hides_nothing(
    clusters: tuple[Kubernetes, Kubernetes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A context that was renamed, an operator that is uninstalled: all else is found as before.

    Objects of a kind that is served in another version now are still there.
    """
    east, west = clusters
    path, known = both(tmp_path / "kubeconfig", east, west), east.standin.cluster
    kinds = [Resource("sim.example", version, "sims", "Sim") for version in ("v1", "v2")]
    known.add_kind(kinds[0])
    custom: Json = {"apiVersion": "sim.example/v1", "kind": "Sim", **CUSTOM}
    configs: list[Json] = [WAITS, custom, {**WAITS, "kubeconfig": path, "context": "west"}]
    wishes = [launch("true", config) for config in configs]
    with closing(runner_on(path, tmp_path)) as before:
        home, sim, away = mine = [before.submit(wish) for wish in wishes]
    known.add_kind(kinds[1])
    uninstall(east, kinds[0])
    with closing(runner_on(path, tmp_path)) as runner:
        assert {one.handle for one in runner.list_owned("tests", "a")} & {*mine} == {home, away}
        assert "sim.example" in caplog.text
        with pytest.raises(RunnerError, match="cannot be looked up"):
            runner.find(wishes[1].owner, wishes[1].name)
        uninstall(east, kinds[1])
        assert runner.find(wishes[1].owner, wishes[1].name) is None
        assert runner.observe(sim).state is S.LOST
    caplog.clear()
    file = tmp_path / "places.json"
    Path(path).write_text(Path(path).read_text().replace("west", "elsewhere"))
    with closing(runner_on(path, tmp_path)) as runner:
        assert {one.handle for one in runner.list_owned("tests", "a")} & {*mine} == {home}
        assert str(file) in caplog.text
        assert runner.find(wishes[0].owner, wishes[0].name) == home
        with pytest.raises(RunnerError, match=r"places\.json"):
            runner.find(wishes[0].owner, "another")
    file.write_text(json.dumps(dict.fromkeys(json.loads(file.read_text()), 0)))
    with closing(runner_on(path, tmp_path)) as runner:
        assert runner.find(wishes[0].owner, "another") is None
        assert {one.handle for one in runner.list_owned("tests", "a")} & {*mine} == {home}
        assert [text.split("/")[1] for text in json.loads(file.read_text())] == ["jobs.v1.batch"]
        runner.cancel(home, 0.0, Reason.CANCELLED)


def test_places_are_not_remembered_without_end(
    clusters: tuple[Kubernetes, Kubernetes], tmp_path: Path
) -> None:
    """A new one takes the room of the one that was not used for longest."""
    file, many = tmp_path / "places.json", {f"n{day}/jobs.v1.batch": day for day in range(100)}
    file.write_text(json.dumps({**many, "no/place/at/all/there": 5}))
    with closing(runner_on(clusters[0].kubeconfig, tmp_path)) as runner:
        handle = runner.submit(launch("exit 0", {**WAITS, "namespace": "other"}))
        told = json.loads(file.read_text())
        assert told.keys() == {*list(many)[1:], "other/jobs.v1.batch"}
        assert told["other/jobs.v1.batch"] > 1e12
        runner.cancel(handle, 0.0, Reason.CANCELLED)


def uninstall(cluster: Kubernetes, kind: Resource) -> None:
    """Serve a kind no more."""
    known = cluster.standin.cluster
    with known.changed:
        del known.kinds[kind.group, kind.version, kind.plural], known.shelves[kind]


def running(runner: KubernetesRunner, handle: Handle) -> None:
    """Wait until a job runs, as its watcher tells."""
    until(lambda: runner.observe(handle).state is S.RUNNING, f"{handle.name} to run")


def log_until(runner: KubernetesRunner, handle: Handle) -> bytes:
    """Return the log of a job once there is any."""
    data = b""

    def read() -> bool:
        nonlocal data
        data = runner.read_log(handle, "main", 0, 1 << 16).data
        return bool(data)

    until(read, f"the log of {handle.name}")
    return data


def _names(cluster: Kubernetes, space: str) -> list[str]:
    return [one["metadata"]["name"] for one in cluster.standin.cluster.all(JOBS, space)]
