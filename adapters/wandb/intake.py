"""Claims: popping items at the pace that the domain sets, and keeping what an agent gives back."""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from launchyard.adapters.wandb import operations as op
from launchyard.adapters.wandb.book import Held
from launchyard.adapters.wandb.graphql import Reply
from launchyard.adapters.wandb.job_intake import JobIntake
from launchyard.adapters.wandb.line import Line, field_of, now_ms
from launchyard.domain.exchange import ClaimAnswer, ClaimRequest, Refusal
from launchyard.domain.wandb_items import read_launch
from launchyard.domain.wandb_polling import Pace, after_pop, held, jittered, pops
from launchyard.ports.launch_server import ServerError

REST_S: Final = 10.0
"""How long a queue is left alone that gave a scheduler while no more may run."""

SHELF_S: Final = 5.0
SCARCE_S: Final = 1.0
"""How long a claim waits that has not a slot for every queue: its next one may have more."""

_RUN_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_RUN_LENGTH: Final = 8


class Intake:
    """Answers claims: from the shelf first, else from the server; one at a time waits.

    A newer claim ends a waiting older one. Thread-safe.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._jobs = JobIntake(line, self._wake)
        self._changed = threading.Condition()
        self._popping = threading.Lock()
        self._current = ""
        self._last: tuple[str, ClaimAnswer] = ("", ClaimAnswer())
        self._pace = Pace()
        self._resources: dict[str, str] = {}
        self._rests: dict[str, float] = {}
        self._shelf_at = 0.0
        self._turn = 0
        self.refusing: Mapping[str, Refusal] = {}

    def claim(self, request: ClaimRequest) -> ClaimAnswer:
        """Wait up to `wait_s` for items.

        Raises:
            ServerError: the server could not be asked.
        """
        with self._changed:
            if self._last[0] == request.claim_id:
                return self._last[1]
            self._current = request.claim_id
            self._changed.notify_all()
        answer = self._wait(request)
        with self._changed:
            self._last = (request.claim_id, answer)
        return answer

    def abort(self, claim_id: str) -> None:
        """End the waiting claim."""
        with self._changed:
            if self._current == claim_id:
                self._current = ""
                self._changed.notify_all()

    def shelve(self, item: Held) -> None:
        """Keep an acked item that the agent gave back, for a claim of its own a little later."""
        self._shelf_at = time.monotonic() + SHELF_S
        self._line.book.change(item.item, shelved=True, place=None, counter=item.counter + 1)

    def close(self) -> None:
        """Let go of what reads jobs."""
        self._jobs.close()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _wait(self, request: ClaimRequest) -> ClaimAnswer:
        scarce = 0 < request.free < len(request.queues)
        until = time.monotonic() + min(request.wait_s, SCARCE_S if scarce else request.wait_s)
        while not self._line.closed.is_set():
            if request.free > 0:
                items = self._from_shelf(request.free) or self._read_jobs(request.free)
                items = items or self._pop(request)
                if items:
                    grants = tuple(map(self._line.grant_of, items))
                    return ClaimAnswer(items=grants)
            with self._changed:
                wait_s = self._wait_s(request, until)
                if self._current != request.claim_id or wait_s <= 0:
                    break
                self._changed.wait(wait_s)
                if self._current != request.claim_id:
                    break
        return ClaimAnswer()

    def _wait_s(self, request: ClaimRequest, until: float) -> float:
        now = time.monotonic()
        left_s = until - now
        if request.free == 0 or left_s <= 0:
            return left_s
        return min(left_s, max(self._pace.next_at - now, self._line.graphql.pause_s(), 0.01))

    def _from_shelf(self, free: int) -> Sequence[Held]:
        """Take items from the shelf: acked ones for which there was no room before."""
        if time.monotonic() < self._shelf_at:
            return ()
        waiting = [h for h in self._line.book.all() if h.shelved and self._wanted(h.resource)]
        taken = (self._line.book.change(h.item, shelved=False) for h in waiting[:free])
        return [item for item in taken if item is not None]

    def _read_jobs(self, free: int) -> Sequence[Held]:
        """Take items whose jobs have been read by now."""
        taken = self._jobs.take(free)
        self._line.book.put(*taken)
        return taken

    def _pop(self, request: ClaimRequest) -> Sequence[Held]:
        with self._popping:
            now = time.monotonic()
            paused_s = self._line.graphql.pause_s()
            if paused_s > 0:
                self._pace = held(self._pace, now + paused_s)
            if now < self._pace.next_at or self._current != request.claim_id:
                return ()
            queues = self._open(request.queues, now)
            free = max(request.free - len(self._jobs.held()), 0)
            asked = pops(queues, free, self._pace.full, self._turn)
            self._turn += 1
            if not asked:
                self._pace = replace(self._pace, next_at=now + 1.0)
                return ()
            return self._ask(asked, now)

    def _open(self, queues: Sequence[str], now: float) -> Sequence[str]:
        """Return the queues that have no reason to be left alone."""
        rested = (q for q in queues if self._rests.get(q, 0.0) <= now)
        return [q for q in rested if q not in self._resources or self._wanted(self._resources[q])]

    def _wanted(self, resource: str) -> bool:
        """Tell whether the agent takes work for *resource*, as its last heartbeat said."""
        refusal = self.refusing.get(resource)
        if refusal is None:
            return True
        running = sum(1 for item in self._line.live() if item.resource == resource)
        return running < refusal.most

    def _ask(self, asked: Sequence[str], now: float) -> Sequence[Held]:
        line = self._line
        with line.status.saying(line.word(), alone=False) as told:
            try:
                reply = line.ask(op.pop(line.entity, line.agent, asked, told))
            except ServerError:
                self._pace = replace(self._pace, next_at=now + 1.0, full=frozenset())
                raise
            if told and reply.data.get(op.STATUS) is not None:
                line.status.told(told)
        popped = self._popped(asked, reply)
        pace = after_pop(self._pace, time.monotonic(), asked, [item.queue for item in popped])
        # What a scheduler's queue gives next may be one more: such are popped one by one.
        pace = replace(pace, full=pace.full - {item.queue for item in popped if item.scheduler})
        self._pace = jittered(pace, time.monotonic(), random.random())  # noqa: S311 - no secret
        taken = self._jobs.begin(self._admitted(popped))
        line.book.put(*taken)
        return taken

    def _popped(self, asked: Sequence[str], reply: Reply) -> list[Held]:
        found: dict[str, Held] = {}
        reading = {item.item for item in self._jobs.held()}
        for number, queue in enumerate(asked):
            item = self._item(queue, field_of(reply, number))
            if item is None or item.item in reading:
                continue
            if self._line.book.get(item.item) is None:
                found[item.item] = item
            else:
                # Its lease had ended while we could not ack it, and is ours again.
                self._line.book.change(item.item, popped_ms=item.popped_ms)
        return list(found.values())

    def _item(self, queue: str, payload: object) -> Held | None:
        if not isinstance(payload, dict):
            return None
        item, spec = payload.get("runQueueItemId"), payload.get("runSpec")
        if not isinstance(item, str) or not item or not isinstance(spec, dict):
            return None
        return self._read(queue, item, spec)

    def _read(self, queue: str, item: str, spec: dict[str, Any]) -> Held:
        line = self._line
        fresh = "".join(secrets.choice(_RUN_LETTERS) for _ in range(_RUN_LENGTH))
        launch = read_launch(spec, line.entity, fresh)
        if launch.api_key:
            line.keys[item] = launch.api_key
        self._resources[queue] = launch.resource
        return Held(
            item=item,
            queue=queue,
            entity=launch.entity,
            project=launch.project,
            run_id=launch.run_id,
            resource=launch.resource,
            spec=launch.spec,
            config=launch.config,
            popped_ms=now_ms(),
            mine=launch.run_id == fresh,
            own_key=bool(launch.api_key),
            scheduler=launch.scheduler,
            sweep=launch.sweep,
            author=launch.author,
            resumes=launch.resumes,
        )

    def _admitted(self, popped: Sequence[Held]) -> list[Held]:
        """Return what may run: schedulers over their limit go back when their lease ends.

        Their queue is left alone for a while, or it would give one after the other.
        """
        most = self._line.settings.max_schedulers
        known = (*self._line.live(), *self._jobs.held())
        running = sum(1 for item in known if item.scheduler)
        taken = []
        for item in popped:
            if item.scheduler and most >= 0 and running >= most:
                self._rests[item.queue] = time.monotonic() + REST_S
                self._line.keys.pop(item.item, None)
                continue
            running += item.scheduler
            taken.append(item)
        return taken
