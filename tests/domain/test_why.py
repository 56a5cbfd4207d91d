"""Why an item waits: one reason each, and a remedy that people can follow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import Refusal
from launchyard.domain.item import ItemState
from launchyard.domain.why import AgentFacts, Situation, WaitReason, why

AGENT = AgentFacts(name="a1", online=True, draining=False, active=1, max_jobs=4)
WAITING = Situation(state=ItemState.QUEUED, queue="gpu", agents=(AGENT,))
OPEN = Refusal(reason="circuit_open", detail="5 failed in a row")
DISK = Refusal(reason="host_guard", detail="disk")
NEW = Refusal(reason="moon")
HELD = replace(
    WAITING,
    state=ItemState.CLAIMED,
    attempt_state=AttemptState.CLAIMED,
    holder="a1",
    agents=(replace(AGENT, waiting_builds=2, waiting_launches=3),),
)


@pytest.mark.parametrize(
    ("situation", "reason", "part"),
    [
        (WAITING, "next", "any moment"),
        (replace(WAITING, position=3), "behind_others", "2 items"),
        (replace(WAITING, position=2), "behind_others", "1 item of"),
        (replace(WAITING, paused=True, agents=()), "queue_paused", "queue resume gpu"),
        (replace(WAITING, agents=()), "no_agent", "launchyard agent -q gpu"),
        (replace(WAITING, agents=(replace(AGENT, online=False),)), "no_agent", "away: a1"),
        (replace(WAITING, agents=(replace(AGENT, draining=True),)), "agent_draining", "a1"),
        (replace(WAITING, agents=(replace(AGENT, paused=True),)), "agent_paused", "resume a1"),
        (replace(WAITING, limit=2, active=2), "queue_limit", "at most 2"),
        (replace(WAITING, limit=0), "queue_limit", "at most 0"),
        (replace(WAITING, agents=(replace(AGENT, active=4),)), "agent_full", "4 of 4"),
        (replace(WAITING, agents=(replace(AGENT, max_jobs=0),)), "agent_full", "1 of 0"),
        (replace(WAITING, agents=(replace(AGENT, active=4, suspended=1),)), "next", ""),
        (replace(WAITING, agents=(replace(AGENT, refusal=OPEN),)), "circuit_open", "a1: 5 failed"),
        (replace(WAITING, agents=(replace(AGENT, refusal=DISK),)), "host_guard", "a1: disk"),
        (replace(WAITING, agents=(replace(AGENT, refusal=NEW),)), "agent_refuses", "a1: moon"),
        (replace(WAITING, agents=(replace(AGENT, refusal=DISK), AGENT)), "next", ""),
        (replace(HELD, code=True), "build_slot", "max_builds"),
        (replace(HELD, attempt_state=AttemptState.BUILDING, code=True), "not_waiting", "works"),
        (HELD, "launch_slot", "max_launches"),
        (
            replace(HELD, attempt_state=AttemptState.PENDING, detail="no GPU"),
            "target_pending",
            "no GPU",
        ),
        (
            replace(HELD, state=ItemState.LAUNCHING, detail="x:1 is being pulled"),
            "target_pending",
            "x:1 is being pulled",
        ),
        (replace(WAITING, agents=(replace(AGENT, active=99, max_jobs=-1),)), "next", ""),
        (replace(WAITING, state=ItemState.LAUNCHED, cancel=True), "cancelling", "confirm"),
        (replace(WAITING, state=ItemState.LAUNCHED), "agent_away", "Start that agent"),
        (replace(WAITING, state=ItemState.CLAIMED, holder="a1"), "not_waiting", "agent a1"),
        (replace(WAITING, state=ItemState.DONE, cancel=True), "not_waiting", "done"),
    ],
)
def test_one_reason(situation: Situation, reason: str, part: str) -> None:
    """The first thing that has to change is told, with what to do about it."""
    answer = why(situation)
    assert answer.reason == reason
    assert part in answer.text


def test_only_items_in_line_have_a_position() -> None:
    """A claimed item has left the line."""
    assert why(replace(WAITING, position=3)).position == 3
    assert why(replace(WAITING, state=ItemState.DONE, position=3)).position == 0


def test_an_agent_with_room_outweighs_full_ones() -> None:
    """One ready agent is enough."""
    agents = (replace(AGENT, active=4), AGENT)
    assert why(replace(WAITING, agents=agents)).reason is WaitReason.NEXT
