"""Routes of entities, keys and queues."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from launchyard.adapters.http.bodies import answer_value, part, read_value
from launchyard.adapters.http.endpoint import Endpoint, Needs
from launchyard.adapters.http.guard import digest_of
from launchyard.adapters.http.house import House
from launchyard.adapters.http.problems import wrong
from launchyard.adapters.http.shapes import (
    Entities,
    KeyMade,
    Keys,
    KeyShown,
    NewEntity,
    NewKey,
)
from launchyard.domain.rights import Action, Principal, Role
from launchyard.ports.records import Entity, KeyRecord, StoreError, Trouble

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
NAME_RULE: Final = "must begin with a letter or digit and hold letters, digits and `_.-` only"
_KEY_LENGTH: Final = 48
_LONGEST: Final = 256


def make_key() -> str:
    """Make a key that W&B clients accept too, with 248 bits of chance."""
    alphabet = string.ascii_lowercase + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(_KEY_LENGTH))


class DirectoryRoutes:
    """Who there is, and with which keys."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._store, self._guard = house.store, house.guard
        self._most_b = house.settings.json_b

    def endpoints(self) -> Sequence[Endpoint]:
        """Return this topic's part of the table."""
        return (
            Endpoint(
                method="GET",
                path="/api/v1/entities",
                handler=self.entities,
                does="List the entities that the key may see",
                needs=Needs.KEY,
                gives=Entities,
            ),
            Endpoint(
                method="POST",
                path="/api/v1/entities",
                handler=self.add_entity,
                does="Make a team or a person's entity",
                needs=Needs.SERVER,
                takes=NewEntity,
                gives=Entity,
                status=201,
            ),
            Endpoint(
                method="GET",
                path="/api/v1/keys",
                handler=self.keys,
                does="List the keys that the caller administers, without their texts",
                needs=Needs.MANAGE,
                gives=Keys,
            ),
            Endpoint(
                method="POST",
                path="/api/v1/keys",
                handler=self.add_key,
                does="Make a key; its text is told this once",
                needs=Needs.MANAGE,
                takes=NewKey,
                gives=KeyMade,
                status=201,
            ),
            Endpoint(
                method="DELETE",
                path="/api/v1/keys/{id}",
                handler=self.revoke_key,
                does="End a key",
                needs=Needs.MANAGE,
                status=204,
            ),
        )

    async def entities(self, request: Request) -> Response:
        visible = self._guard.visible(self._guard.principal(request))
        found = self._store.entities()
        return answer_value(
            Entities(entities=tuple(e for e in found if visible is None or e.name in visible))
        )

    async def add_entity(self, request: Request) -> Response:
        self._guard.require_everywhere(request)
        new = await read_value(request, NewEntity, self._most_b)
        check_name(new.name)
        return answer_value(self._store.add_entity(Entity(name=new.name, kind=new.kind)), 201)

    async def keys(self, request: Request) -> Response:
        who = self._guard.require_somewhere(request, Action.MANAGE)
        records = self._store.keys()
        shown = (_shown(key) for key in records if _may_manage(who, key.entity))
        return answer_value(Keys(keys=tuple(shown)))

    async def add_key(self, request: Request) -> Response:
        who = self._guard.require_somewhere(request, Action.MANAGE)
        new = await read_value(request, NewKey, self._most_b)
        if not _may_manage(who, new.entity):
            # Raises with the reason: not an administrator there, or not of the whole server.
            self._refuse(request, new.entity)
        check_name(new.user, "user")
        check_text(new.label, "label")
        key = make_key()
        record = KeyRecord(
            id=f"key-{secrets.token_hex(8)}",
            user=new.user,
            entity=new.entity,
            role=new.role,
            label=new.label,
            digest=digest_of(key),
        )
        shown = _shown(self._store.add_key(record))
        made = KeyMade(**{name: getattr(shown, name) for name in KeyShown.__slots__}, key=key)
        return answer_value(made, 201)

    async def revoke_key(self, request: Request) -> Response:
        who = self._guard.require_somewhere(request, Action.MANAGE)
        wanted = part(request, "id")
        records = self._store.keys()
        found = next((key for key in records if key.id == wanted), None)
        if found is None or not _may_manage(who, found.entity):
            raise StoreError(f"there is no key {wanted}", Trouble.NOT_FOUND)
        self._store.revoke_key(wanted)
        return Response(status_code=204)

    def _refuse(self, request: Request, entity: str) -> None:
        if entity:
            self._guard.require(request, Action.MANAGE, entity)
        self._guard.require_everywhere(request)


def check_name(name: str, path: str = "name") -> None:
    """Refuse what could not stand in an address."""
    if not NAME.fullmatch(name):
        raise wrong(path, NAME_RULE)


def check_text(text: str, path: str, most: int = _LONGEST) -> None:
    """Refuse a text for people that is too long, or would break a line or a log."""
    if len(text) > most or not text.isprintable():
        raise wrong(path, f"must be one line of at most {most} characters")


def _may_manage(who: Principal, entity: str) -> bool:
    return who.everywhere is Role.ADMIN or (bool(entity) and who.may(Action.MANAGE, entity))


def _shown(key: KeyRecord) -> KeyShown:
    names = (name for name in KeyShown.__slots__)
    return KeyShown(**{name: getattr(key, name) for name in names})
