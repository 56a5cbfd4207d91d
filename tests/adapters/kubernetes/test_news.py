"""News of a job made just now comes by itself; where it does not, the job is asked about."""

from __future__ import annotations

from pathlib import Path

from launchyard.adapters.kubernetes.runner import KubernetesRunner
from launchyard.domain.attempt import AttemptState
from tests.adapters.kubernetes.jobs import cut_off, end_of, gated, launch, told
from tests.rig.kubernetes.proxy import Fault, Proxy
from tests.rig.kubernetes.standin import Kubernetes

S = AttemptState


def test_a_new_job_is_asked_about_only_when_news_is_late(
    beyond: KubernetesRunner, cluster: Kubernetes, proxy: Proxy, tmp_path: Path
) -> None:
    """A watch may lag behind the answer to a request; one that is broken leaves nobody unseen."""
    end_of(beyond, beyond.submit(launch("exit 0")))
    broken = proxy.add(Fault("GET", "/jobs?", status=500, times=400))
    cut_off(proxy, broken)
    asked = cluster.standin.asked
    before = asked.get(("get", "jobs"), 0)
    handle, watch = beyond.submit(gated(tmp_path / "go")), beyond.watch()
    watch.add(handle)
    assert not watch.wait(0.3)
    assert asked.get(("get", "jobs"), 0) == before
    told(watch, lambda seen: seen.state is S.RUNNING)
    assert asked["get", "jobs"] > before
    watch.close()
    (tmp_path / "go").touch()
    proxy.faults.clear()
    assert end_of(beyond, handle).exit_code == 3
