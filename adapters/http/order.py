"""Routes of the order in which items go: why one waits, and moving it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from launchyard.adapters.http.bodies import answer_item, answer_value, part, read_value
from launchyard.adapters.http.endpoint import Endpoint, Needs
from launchyard.adapters.http.house import House
from launchyard.adapters.http.problems import wrong
from launchyard.adapters.http.situations import situation
from launchyard.domain.documents import Json
from launchyard.domain.item import ItemState
from launchyard.domain.priority import WORDS, read_priority
from launchyard.domain.rights import Action
from launchyard.domain.why import Why, why
from launchyard.ports.records import ItemView
from launchyard.ports.store import Store

_ITEM: Final = "/api/v1/items/{item}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemChange:
    """What may be changed of a waiting item: its priority, a number or a word."""

    priority: Json


class OrderRoutes:
    """Looking at the line, and moving in it."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._store, self._guard = house.store, house.guard

    def endpoints(self) -> Sequence[Endpoint]:
        """Return this topic's part of the table."""
        return (
            Endpoint(
                method="GET",
                path=f"{_ITEM}/why",
                handler=self.why,
                does="Tell why an item waits",
                needs=Needs.READ,
                gives=Why,
            ),
            Endpoint(
                method="PATCH",
                path=_ITEM,
                handler=self.change,
                does="Move a waiting item: critical (0), high (1), medium (2) or low (3)",
                needs=Needs.CANCEL,
                takes=ItemChange,
                gives=ItemView,
            ),
        )

    async def why(self, request: Request) -> Response:
        item = part(request, "item")
        self._guard.require_item(request, Action.READ, item)
        standing = await self._house.read(lambda store: store.standing(item))
        return answer_value(why(situation(standing)))

    async def change(self, request: Request) -> Response:
        item = part(request, "item")
        self._guard.require_item(request, Action.CANCEL, item)
        wish = await read_value(request, ItemChange, self._house.settings.json_b)
        priority = read_priority(wish.priority)
        if priority is None:
            raise wrong("priority", f"must be one of {', '.join(WORDS)}, or 0 to 3")
        view = self._store.set_priority(item, priority)
        self._house.items_changed([item])
        return answer_item(view)


def explained(store: Store, views: Sequence[ItemView]) -> Sequence[ItemView]:
    """Return the items, those that have not ended with the short reason why they wait."""
    standings = store.standings([v for v in views if v.state is not ItemState.DONE])
    return [
        replace(view, waits=why(situation(standings[view.id])).reason.value)
        if view.id in standings
        else view
        for view in views
    ]
