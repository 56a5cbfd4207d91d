"""What a resolver knows: who asks, of which server, and how it is called from outside."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from starlette.requests import Request

from launchyard.adapters.http.bodies import parse
from launchyard.adapters.http.graphql.own import Own, own_of, refused
from launchyard.adapters.http.house import House
from launchyard.adapters.http.problems import wrong
from launchyard.domain.documents import Json
from launchyard.domain.rights import Action, Principal
from launchyard.ports.tracking import RunKey

Given: TypeAlias = Mapping[str, Any]
"""A field's arguments; those of a mutation are the fields of its `input`."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to the GraphQL interface; `own` is the attempt that asks by its token."""

    house: House
    request: Request
    own: Own | None = None

    @property
    def principal(self) -> Principal:
        """Who the request's key speaks for."""
        return self.house.guard.principal(self.request)

    @property
    def base(self) -> str:
        """The address under which the client knows this server, without a slash at its end.

        A proxy that adds TLS says so; who says it without one misleads nobody else.
        """
        url = self.request.base_url
        if self.request.headers.get("x-forwarded-proto") == "https":
            url = url.replace(scheme="https")
        return str(url).rstrip("/")

    def require(self, action: Action, entity: str) -> Principal:
        """Return who asks, if they may do *action* in *entity*."""
        return self.house.guard.require(self.request, action, entity)

    def may(self, action: Action, entity: str) -> bool:
        """Tell whether who asks may do *action* in *entity*."""
        return self.principal.may(action, entity)

    def require_run(self, entity: str) -> Principal:
        """Return who asks, if they may write runs of *entity*."""
        if not self.may_write_runs(entity):
            self.require(Action.WORK, entity)
        return self.principal

    def may_write_runs(self, entity: str) -> bool:
        """Tell whether who asks may write runs of *entity*.

        A job of a stock agent has the agent's key, and a run on a desk its person's.
        """
        return self.may(Action.SUBMIT, entity) or self.may(Action.WORK, entity)

    def require_own_run(self, key: RunKey) -> str:
        """Return who asks, if they may write the run *key*: a job's token may write its own."""
        if self.own is None:
            return self.require_run(key.entity).user
        if not self.own.may_write(key, self.house.store.run(key)):
            raise refused(self.own, f"{key.name!r} in {key.entity}/{key.project}")
        return self.own.user

    def may_see(self, entity: str) -> bool:
        """Tell whether who asks may see *entity*; a job's token sees its item's."""
        if self.own is not None:
            return entity == self.own.run.entity
        return self.may(Action.READ, entity)


Resolver: TypeAlias = Callable[[Any, Ask, Given], Any | Awaitable[Any]]
"""Takes the parent's value, who asks, and the field's arguments."""

Fields: TypeAlias = Mapping[str, Mapping[str, Resolver]]
"""Resolvers by type and field."""


class Topic(Protocol):
    """Some types' resolvers."""

    def fields(self) -> Fields:
        """Return this topic's part of the table."""
        ...


def asked(house: House, request: Request) -> Ask:
    """Return who asks, by a key or by a job's token.

    Raises:
        RefusalError: it is neither.
    """
    view = house.guard.own_item(request)
    if view is None:
        house.guard.principal(request)
    return Ask(house, request, own_of(view) if view else None)


def document(text: object, path: str) -> Json:
    """Return the document in a `JSONString`; some clients send it as an object.

    Raises:
        RefusalError: it is no JSON, as a number that is too large, or nested too deeply.
    """
    try:
        found: Json = parse(text) if isinstance(text, str) else text  # type: ignore[assignment]
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise wrong(path, "is no JSON") from None
    return found


def _no_constant(name: str) -> object:
    raise ValueError(name)
