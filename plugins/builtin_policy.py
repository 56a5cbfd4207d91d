"""Rules and listeners in the box that a configuration switches on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from launchyard.domain.config.model import AgentConfig
from launchyard.domain.host import HostNeeds, unmet
from launchyard.domain.review import JobEvent, Question, Rejection, Review
from launchyard.domain.secure_mode import violations
from launchyard.plugins import API, hookimpl
from launchyard.ports.host import Machine
from launchyard.ports.webhook import Outgoing

SECURE_MODE: Final = "secure-mode"
HOST_GUARD: Final = "host-guard"
WEBHOOK: Final = "webhook"


class SecureMode:
    """`secure_mode: true`: refuses launches that loosen the isolation of their containers."""

    launchyard_api: Final = API

    @hookimpl
    def review_launch(self, review: Review) -> Rejection | None:
        """Refuse with the first violation, and tell how many more there are."""
        first, *others = [*violations(review), None]
        if first is None:
            return None
        more = len([one for one in others if one is not None])
        told = f"{first.message} (and {more} more)" if more else first.message
        return Rejection(rule=first.rule, message=told)


class HostGuard:
    """`host_guard`: takes work for targets of this machine only while it has room."""

    launchyard_api: Final = API

    def __init__(self, needs: HostNeeds, machine: Machine, targets: tuple[str, ...] = ()) -> None:
        self._needs, self._machine, self._targets = needs, machine, targets

    @hookimpl
    def can_accept(self, question: Question) -> Rejection | None:
        """Compare the machine with what must be free; other places are no business of ours."""
        ours = question.target in self._targets if self._targets else question.host_bound
        if not ours:
            return None
        return unmet(self._needs, self._machine.state(self._needs, question.folder))


class Webhook:
    """`webhook`: posts each step of a job."""

    launchyard_api: Final = API

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing

    @hookimpl
    def job_event(self, event: JobEvent) -> None:
        """Hand the event over; it is posted, and posted again, behind the plugin's back."""
        self._outgoing.put(event)


def configured(
    config: AgentConfig, machine: Machine, outgoing: Outgoing | None
) -> Mapping[str, object]:
    """Return the built-in plugins that *config* switches on, by their names."""
    found: dict[str, object] = {}
    if config.secure_mode:
        found[SECURE_MODE] = SecureMode()
    if config.host_guard.asks:
        found[HOST_GUARD] = HostGuard(needs_of(config), machine, config.host_guard.targets)
    if outgoing is not None:
        found[WEBHOOK] = Webhook(outgoing)
    return found


def needs_of(config: AgentConfig) -> HostNeeds:
    """Return what the configuration wants to be free."""
    guard = config.host_guard
    return HostNeeds(
        disk_b=guard.min_disk_b or 0, memory_b=guard.min_memory_b or 0, gpus=guard.min_gpus
    )
