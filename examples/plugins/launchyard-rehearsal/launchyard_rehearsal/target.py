"""The target in the agent's main process: it plans, and starts nothing."""

from __future__ import annotations

from typing import Any

from launchyard.domain.spec import command_of
from launchyard.domain.targets.draft import AgentSide, draft
from launchyard.plugins.specs import Setting
from launchyard.ports.builder import Built
from launchyard.ports.target import HostSpec, PlanInput, Planned
from launchyard_rehearsal.play import play_of
from launchyard_rehearsal.runner import scope_of


class RehearsalTarget:
    """A `Target`; calls are pure, as the port asks."""

    name = "rehearsal"
    host_bound = True  # its records are in a folder of this machine

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._agent = AgentSide(
            environment=setting.place.environment,
            server=setting.server,
            macro_env=setting.macro_env,
        )

    @property
    def scope(self) -> str:
        """Where its handles can be reached."""
        return scope_of(self._setting.place.folder)

    @property
    def host(self) -> HostSpec:
        """The worker process that runs its attempts."""
        return self._setting.host

    def plan(self, wanted: PlanInput) -> Planned:
        """Plan an attempt; a command that cannot be played is refused here, before any effect."""
        known = draft(wanted.grant, self.name, self._agent)
        spec = known.facts.spec
        return Planned(
            plan=play_of(command_of(spec)), run_s=spec.timeout_s, findings=known.findings
        )

    def with_built(self, plan: Any, built: Built, folder: str) -> Any:  # noqa: ARG002 - no builds
        """Return the plan as it is: there is nothing to build."""
        return plan
