"""Who may do what: roles, keys, and the rules of team and personal queues."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

KEY_PATTERN: Final = re.compile(r"[a-z0-9]{40,128}")
"""What a key looks like; W&B clients accept exactly these."""


class Role(StrEnum):
    """What a key may do in one entity; each role may do what the ones before it may."""

    VIEWER = "viewer"
    SUBMITTER = "submitter"
    AGENT = "agent"
    ADMIN = "admin"


class EntityKind(StrEnum):
    """A team's queues take items from its members, a person's queue from its owner alone."""

    TEAM = "team"
    PERSONAL = "personal"


class Action(StrEnum):
    """What can be asked of the server, at the height at which rights are decided."""

    READ = "read"
    SUBMIT = "submit"
    CANCEL = "cancel"
    WORK = "work"
    MANAGE = "manage"


ALLOWED: Final[Mapping[Role, frozenset[Action]]] = {
    Role.VIEWER: frozenset({Action.READ}),
    Role.SUBMITTER: frozenset({Action.READ, Action.SUBMIT, Action.CANCEL}),
    Role.AGENT: frozenset({Action.READ, Action.WORK}),
    Role.ADMIN: frozenset(Action),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who a key speaks for. `everywhere` is a server administrator's: a role in every entity."""

    user: str
    key_id: str
    roles: Mapping[str, Role]
    everywhere: Role | None = None

    def role_in(self, entity: str) -> Role | None:
        """Return this principal's role in *entity*, if any."""
        return self.everywhere or self.roles.get(entity)

    def may(self, action: Action, entity: str) -> bool:
        """Tell whether *action* is allowed in *entity*."""
        role = self.role_in(entity)
        return role is not None and action in ALLOWED[role]
