"""The launch server port in front of a W&B server (PROTOCOL 10)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Final

from launchyard.adapters.wandb import operations as op
from launchyard.adapters.wandb.acks import acknowledge
from launchyard.adapters.wandb.book import Book, Held
from launchyard.adapters.wandb.ends import Ends
from launchyard.adapters.wandb.files import tails_in
from launchyard.adapters.wandb.graphql import GraphQL
from launchyard.adapters.wandb.intake import Intake
from launchyard.adapters.wandb.line import Line, WandbSettings
from launchyard.adapters.wandb.registration import register, register_again
from launchyard.adapters.wandb.sweeps import sweeps_over
from launchyard.adapters.wandb.watch import Watch
from launchyard.domain.exchange import (
    AgentGrant,
    AgentHello,
    Answer,
    Caller,
    ClaimAnswer,
    ClaimRequest,
    Heartbeat,
    HeartbeatAnswer,
    Launching,
    Reclaim,
    ReclaimAnswer,
    ReclaimVerdict,
    Release,
    Report,
    Verdict,
)
from launchyard.ports.launch_server import ServerError

_GOODBYE_S: Final = 3.0
_TAKEN: Final = Answer(verdict=Verdict.TAKEN)
_STALE: Final = Answer(verdict=Verdict.STALE)


class WandbLaunchServer:
    """`LaunchServer` whose items, runs and agents are a W&B server's.

    Such a server has no leases: what is acked is this agent's until its end, and the book in the
    agent's state folder says what that is. Thread-safe, as each of the agent's actors has its own
    of these methods.
    """

    def __init__(self, settings: WandbSettings) -> None:
        agent = f"launchyard/{version('launchyard')}"
        self._line = line = Line(
            settings=settings,
            graphql=GraphQL(settings.base_url, settings.key, agent, settings.patience),
            book=Book(settings.folder),
            tails=tails_in(settings.folder),
        )
        self._hello: AgentHello | None = None
        self._killed = False
        self._intake = Intake(line)
        self._ends = Ends(line)
        self._watch = Watch(line, self._again)

    def hello(self, hello: AgentHello) -> AgentGrant:
        self._hello = hello
        return register(self._line, hello)

    def claim(self, request: ClaimRequest) -> ClaimAnswer:
        return self._intake.claim(request)

    def abort_claim(self, caller: Caller, claim_id: str) -> None:
        del caller
        self._intake.abort(claim_id)

    def heartbeat(self, beat: Heartbeat) -> HeartbeatAnswer:
        self._intake.refusing = beat.standing.refusing
        return self._watch.beat()

    def launching(self, caller: Caller, batch: Sequence[Launching]) -> Sequence[Answer]:
        del caller
        line = self._line
        asked = [self._of(one) for one in batch]
        held = {one.item: one for one in asked if one is not None}
        ours = acknowledge(line, [h for h in held.values() if not h.acked])
        kept = {item: h for item, h in held.items() if ours.get(item, h.acked)}
        over = sweeps_over(line, list(kept.values()))
        known = (kept.get(one.item) if one is not None else None for one in asked)
        return [self._permit(*pair, over) for pair in zip(batch, known, strict=True)]

    def report(self, caller: Caller, batch: Sequence[Report]) -> Sequence[Answer]:
        del caller
        return self._ends.report(batch)

    def reclaim(self, reclaim: Reclaim) -> ReclaimAnswer:
        held = self._line.book.get(reclaim.item)
        if held is None or reclaim.attempt != 1:
            return ReclaimAnswer(verdict=ReclaimVerdict.OVER)
        return ReclaimAnswer(verdict=ReclaimVerdict.GRANTED, token=held.token)

    def release(self, caller: Caller, batch: Sequence[Release]) -> Sequence[Answer]:
        del caller
        return [self._give_back(given) for given in batch]

    def goodbye(self, caller: Caller) -> None:
        del caller
        self._say_killed()

    def close(self) -> None:
        """Say that this agent has ended, if nobody did; then close the book."""
        self._line.closed.set()
        if not self._killed:
            with contextlib.suppress(ServerError):
                self._say_killed()
        self._intake.close()
        self._ends.close()
        self._line.graphql.close()
        self._line.book.close()

    def _again(self) -> None:
        if self._hello is not None:
            register_again(self._line, self._hello)

    def _say_killed(self) -> None:
        """Say the last word; it is said again at the close if another was on its way meanwhile.

        A server that wants silence for longer than a goodbye may take hears nothing.
        """
        line = self._line
        alone = line.status.end()
        if line.agent:
            if (pause_s := line.graphql.pause_s()) <= _GOODBYE_S:
                time.sleep(pause_s)
            line.graphql.ask(op.status(line.agent, "KILLED"), _GOODBYE_S)
            self._killed = alone

    def _of(self, asked: Launching) -> Held | None:
        """Return the item of a lease that is good; it may have been given anew since."""
        held = self._line.book.get(asked.lease.item)
        return held if held is not None and held.token == asked.lease.token else None

    def _permit(self, asked: Launching, held: Held | None, over: Mapping[str, str]) -> Answer:
        """Note where an item of ours goes; one whose sweep is over goes nowhere."""
        if held is None:
            return _STALE
        if held.item in over:
            return Answer(verdict=Verdict.REFUSED, detail=over[held.item])
        self._line.book.change(held.item, place=asked.place)
        return _TAKEN

    def _give_back(self, given: Release) -> Answer:
        """Let go of what is not launched; the rest stays with this agent, whose start adopts it.

        There is no un-ack: what is acked waits on our shelf. What is not goes back by itself.
        """
        held = self._line.book.get(given.lease.item)
        if held is None:
            return _TAKEN
        if held.place is not None or given.place is not None:
            return Answer(verdict=Verdict.REFUSED, detail="it stays with this agent")
        if held.acked or held.tried:
            self._intake.shelve(held)
        else:
            self._line.book.drop(held.item)
            self._line.keys.pop(held.item, None)
        return _TAKEN
