"""Who asks, and whether they may."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from launchyard.adapters.http.problems import RefusalError
from launchyard.adapters.http.wake import QueueKey
from launchyard.domain.attempt_token import AttemptClaim, counts, read_token, subject
from launchyard.domain.rights import KEY_PATTERN, Action, EntityKind, Principal, Role
from launchyard.domain.spec import ArchiveSource, parse_spec
from launchyard.ports.records import ItemView, StoreError, Trouble
from launchyard.ports.store import Store
from launchyard.ports.vault import Vault

_REMEMBERED: Final = 20_000
WHO: Final = "launchyard.who"
"""Where a request's scope says, for the log, who asked."""

_ONE_ATTEMPT: Final = "this token speaks for one attempt: its code, its log, its outputs, its item"
_LOG_IN: Final = "log in with a key of this server: `launchyard login`"


@dataclass(frozen=True, slots=True)
class Whose:
    """An item's place, which never changes, and who asks for it."""

    principal: Principal
    entity: str
    queue: str


def digest_of(key: str) -> str:
    """Return what is kept of a key: its SHA-256."""
    return hashlib.sha256(key.encode()).hexdigest()


class Guard:
    """Answers questions of rights; remembers facts that cannot change, so that it seldom asks."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store, self._vault = store, vault
        self._items: dict[str, QueueKey] = {}
        self._agents: dict[str, str] = {}
        self._kinds: dict[str, EntityKind] = {}

    def principal(self, request: Request) -> Principal:
        """Return who the request's key speaks for."""
        key = _shown_key(request)
        found = self._store.principal(digest_of(key)) if key else None
        if found is None:
            if key and self._own(key):
                raise RefusalError(403, "forbidden", _ONE_ATTEMPT, remedy=_LOG_IN)
            raise RefusalError(401, "wrong_key", "nobody has this key", remedy=_LOG_IN)
        request.scope[WHO] = found.user
        return found

    def require(self, request: Request, action: Action, entity: str) -> Principal:
        """Return who asks, if they may do *action* in *entity*."""
        principal = self.principal(request)
        _check(principal, action, entity)
        return principal

    def require_somewhere(self, request: Request, *actions: Action) -> Principal:
        """Return who asks, if they may do one of *actions* in any entity at all."""
        principal = self.principal(request)
        entities = ("", *principal.roles)
        if not any(principal.may(action, entity) for entity in entities for action in actions):
            raise _forbidden(principal, actions[0], "any entity")
        return principal

    def require_everywhere(self, request: Request) -> Principal:
        """Return who asks, if they administer the server."""
        principal = self.principal(request)
        if principal.everywhere is not Role.ADMIN:
            detail = f"{principal.user} does not administer this server"
            remedy = "use the key that the server made at its first start"
            raise RefusalError(403, "forbidden", detail, remedy=remedy)
        return principal

    def require_submit(self, request: Request, entity: str) -> Principal:
        """Return who asks, if they may put items on the queues of *entity*."""
        principal = self.require(request, Action.SUBMIT, entity)
        if self._kind(entity) is EntityKind.PERSONAL and principal.user != entity:
            detail = f"the queues of {entity} take items from {entity} alone"
            remedy = "use a team's queue to share it"
            raise RefusalError(403, "forbidden", detail, remedy=remedy)
        return principal

    def require_item(self, request: Request, action: Action, item: str) -> Whose:
        """Return who asks for *item* and where it is; who may not see it does not learn of it."""
        principal = self.principal(request)
        entity, queue = self.place(item)
        if principal.role_in(entity) is None:
            raise StoreError(f"there is no item {item}", Trouble.NOT_FOUND)
        _check(principal, action, entity)
        return Whose(principal, entity, queue)

    def require_item_or_own(self, request: Request, action: Action, item: str) -> int:
        """Let those pass who may do *action* with *item*, and the token of its present attempt.

        Return that attempt for a token, to which it is held (`only_own`), and 0 for a key.
        """
        claim = self._own(_shown_key(request))
        if claim is None:
            self.require_item(request, action, item)
            return 0
        request.scope[WHO] = f"attempt {claim.attempt} of {claim.item}"
        if claim.item != item:
            raise StoreError(f"there is no item {item}", Trouble.NOT_FOUND)
        return claim.attempt

    def require_code(self, request: Request, sha256: str) -> None:
        """Let those pass who may submit or work, and the token of an attempt that runs this code.

        A pod fetches its code by itself, and has nothing else to show.
        """
        claim = self._own(_shown_key(request))
        if claim is None:
            self.require_somewhere(request, Action.SUBMIT, Action.WORK)
            return
        request.scope[WHO] = f"attempt {claim.attempt} of {claim.item}"
        if parse_spec(self._store.item(claim.item).spec).source != ArchiveSource(sha256):
            raise RefusalError(403, "forbidden", _ONE_ATTEMPT, remedy=_LOG_IN)

    def own_item(self, request: Request) -> ItemView | None:
        """Return the item whose present attempt asks for itself, by its token; None for a key."""
        claim = self._own(_shown_key(request))
        if claim is None:
            return None
        request.scope[WHO] = f"attempt {claim.attempt} of {claim.item}"
        return self._store.item(claim.item)

    def _own(self, key: str) -> AttemptClaim | None:
        """Return whose attempt token *key* is, if it is one and its attempt runs."""
        claim = read_token(key)
        if claim is None:
            return None
        if not self._vault.is_signed(subject(claim.item, claim.attempt), claim.signature):
            return None
        return claim if self.runs(claim) else None

    def runs(self, claim: AttemptClaim) -> bool:
        """Tell whether the attempt that *claim* is about is the one that runs now."""
        try:
            view = self._store.item(claim.item)
        except StoreError:
            return False
        return counts(claim, view.attempt, view.state)

    def require_agent(self, request: Request, agent: str) -> str:
        """Return the agent's entity, if who asks may work there."""
        principal = self.principal(request)
        entity = self.entity_of(agent)
        if principal.role_in(entity) is None:
            raise StoreError(f"there is no agent {agent}", Trouble.NOT_FOUND)
        _check(principal, Action.WORK, entity)
        return entity

    def entity_of(self, agent: str) -> str:
        """Return an agent's entity."""
        if agent not in self._agents:
            self._agents.update({view.id: view.entity for view in self._store.agents()})
        if agent not in self._agents:
            raise StoreError(f"there is no agent {agent}", Trouble.NOT_FOUND)
        return self._agents[agent]

    def place(self, item: str) -> QueueKey:
        """Return an item's entity and queue."""
        known = self._items.get(item)
        if known is None:
            view = self._store.item(item)
            known = self.remember(item, view.entity, view.queue)
        return known

    def remember(self, item: str, entity: str, queue: str) -> QueueKey:
        """Note where an item is."""
        if len(self._items) >= _REMEMBERED:
            del self._items[next(iter(self._items))]
        key = (entity, queue)
        self._items[item] = key
        return key

    def remember_agent(self, agent: str, entity: str) -> None:
        """Note whose an agent is."""
        self._agents[agent] = entity

    def visible(self, principal: Principal) -> tuple[str, ...] | None:
        """Return the entities that *principal* may read; None means every one."""
        return None if principal.everywhere else tuple(sorted(principal.roles))

    def _kind(self, entity: str) -> EntityKind | None:
        if entity not in self._kinds:
            self._kinds = {one.name: one.kind for one in self._store.entities()}
        return self._kinds.get(entity)


def _check(principal: Principal, action: Action, entity: str) -> None:
    if not principal.may(action, entity):
        raise _forbidden(principal, action, entity)


def _forbidden(principal: Principal, action: Action, entity: str) -> RefusalError:
    role = principal.role_in(entity)
    has = f"is {role} in {entity}" if role else f"has no role in {entity}"
    detail = f"{principal.user} {has}, which does not let them {action}"
    remedy = "ask an administrator of the entity for a key with a higher role"
    return RefusalError(403, "forbidden", detail, remedy=remedy)


def only_own(own: int, attempt: int) -> None:
    """Refuse a token what belongs to another attempt than its *own*; 0 is a key."""
    if own and attempt != own:
        raise RefusalError(403, "forbidden", f"{_ONE_ATTEMPT}; this is of attempt {attempt}")


def _shown_key(request: Request) -> str:
    """Return the key that a request shows; one that cannot be any is empty."""
    header = request.headers.get("authorization", "")
    if not header:
        raise RefusalError(401, "no_key", "this needs a key", remedy=_LOG_IN)
    return _key_of(header)


def _key_of(header: str) -> str:
    """Return the key in an `Authorization` header, or nothing."""
    scheme, _, value = header.partition(" ")
    key = value.strip()
    if scheme.lower() == "basic":
        key = _password(key)
    elif scheme.lower() != "bearer":
        return ""
    return key if KEY_PATTERN.fullmatch(key) else ""


def _password(text: str) -> str:
    """Return the password of Basic credentials whose user is `api`."""
    try:
        user, _, password = base64.b64decode(text, validate=True).decode("ascii").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return password if user == "api" else ""
