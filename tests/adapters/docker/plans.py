"""Containers of the small image, for tests."""

from __future__ import annotations

from launchyard.domain.documents import Json
from launchyard.domain.environment import JobFacts
from launchyard.domain.spec import Docker, LaunchSpec, Overrides
from launchyard.domain.targets.docker import DockerDefaults, DockerPlan, plan_docker
from tests.rig.small_image import IMAGE

NETWORK = {"network": "none"}
"""No container of a test needs one, and making one takes time."""


def script_plan(
    script: str, config: Json = None, image: str = IMAGE, outputs: tuple[str, ...] = ()
) -> DockerPlan:
    """Return the plan of a shell script in a container."""
    overrides = Overrides(entry_point=("/bin/sh", "-c", script))
    spec = LaunchSpec(docker=Docker(image=image), overrides=overrides, outputs=outputs)
    facts = JobFacts(item="i", attempt=1, queue="q", entity="team", run_id="r", spec=spec)
    given = config if isinstance(config, dict) else {}
    return plan_docker(spec, {**NETWORK, **given}, facts, DockerDefaults())
