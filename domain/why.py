"""Why an item waits: exactly one reason, a sentence for people, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import Refusal
from launchyard.domain.item import ItemState

NO_LIMIT = -1
"""What an agent says that takes any number of jobs."""


class WaitReason(StrEnum):
    """The first thing that has to change before the item moves on."""

    CANCELLING = "cancelling"
    NOT_BEFORE = "not_before"
    QUEUE_PAUSED = "queue_paused"
    NO_AGENT = "no_agent"
    AGENT_AWAY = "agent_away"
    AGENT_DRAINING = "agent_draining"
    AGENT_PAUSED = "agent_paused"
    QUEUE_LIMIT = "queue_limit"
    CIRCUIT_OPEN = "circuit_open"
    HOST_GUARD = "host_guard"
    AGENT_REFUSES = "agent_refuses"
    AGENT_FULL = "agent_full"
    BEHIND_OTHERS = "behind_others"
    NEXT = "next"
    BUILD_SLOT = "build_slot"
    LAUNCH_SLOT = "launch_slot"
    TARGET_PENDING = "target_pending"
    NOT_WAITING = "not_waiting"


_EARLY: Final = frozenset({None, AttemptState.CLAIMED, AttemptState.PREPARING})
_REFUSALS: Final[Mapping[WaitReason, str]] = {
    WaitReason.CIRCUIT_OPEN: "Every agent keeps off the target, which failed too often in a row",
    WaitReason.HOST_GUARD: "Every agent's machine is too short of something for new jobs",
}
_REMEDIES: Final[Mapping[WaitReason, str]] = {
    WaitReason.CIRCUIT_OPEN: "It tries again by itself; mend the target, or start another agent.",
    WaitReason.HOST_GUARD: "Free what is short there, or start an agent on another machine.",
}
_REFUSED: Final = "Every agent refuses new work for the target"
_LOOK: Final = "`launchyard agents` and the agents' status pages tell more."


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFacts:
    """What matters of an agent that takes from the item's queue.

    `refusal` is of the queue's target; `suspended` jobs of the `active` ones need no slot.
    """

    name: str
    online: bool
    draining: bool
    active: int
    max_jobs: int
    paused: bool = False
    refusal: Refusal | None = None
    suspended: int = 0
    waiting_builds: int = 0
    waiting_launches: int = 0

    @property
    def ready(self) -> bool:
        """Whether it is there and takes new work at all."""
        return self.online and not self.draining and not self.paused

    @property
    def has_room(self) -> bool:
        """Whether it takes one more job now."""
        return self.max_jobs == NO_LIMIT or self.jobs < self.max_jobs

    @property
    def jobs(self) -> int:
        """How many of its slots are taken."""
        return max(0, self.active - self.suspended)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is known of an item, its queue and the queue's agents.

    `position` is 1 for the item that is claimed next; `active` counts the queue's items between
    claim and end; `holder` is the name of the agent that has the item, or empty; `code` tells that
    the item brings code, which is built before it is launched; `detail` is the target's word.
    """

    state: ItemState
    queue: str
    attempt_state: AttemptState | None = None
    code: bool = False
    detail: str = ""
    position: int = 1
    cancel: bool = False
    holder: str = ""
    paused: bool = False
    limit: int | None = None
    active: int = 0
    not_before_ms: int | None = None
    retries: int = 0
    agents: tuple[AgentFacts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """The answer: `position` is 0 for an item that is not in line."""

    reason: WaitReason
    text: str
    position: int = 0


def why(situation: Situation) -> Why:
    """Return the one reason why the item is where it is."""
    if situation.not_before_ms is not None:
        text = _not_yet(situation.not_before_ms, situation.retries)
        return Why(reason=WaitReason.NOT_BEFORE, text=text)
    if situation.state is ItemState.QUEUED:
        reason, text = _in_line(situation)
        return Why(reason=reason, text=text, position=situation.position)
    reason, text = _out_of_line(situation)
    return Why(reason=reason, text=text)


def _out_of_line(now: Situation) -> tuple[WaitReason, str]:
    holder = f"agent {now.holder}" if now.holder else "an agent"
    if now.state is ItemState.DONE:
        return WaitReason.NOT_WAITING, "The item is done."
    if now.cancel:
        return WaitReason.CANCELLING, f"It is being cancelled; {holder} has to confirm its end."
    if not now.holder:
        text = "Its agent is gone. An agent that reaches the place where it runs takes it over."
        return WaitReason.AGENT_AWAY, f"{text} Start that agent again."
    return _at_agent(now)


def _at_agent(now: Situation) -> tuple[WaitReason, str]:
    """Tell what an item waits for that has an agent."""
    holder = f"agent {now.holder}"
    has = next((agent for agent in now.agents if agent.name == now.holder), None)
    if now.attempt_state is AttemptState.PENDING:
        said = f" ({now.detail})" if now.detail else ""
        text = f"It is on its target, which has not started it yet{said}."
        return WaitReason.TARGET_PENDING, f"{text} Look at the target's own queue and capacity."
    if now.state is ItemState.LAUNCHING and now.detail:
        text = f"Its target is being made ready for it by {holder} ({now.detail})."
        return WaitReason.TARGET_PENDING, f"{text} Look at what that says if it lasts."
    if has is not None and now.attempt_state in _EARLY:
        if now.code and has.waiting_builds:
            text = f"It waits for a build slot of {holder}; {has.waiting_builds} wait for one."
            return WaitReason.BUILD_SLOT, f"{text} Wait, or raise the agent's `max_builds`."
        if has.waiting_launches:
            text = f"It waits for a launch slot of {holder}; {has.waiting_launches} wait for one."
            return WaitReason.LAUNCH_SLOT, f"{text} Wait, or raise the agent's `max_launches`."
    return WaitReason.NOT_WAITING, f"It does not wait: {holder} works on it."


def _in_line(now: Situation) -> tuple[WaitReason, str]:
    ready = [agent for agent in now.agents if agent.ready]
    if now.paused:
        resume = f"`launchyard queue resume {now.queue}` lets it go on."
        return WaitReason.QUEUE_PAUSED, f"Queue {now.queue} is paused; {resume}"
    if not ready:
        return _nobody(now)
    if now.limit is not None and now.active >= now.limit:
        text = f"Queue {now.queue} runs at most {now.limit} at a time and {now.active} are active."
        return WaitReason.QUEUE_LIMIT, f"{text} Wait for one to end, or raise the queue's limit."
    return _before_agents(now, ready)


def _before_agents(now: Situation, ready: list[AgentFacts]) -> tuple[WaitReason, str]:
    """Tell what an item waits for that its queue would let go."""
    able = [agent for agent in ready if agent.refusal is None]
    if not able:
        return _refusing(ready)
    if not any(agent.has_room for agent in able):
        return _full(able)
    if now.position > 1:
        ahead = now.position - 1
        text = f"{ahead} item{'s' * (ahead > 1)} of queue {now.queue} will be claimed before it."
        return WaitReason.BEHIND_OTHERS, text
    return WaitReason.NEXT, "It is next: an agent with room claims it any moment."


def _not_yet(moment_ms: int, retries: int) -> str:
    moment = datetime.fromtimestamp(moment_ms / 1000, UTC).isoformat(" ", "seconds")
    what = f"Its retry {retries} waits" if retries else "It waits"
    return f"{what} until {moment.replace('+00:00', ' UTC')}. `launchyard retry` lets it go now."


def _nobody(now: Situation) -> tuple[WaitReason, str]:
    paused = [agent.name for agent in now.agents if agent.online and not agent.draining]
    draining = [agent.name for agent in now.agents if agent.online]
    start = f"Start one: `launchyard agent -q {now.queue}`."
    if paused:
        text = f"The agents of queue {now.queue} are paused ({', '.join(paused)})."
        return WaitReason.AGENT_PAUSED, f"{text} `launchyard resume {paused[0]}` lets one go on."
    if draining:
        named = ", ".join(draining)
        text = f"The agents of queue {now.queue} are draining and take nothing new ({named})."
        return WaitReason.AGENT_DRAINING, f"{text} {start}"
    away = ", ".join(agent.name for agent in now.agents)
    seen = f" (known, but away: {away})" if away else ""
    return WaitReason.NO_AGENT, f"No agent takes from queue {now.queue} now{seen}. {start}"


def _refusing(ready: list[AgentFacts]) -> tuple[WaitReason, str]:
    """Tell of the first refusal; an agent of another release may know reasons that we do not."""
    refusals = [agent.refusal for agent in ready if agent.refusal is not None]
    words = "; ".join(
        f"{agent.name}: {agent.refusal.detail or agent.refusal.reason}"
        for agent in ready
        if agent.refusal is not None
    )
    known = [one for one in _REFUSALS if any(refusal.reason == one for refusal in refusals)]
    reason = known[0] if known else WaitReason.AGENT_REFUSES
    return reason, f"{_REFUSALS.get(reason, _REFUSED)} ({words}). {_REMEDIES.get(reason, _LOOK)}"


def _full(ready: list[AgentFacts]) -> tuple[WaitReason, str]:
    room = ", ".join(f"{agent.name}: {agent.jobs} of {agent.max_jobs}" for agent in ready)
    text = f"Every agent runs as many jobs as it may ({room})."
    return WaitReason.AGENT_FULL, f"{text} Wait, start another, or raise its `max_jobs`."
