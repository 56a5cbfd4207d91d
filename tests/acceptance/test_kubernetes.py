"""A queue for a cluster, with the real server and the real agent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.programs import ENTITY, Yard, until, yard
from tests.rig.kubernetes.standin import IMAGE, Kubernetes, any_cluster

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


def test_jobs_run_on_a_cluster(tmp_path: Path) -> None:
    """One succeeds with its log, one fails, one is cancelled; one outlives a killed agent.

    An image that cannot be pulled is told of while the job waits, and ends it in the end.
    """
    with any_cluster(tmp_path) as cluster, yard(tmp_path) as made:
        configure(tmp_path, cluster)
        made.queue = "cluster"
        queue = {"name": made.queue, "resource": "kubernetes", "config": {}}
        more = {"retry": {"budgets": {"platform": 0}}, "overridable": ["start_grace"]}
        made.call("POST", PATH, json=queue | more)
        agent = made.start_agent()
        good = put(made, 'echo "hello from $LAUNCHYARD_ITEM"; test -n "$LAUNCHYARD_TOKEN"')
        bad = put(made, "exit 3")
        # For this one alone: the others wait for their secrets, on a slow machine for longer.
        hasty = {"kubernetes": {"start_grace": 1}}
        image = put(made, "true", "nowhere.invalid/x:1", resource_args=hasty)
        long = put(made, "echo up; exec sleep 600")
        lasting = put(made, "echo begun; sleep 8; echo ended")
        assert made.wait_done(good)["attempt_state"] == "succeeded"
        assert made.log_of(good) == f"hello from {good}\n"
        assert made.wait_done(bad)["reason"] == "exit_code"
        assert "nowhere.invalid" in made.wait_done(image)["detail"]
        made.wait_running(long)
        made.wait_running(lasting)
        agent.kill()
        made.start_agent()
        made.call("POST", f"/items/{long}/cancel")
        assert made.wait_done(long)["attempt_state"] == "cancelled"
        assert made.wait_done(lasting)["attempt_state"] == "succeeded"
        assert made.log_of(lasting) == "begun\nended\n"
        if cluster.served is not None:
            until(lambda: not _left(cluster), lambda: f"the removal of {_left(cluster)}")


def _left(cluster: Kubernetes) -> list[Any]:
    """Return what is there of the kinds of which nothing may stay behind."""
    wanted = {"jobs", "pods", "secrets", "configmaps"}
    kinds = [kind for kind in cluster.standin.cluster.shelves if kind.plural in wanted]
    found = [(kind.plural, one) for kind in kinds for one in cluster.standin.cluster.all(kind)]
    return [(plural, one["metadata"]["name"], one.get("status")) for plural, one in found]
