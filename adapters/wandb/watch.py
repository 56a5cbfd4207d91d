"""The heartbeat: one look at all runs and at the agent's own record, and a sign of life."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from launchyard.adapters.wandb import operations as op
from launchyard.adapters.wandb import run_operations as runs
from launchyard.adapters.wandb.acks import acknowledge
from launchyard.adapters.wandb.book import Held
from launchyard.adapters.wandb.line import Line, field_of, inner, now_ms
from launchyard.adapters.wandb.registration import TTL_S
from launchyard.domain.exchange import Command, CommandKind, HeartbeatAnswer, LeaseRef
from launchyard.domain.wandb_items import ACK_MS
from launchyard.domain.wandb_polling import LOOK_BUSY_S, LOOK_IDLE_S

CHUNK: Final = 250
"""How many runs one request asks about."""


class Watch:
    """Looks for stop requests, acks what has waited for long, and tells the status.

    *again* registers anew when the server knows the agent no more. One thread calls it.
    """

    def __init__(self, line: Line, again: Callable[[], None]) -> None:
        self._line, self._again = line, again
        self._looked_at = float("-inf")
        self._stopped: dict[str, float] = {}
        self._drain = False

    def beat(self) -> HeartbeatAnswer:
        """Do what is due now.

        Raises:
            ServerError: the server could not be asked; the next one asks it all again.
        """
        live = self._line.live()
        stale = self._ack_waiting(live)
        acked = [held for held in live if held.acked]
        now = time.monotonic()
        if now - self._looked_at >= (LOOK_BUSY_S if acked else LOOK_IDLE_S):
            self._look(acked)
            self._looked_at = now
        self._say()
        return HeartbeatAnswer(ttl_s=TTL_S, commands=tuple(self._commands(live)), stale=stale)

    def _ack_waiting(self, live: Sequence[Held]) -> tuple[LeaseRef, ...]:
        """Ack what waits for a build or a slot, before the server gives it to another."""
        late = now_ms() - ACK_MS
        waiting = [held for held in live if not held.acked and held.popped_ms <= late]
        if not waiting:
            return ()
        ours = acknowledge(self._line, waiting)
        return tuple(
            LeaseRef(item=held.item, attempt=1, token=held.token)
            for held in waiting
            if not ours[held.item]
        )

    def _look(self, acked: Sequence[Held]) -> None:
        """Ask in one request (or few, for many runs) what is to stop."""
        line = self._line
        for at in range(0, max(len(acked), 1), CHUNK):
            part = acked[at : at + CHUNK]
            refs = [runs.RunRef(held.entity, held.project, held.run_id) for held in part]
            reply = line.ask(runs.runs(refs, "stopped", "" if at else line.agent))
            if not at:
                self._note_agent(reply.data.get(op.AGENT), known=op.AGENT not in reply.errors)
            for number, held in enumerate(part):
                if inner(field_of(reply, number), "run", "stopped") is True:
                    self._stopped.setdefault(held.item, time.monotonic())
        here = {held.item for held in acked}
        self._stopped = {item: at for item, at in self._stopped.items() if item in here}

    def _note_agent(self, record: object, *, known: bool) -> None:
        if isinstance(record, dict):
            self._drain = record.get("stopPolling") is True
        elif known and not self._line.status.over:
            self._again()

    def _say(self) -> None:
        line = self._line
        with line.status.saying(line.word(), alone=True) as word:
            if word:
                reply = line.ask(op.status(line.agent, word))
                if reply.data.get(op.STATUS) is not None:
                    line.status.told(word)

    def _commands(self, live: Sequence[Held]) -> Iterator[Command]:
        if self._drain:
            yield Command(kind=CommandKind.DRAIN)
        ready = time.monotonic() - self._line.settings.stop_after_s
        for held in live:
            if self._stopped.get(held.item, float("inf")) <= ready:
                yield Command(kind=CommandKind.CANCEL, item=held.item, attempt=1)
