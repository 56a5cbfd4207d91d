"""Routes of what comes after an end: retries, duplicates, dead letters and their replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from launchyard.adapters.http.bodies import answer_item, answer_value, part, read_value, whole
from launchyard.adapters.http.endpoint import Endpoint, Needs
from launchyard.adapters.http.house import House
from launchyard.adapters.http.items import ItemRoutes
from launchyard.adapters.http.problems import wrong
from launchyard.adapters.http.shapes import Items, NewLaunch
from launchyard.domain.documents import Json
from launchyard.domain.priority import QueueMode
from launchyard.domain.reason import FailureClass, Reason
from launchyard.domain.rights import Action
from launchyard.domain.wire import from_json
from launchyard.ports.records import ItemView
from launchyard.ports.retries import DeadFilter

_ITEM: Final = "/api/v1/items/{item}"
_DEAD: Final = "/api/v1/entities/{entity}/queues/{queue}/dead-letters"
_MOST: Final = 500
_DEAD_QUERY: Final = {
    "class": "of these classes of failure, joined by commas",
    "reason": "with these reasons, joined by commas",
    "before": "the id of the last one already seen",
    "most": f"how many, up to {_MOST}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Which dead letters to put back: the named ones, or those of classes and reasons, or all."""

    items: tuple[str, ...] = ()
    classes: tuple[FailureClass, ...] = ()
    reasons: tuple[Reason, ...] = ()
    most: int = _MOST


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """The ids of the items that wait again."""

    items: tuple[str, ...]


class RetryRoutes:
    """Another attempt, or another item, of what was launched before."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._store, self._guard = house.store, house.guard
        self._items = ItemRoutes(house)

    def endpoints(self) -> Sequence[Endpoint]:
        """Return this topic's part of the table."""
        return (
            Endpoint(
                method="POST",
                path=f"{_ITEM}/retry",
                handler=self.retry,
                does="Try an ended item again with fresh budgets, or a delayed one now",
                needs=Needs.CANCEL,
                gives=ItemView,
            ),
            Endpoint(
                method="POST",
                path=f"{_ITEM}/duplicate",
                handler=self.duplicate,
                does="Put a new item with the same launch on the same queue",
                needs=Needs.SUBMIT,
                gives=ItemView,
                status=201,
            ),
            Endpoint(
                method="GET",
                path=_DEAD,
                handler=self.dead_letters,
                does="List the items that failed and are not tried again, the newest first",
                needs=Needs.READ,
                gives=Items,
                query=_DEAD_QUERY,
            ),
            Endpoint(
                method="POST",
                path=f"{_DEAD}/replay",
                handler=self.replay,
                does=f"Try dead letters again, all or none of up to {_MOST}",
                needs=Needs.CANCEL,
                takes=Replay,
                gives=Replayed,
            ),
        )

    async def retry(self, request: Request) -> Response:
        item = part(request, "item")
        whose = self._guard.require_item(request, Action.CANCEL, item)
        user = whose.principal.user
        view = await self._house.write(lambda: self._store.retry(item, user))
        self._waiting(view.entity, view.queue, [item])
        return answer_item(view)

    async def duplicate(self, request: Request) -> Response:
        of = part(request, "item")
        whose = self._guard.require_item(request, Action.SUBMIT, of)
        self._guard.require_submit(request, whose.entity)
        before = self._store.item(of)
        queue = self._store.queue(before.entity, before.queue)
        spec = dict(before.spec) if isinstance(before.spec, dict) else {}
        spec.pop("run_id", None)  # the copy is a run of its own
        ranked = queue.mode is QueueMode.PRIORITY
        again = NewLaunch(
            spec=spec,
            name=before.name,
            retry=before.retry,
            priority=before.priority if ranked else None,
        )
        item = self._items.item_of(again, self._items.judge(again, queue), queue)
        new = replace(item, submitter=whose.principal.user)
        view = await self._house.write(lambda: self._store.duplicate(of, new))
        self._guard.remember(view.id, view.entity, view.queue)
        self._waiting(view.entity, view.queue, [view.id])
        return answer_item(view, 201)

    async def dead_letters(self, request: Request) -> Response:
        entity, queue = part(request, "entity"), part(request, "queue")
        self._guard.require(request, Action.READ, entity)
        query = request.query_params
        words: dict[str, Json] = {
            name: [word for word in query.get(key, "").split(",") if word]
            for name, key in (("classes", "class"), ("reasons", "reason"))
        }
        most = whole(request, "most", 50, 1, _MOST)
        found: dict[str, Json] = {"entity": entity, "queue": queue, "most": most}
        wanted = from_json(DeadFilter, found | words | {"before": query.get("before", "")})
        letters = await self._house.read(lambda store: store.dead_letters(wanted))
        return answer_value(Items(items=tuple(letters)))

    async def replay(self, request: Request) -> Response:
        entity, queue = part(request, "entity"), part(request, "queue")
        who = self._guard.require(request, Action.CANCEL, entity)
        wish = await read_value(request, Replay, self._house.settings.json_b)
        if not 1 <= wish.most <= _MOST or len(wish.items) > _MOST:
            raise wrong("most", f"must be from 1 to {_MOST}, and name no more items than that")
        wanted = DeadFilter(
            entity=entity,
            queue=queue,
            items=tuple(dict.fromkeys(wish.items)),
            classes=wish.classes,
            reasons=wish.reasons,
            most=wish.most,
        )
        items = await self._house.write(lambda: self._store.replay(wanted, who.user))
        self._waiting(entity, queue, items)
        return answer_value(Replayed(items=tuple(items)))

    def _waiting(self, entity: str, queue: str, items: Sequence[str]) -> None:
        """Tell waiting claims and followers that items wait in line."""
        if items:
            self._house.waits.notify((entity, queue), len(items))
            self._house.items_changed(items)
