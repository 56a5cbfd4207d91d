"""Routes of named secrets: values go in and never come out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from launchyard.adapters.http.bodies import answer_value, part, read_value
from launchyard.adapters.http.endpoint import Endpoint, Needs
from launchyard.adapters.http.house import House
from launchyard.adapters.http.problems import wrong
from launchyard.adapters.http.shapes import NewSecret, Secrets, SecretShown
from launchyard.domain.rights import Action
from launchyard.domain.secrets import LONGEST_B, NAME, NAME_RULE, named_context, value_rule
from launchyard.ports.records import SecretRecord

_ALL: Final = "/api/v1/entities/{entity}/secrets"
_ONE: Final = f"{_ALL}/{{secret}}"
_BODY_B: Final = 8 * LONGEST_B
"""A character may take six bytes of JSON."""


class SecretRoutes:
    """Setting, listing and removing."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._store, self._guard = house.store, house.guard

    def endpoints(self) -> Sequence[Endpoint]:
        """Return this topic's part of the table."""
        return (
            Endpoint(
                method="GET",
                path=_ALL,
                handler=self.secrets,
                does="List an entity's secrets, without their values",
                needs=Needs.SUBMIT,
                gives=Secrets,
            ),
            Endpoint(
                method="PUT",
                path=_ONE,
                handler=self.set,
                does="Keep a value under a name; items that are claimed from now on get it",
                needs=Needs.MANAGE,
                takes=NewSecret,
                gives=SecretShown,
            ),
            Endpoint(
                method="DELETE",
                path=_ONE,
                handler=self.remove,
                does="Remove a secret; items that are claimed from now on fail without it",
                needs=Needs.MANAGE,
                status=204,
            ),
        )

    async def secrets(self, request: Request) -> Response:
        entity = part(request, "entity")
        self._guard.require(request, Action.SUBMIT, entity)
        return answer_value(Secrets(secrets=tuple(map(_shown, self._store.secrets(entity)))))

    async def set(self, request: Request) -> Response:
        entity, name = part(request, "entity"), part(request, "secret")
        who = self._guard.require(request, Action.MANAGE, entity)
        if not NAME.fullmatch(name):
            raise wrong("secret", NAME_RULE)
        value = (await read_value(request, NewSecret, _BODY_B)).value
        if problem := value_rule(value):
            raise wrong("value", problem)
        sealed = self._house.services.vault.seal(value, named_context(entity, name))
        record = SecretRecord(entity=entity, name=name, sealed=sealed, set_by=who.user)
        return answer_value(_shown(self._store.set_secret(record)))

    async def remove(self, request: Request) -> Response:
        entity = part(request, "entity")
        self._guard.require(request, Action.MANAGE, entity)
        self._store.remove_secret(entity, part(request, "secret"))
        return Response(status_code=204)


def _shown(secret: SecretRecord) -> SecretShown:
    return SecretShown(
        name=secret.name,
        set_by=secret.set_by,
        created_ms=secret.created_ms,
        changed_ms=secret.changed_ms,
    )
