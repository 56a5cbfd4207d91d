"""A queue for a cluster, with the real server and the real agent."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.programs import ENTITY, Yard, until, yard
from tests.rig.kubernetes.standin import IMAGE, REAL, Kubernetes, any_cluster

PATH = f"/entities/{ENTITY}/queues"


def put(made: Yard, script: str, image: str = IMAGE, **more: Any) -> str:
    """Put a shell script on the queue; return the item's id."""
    docker = {"docker": {"docker_image": image}}
    return made.submit("/bin/sh", "-c", script, **docker, **more)


def configure(folder: Path, cluster: Kubernetes) -> None:
    """Tell the agent of the cluster, in the file where it looks."""
    target = {"kubeconfig": cluster.kubeconfig, "namespace": cluster.namespace}
    file = folder / "wandb" / "launch-config.yaml"
    file.parent.mkdir()
    file.write_text(json.dumps({"targets": {"kubernetes": target}}))


@contextlib.contextmanager
def site(folder: Path) -> Iterator[tuple[Kubernetes, Yard]]:
    """Run a server with a queue for a cluster; agents that are started find the cluster."""
    with any_cluster(folder) as cluster, yard(folder) as made:
        configure(folder, cluster)
        # Programs that log in at a cloud's cluster keep what they need in the user's own home.
        made.env = {"HOME": str(Path.home())} if REAL else {}
        made.queue = "cluster"
        queue = {"name": made.queue, "resource": "kubernetes", "config": {}}
        more = {"retry": {"budgets": {"platform": 0}}, "overridable": ["start_grace"]}
        made.call("POST", PATH, json=queue | more)
        yield cluster, made


def pause(gate: Path) -> str:
    """Return words of a shell that wait for *gate*; a real cluster's do not see it."""
    return "sleep 30" if REAL else f"until [ -e {gate} ]; do sleep 0.1; done"


def test_jobs_run_on_a_cluster(tmp_path: Path) -> None:
    """One succeeds with its log, one fails, one is cancelled; one outlives a killed agent.

    An image that cannot be pulled is told of while the job waits, and ends it in the end.
    """
    gate = tmp_path / "go"
    with site(tmp_path) as (cluster, made):
        agent = made.start_agent()
        good = put(made, 'echo "hello from $LAUNCHYARD_ITEM"; test -n "$LAUNCHYARD_TOKEN"')
        bad = put(made, "exit 3")
        # For this one alone: the others wait for their secrets, on a slow machine for longer.
        hasty = {"kubernetes": {"start_grace": 1}}
        image = put(made, "true", "nowhere.invalid/x:1", resource_args=hasty)
        long = put(made, "echo up; exec sleep 600")
        lasting = put(made, f"echo begun; {pause(gate)}; echo ended")
        assert made.wait_done(good)["attempt_state"] == "succeeded"
        assert made.log_of(good) == f"hello from {good}\n"
        assert made.wait_done(bad)["reason"] == "exit_code"
        assert "nowhere.invalid" in made.wait_done(image)["detail"]
        made.wait_running(long)
        made.wait_running(lasting)
        agent.kill()
        made.start_agent()
        gate.touch()
        made.call("POST", f"/items/{long}/cancel")
        assert made.wait_done(long)["attempt_state"] == "cancelled"
        assert made.wait_done(lasting)["attempt_state"] == "succeeded"
        assert made.log_of(lasting) == "begun\nended\n"
        if cluster.served is not None:
            until(lambda: not _left(cluster), lambda: f"the removal of {_left(cluster)}")


def test_a_drained_agent_hands_its_jobs_over(tmp_path: Path) -> None:
    """The next one takes them up as they are: logs and ends are whole, and nothing runs twice."""
    gate = tmp_path / "go"
    with site(tmp_path) as (cluster, made):
        first = made.start_agent("a")
        script = f"echo begun; {pause(gate)}; echo ended; exit"
        items = [put(made, f"{script} {code}") for code in (0, 3)]
        before = [made.wait_running(item) for item in items]
        assert {view["agent_name"] for view in before} == {"a"}
        made.start_agent("b")
        [one] = [a for a in made.call("GET", "/agents")["agents"] if a["name"] == "a"]
        made.call("POST", f"/agents/{one['id']}/drain")
        assert first.wait() == 0, first.said()
        for item in items:
            made.wait_for(item, lambda view: view["agent_name"] == "b")
        gate.touch()
        ends = [made.wait_done(item) for item in items]
        assert [view["exit_code"] for view in ends] == [0, 3]
        for item, was, view in zip(items, before, ends, strict=True):
            assert (view["attempt"], view["agent_name"]) == (1, "b")
            assert view["place_uid"] == was["place_uid"] != ""
            assert made.log_of(item) == "begun\nended\n"
        if cluster.served is not None:
            until(lambda: not _left(cluster), lambda: f"the removal of {_left(cluster)}")


def _left(cluster: Kubernetes) -> list[Any]:
    """Return what is there of the kinds of which nothing may stay behind."""
    wanted = {"jobs", "pods", "secrets", "configmaps"}
    kinds = [kind for kind in cluster.standin.cluster.shelves if kind.plural in wanted]
    found = [(kind.plural, one) for kind in kinds for one in cluster.standin.cluster.all(kind)]
    return [(plural, one["metadata"]["name"], one.get("status")) for plural, one in found]
