"""Which commands an agent's claim was told already.

A store repeats a command until it is carried out. The heartbeat passes every repeat on; a claim
must not, or it would never wait again while a job takes its time to end.
"""

from __future__ import annotations

from dataclasses import replace

from launchyard.domain.exchange import ClaimAnswer, Command


class Told:
    """Commands by agent; in the event loop's thread."""

    def __init__(self) -> None:
        self._told: dict[str, frozenset[Command]] = {}

    def fresh(self, agent: str, answer: ClaimAnswer) -> ClaimAnswer:
        """Return *answer* with the commands only that this agent's claims were not told yet."""
        told = self._told.get(agent)
        if not answer.commands:
            if told:
                del self._told[agent]
            return answer
        self._told[agent] = frozenset(answer.commands)
        if not told:
            return answer
        return replace(answer, commands=tuple(c for c in answer.commands if c not in told))

    def forget(self, agent: str) -> None:
        """Tell everything again: the agent has started anew."""
        self._told.pop(agent, None)
