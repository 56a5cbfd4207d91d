"""Routes of items, as submitters and readers use them."""

from __future__ import annotations

import os
import re
import secrets
import string
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from launchyard.adapters.http.bodies import (
    answer_item,
    answer_json,
    answer_value,
    fields,
    item_document,
    part,
    read_json,
    whole,
)
from launchyard.adapters.http.directory import check_text
from launchyard.adapters.http.endpoint import Endpoint, Needs
from launchyard.adapters.http.house import House
from launchyard.adapters.http.jobs import with_its_job
from launchyard.adapters.http.moments import moment_of
from launchyard.adapters.http.order import explained
from launchyard.adapters.http.problems import EXPECTED, wrong
from launchyard.adapters.http.shapes import Finding, Items, NewLaunch, Planned
from launchyard.domain.config.problem import DocumentError, Problem
from launchyard.domain.documents import Json, dotted
from launchyard.domain.ids import uuid7
from launchyard.domain.naming import digest
from launchyard.domain.remotes import hide_user_data
from launchyard.domain.retry_wire import item_policy, queue_policy
from launchyard.domain.rights import Action, Principal
from launchyard.domain.secrets import item_context, references
from launchyard.domain.submission import Submission, judge
from launchyard.domain.targets.preview import unclaimed
from launchyard.domain.wire import from_json
from launchyard.ports.families import QUEUE_ENQUEUED
from launchyard.ports.records import ItemFilter, ItemView, NewItem, Queue
from launchyard.ports.store import Store

_QUEUE: Final = "/api/v1/entities/{entity}/queues/{queue}"
_ITEM: Final = "/api/v1/items/{item}"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_RUN_ID_LENGTH: Final = 8
_MOST: Final = 500


class ItemRoutes:
    """Submitting, looking and cancelling."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._store, self._guard = house.store, house.guard

    def endpoints(self) -> Sequence[Endpoint]:
        """Return this topic's part of the table."""
        return (
            Endpoint(
                method="POST",
                path=f"{_QUEUE}/items",
                handler=self.submit,
                does="Put a launch on the queue; the header `Idempotency-Key` makes it repeatable",
                needs=Needs.SUBMIT,
                takes=NewLaunch,
                gives=ItemView,
                status=201,
            ),
            Endpoint(
                method="POST",
                path=f"{_QUEUE}/plan",
                handler=self.plan,
                does="Tell what would be put on the queue; changes nothing",
                needs=Needs.SUBMIT,
                takes=NewLaunch,
                gives=Planned,
            ),
            Endpoint(
                method="GET",
                path="/api/v1/items",
                handler=self.items,
                does="List items, the newest first",
                needs=Needs.READ,
                gives=Items,
                query={
                    "entity": "of this entity only",
                    "queue": "of this queue only",
                    "state": "in these states, joined by commas",
                    "before": "the id of the last one already seen",
                    "most": f"how many, up to {_MOST}",
                },
            ),
            Endpoint(
                method="GET",
                path=_ITEM,
                handler=self.item,
                does="Show an item, with its earlier attempts",
                needs=Needs.READ_OR_OWN,
                gives=ItemView,
            ),
            Endpoint(
                method="POST",
                path=f"{_ITEM}/cancel",
                handler=self.cancel,
                does="Ask for an item's end; repeats are harmless",
                needs=Needs.CANCEL,
                gives=ItemView,
            ),
        )

    async def submit(self, request: Request) -> Response:
        entity, name = part(request, "entity"), part(request, "queue")
        who = self._guard.require_submit(request, entity)
        key = request.headers.get("idempotency-key", "")
        if key and not _KEY.fullmatch(key):
            raise wrong("Idempotency-Key", "must be 1 to 255 visible ASCII characters")
        body = await read_json(request, self._house.settings.json_b)
        body_digest = digest([name, fields(body)])
        try:
            new = await self.with_job(from_json(NewLaunch, body), who)
            queue = self._store.queue(entity, name)
            item = self.item_of(new, self.judge(new, queue), queue)
        except EXPECTED:
            # What is not right any more was when it came first; a new key costs no look for that.
            known = self._store.repeated(entity, key, body_digest)
            if known is None:
                raise
            self._count(known, is_new=False)
            return answer_item(known)
        item = replace(item, submitter=who.user, idempotency_key=key, body_digest=body_digest)
        view, is_new = await self.put(item)
        return answer_item(view, 201 if is_new else 200)

    async def put(self, item: NewItem) -> tuple[ItemView, bool]:
        """Put an item on its queue, count it, and wake who waits for it; tell whether it is new."""
        view, is_new = await self._house.write(lambda: self._enqueue(item))
        self._count(view, is_new=is_new)
        return view, is_new

    def _enqueue(self, item: NewItem) -> tuple[ItemView, bool]:
        view, is_new = self._store.enqueue(item)
        if is_new:
            self._guard.remember(view.id, view.entity, view.queue)
            self._notify(view)
        return view, is_new

    async def plan(self, request: Request) -> Response:
        entity, name = part(request, "entity"), part(request, "queue")
        who = self._guard.require_submit(request, entity)
        body = await read_json(request, self._house.settings.json_b)
        new = await self.with_job(from_json(NewLaunch, body), who)
        queue = self._store.queue(entity, name)
        judged = self.judge(new, queue)
        shown, troubles = self._shown(judged, queue)
        findings = tuple(
            Finding(path=dotted(one.path), message=one.message, hint=one.hint)
            for one in (*judged.warnings, *troubles)
        )
        return answer_value(
            Planned(
                entity=entity,
                queue=name,
                resource=queue.resource,
                spec=hide_user_data(judged.document),
                config=judged.merged,
                priority=judged.priority.word,
                request=hide_user_data(shown),
                findings=findings,
            )
        )

    def _shown(self, judged: Submission, queue: Queue) -> tuple[Json, Sequence[Problem]]:
        """Return what the target would be asked for, or what is in the way of that."""
        rules = self._house.services.targets.get(queue.resource)
        if rules is None or rules.show is None:
            return None, ()
        names = (queue.entity, queue.name, queue.resource)
        try:
            return rules.show(unclaimed(*names, judged.document, queue.config)), ()
        except DocumentError as e:
            return None, e.problems

    async def items(self, request: Request) -> Response:
        who = self._guard.principal(request)
        wanted = _filter(request)
        entities: tuple[str, ...] | None = (wanted.entity,)
        if wanted.entity:
            self._guard.require(request, Action.READ, wanted.entity)
        else:
            entities = self._guard.visible(who)
        filters = (
            [wanted]
            if entities is None
            else [replace(wanted, entity=entity) for entity in entities]
        )
        found = await self._house.read(lambda store: _page(store, filters, wanted.most))
        return answer_value(Items(items=tuple(found)))

    async def item(self, request: Request) -> Response:
        item = part(request, "item")
        self._guard.require_item_or_own(request, Action.READ, item)
        document = item_document(self._store.item(item))
        earlier: Json = [item_document(one) for one in self._store.attempts(item)]
        return answer_json(document | {"attempts": earlier})

    async def cancel(self, request: Request) -> Response:
        item = part(request, "item")
        whose = self._guard.require_item(request, Action.CANCEL, item)
        view = await self._house.write(lambda: self._store.cancel(item, whose.principal.user))
        if view.agent:
            self._house.waits.notify_agent(view.agent)
        self._house.items_changed([item])
        return answer_item(view)

    async def with_job(self, new: NewLaunch, who: Principal) -> NewLaunch:
        """Return *new* with what the job that it names says."""
        return replace(new, spec=await with_its_job(self._house, new.spec, who))

    def judge(self, new: NewLaunch, queue: Queue) -> Submission:
        """Return what *new* would put on *queue*, or raise everything that is wrong with it."""
        check_text(new.name, "name")
        item_policy(new.retry, queue_policy(queue.retry))
        names: tuple[str, ...] = ()
        if references(new.spec):
            names = tuple(secret.name for secret in self._store.secrets(queue.entity))
        return judge(new.spec, self._house.rules(queue, names), new.priority)

    def item_of(self, new: NewLaunch, judged: Submission, queue: Queue) -> NewItem:
        """Return the item that *new* is, but for who submits it."""
        return NewItem(
            id=uuid7(self._house.services.clock.now_ms(), os.urandom(10)),
            entity=queue.entity,
            queue=queue.name,
            spec=judged.document,
            name=new.name or judged.spec.name,
            submitter="",
            run_id=judged.spec.run_id or _run_id(),
            body_digest="",
            priority=judged.priority,
            retry=new.retry,
            not_before_ms=moment_of(new, self._house.services.clock.now_ms()),
            secrets={
                env: self._house.services.vault.seal(value, item_context(queue.entity, env))
                for env, value in judged.secrets.items()
            },
        )

    def _notify(self, view: ItemView) -> None:
        """Let claims look for a new item, now or when its moment comes."""
        if view.not_before_ms is None:
            self._house.waits.notify((view.entity, view.queue))
        else:
            self._house.delays.look()

    def _count(self, view: ItemView, *, is_new: bool) -> None:
        dedup = "new" if is_new else "existing"
        labels = {"entity": view.entity, "queue": view.queue, "dedup": dedup}
        self._house.services.metrics.count(QUEUE_ENQUEUED, labels)


def _page(store: Store, filters: Sequence[ItemFilter], most: int) -> Sequence[ItemView]:
    """Return the newest items of all *filters* together, each with why it waits."""
    found = [view for one in filters for view in store.items(one)]
    found.sort(key=lambda view: view.id, reverse=True)
    return explained(store, found[:most])


def _run_id() -> str:
    alphabet = string.ascii_lowercase + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(_RUN_ID_LENGTH))


def _filter(request: Request) -> ItemFilter:
    query = request.query_params
    states: Json = [word for word in query.get("state", "").split(",") if word]
    document: Json = {
        "entity": query.get("entity", ""),
        "queue": query.get("queue", ""),
        "states": states,
        "before": query.get("before", ""),
        "most": whole(request, "most", 50, 1, _MOST),
    }
    return from_json(ItemFilter, document)
