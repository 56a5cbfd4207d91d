"""Jobs of a shell script, for tests on clusters."""

from __future__ import annotations

from launchyard.domain.documents import Json
from launchyard.domain.environment import JobFacts
from launchyard.domain.spec import Docker, LaunchSpec, Overrides
from launchyard.domain.targets.kubernetes import plan_kubernetes
from launchyard.domain.targets.kubernetes_plan import KubernetesContext, KubernetesPlan
from tests.rig.kubernetes.standin import IMAGE


def script_plan(script: str, config: Json = None, image: str = IMAGE) -> KubernetesPlan:
    """Return the plan of a shell script on a cluster."""
    overrides = Overrides(entry_point=("/bin/sh", "-c", script))
    spec = LaunchSpec(docker=Docker(image=image), overrides=overrides)
    facts = JobFacts(item="i", attempt=1, queue="q", entity="team", run_id="r", spec=spec)
    return plan_kubernetes(spec, config, KubernetesContext(facts=facts, queue=config))
