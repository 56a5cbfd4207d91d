"""Retries, copies and dead letters over REST."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from launchyard.adapters.client.reading import item_view, listed
from launchyard.adapters.client.transport import Call, Transport, place
from launchyard.domain.documents import Json
from launchyard.ports.again import Letters, Timing
from launchyard.ports.records import ItemView


class AgainCalls:
    """The part of the operator that tries again."""

    _http: Transport

    def retry(self, item: str) -> ItemView:
        return item_view(self._once(place("items", item, "retry"), {}))

    def duplicate(self, item: str) -> ItemView:
        return item_view(self._once(place("items", item, "duplicate"), {}))

    def dead_letters(self, wanted: Letters) -> Sequence[ItemView]:
        given = {
            "class": ",".join(wanted.classes),
            "reason": ",".join(wanted.reasons),
            "before": wanted.before,
            "most": str(wanted.most),
        }
        params = {name: value for name, value in given.items() if value}
        answer = self._http.json(Call(method="GET", path=_letters(wanted), params=params))
        return [item_view(one) for one in listed(answer, "items")]

    def replay(self, wanted: Letters) -> Sequence[str]:
        wish = {
            "items": [*wanted.items],
            "classes": [*wanted.classes],
            "reasons": [*wanted.reasons],
            "most": wanted.most,
        }
        answer = self._once(f"{_letters(wanted)}/replay", wish)
        return [str(item) for item in listed(answer, "items")]

    def _once(self, path: str, fields: Any) -> Any:
        """Ask once: after a lost answer a repeat could begin yet another attempt."""
        return self._http.json(Call(method="POST", path=path, body=fields, repeat=False))


def timing_fields(timing: Timing) -> dict[str, Json]:
    """Return what a launch request says of *timing*."""
    given: dict[str, Json] = {
        "retry": timing.retry,
        "delay_s": timing.delay_s,
        "not_before_ms": timing.not_before_ms,
    }
    return {name: value for name, value in given.items() if value is not None}


def _letters(wanted: Letters) -> str:
    return place("entities", wanted.entity, "queues", wanted.queue, "dead-letters")
