"""Jobs of a shell script, for tests on clusters."""

from __future__ import annotations

from launchyard.domain.documents import Json
from launchyard.domain.environment import JobFacts
from launchyard.domain.spec import Docker, LaunchSpec, Overrides, Service
from launchyard.domain.targets.kubernetes import plan_kubernetes
from launchyard.domain.targets.kubernetes_plan import KubernetesContext, KubernetesPlan
from tests.rig.kubernetes.standin import IMAGE


def script_plan(
    script: str, config: Json = None, image: str = IMAGE, services: tuple[Service, ...] = ()
) -> KubernetesPlan:
    """Return the plan of a shell script on a cluster, with *services* beside it."""
    overrides = Overrides(entry_point=("/bin/sh", "-c", script))
    spec = LaunchSpec(docker=Docker(image=image), overrides=overrides, additional_services=services)
    facts = JobFacts(item="i", attempt=1, queue="q", entity="team", run_id="r", spec=spec)
    return plan_kubernetes(spec, config, KubernetesContext(facts=facts, queue=config))
