"""What people ask of a server's secrets: values go in, and only names come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretInfo:
    """A secret without its value."""

    name: str
    set_by: str = ""
    created_ms: int = 0
    changed_ms: int = 0


class NamedSecrets(Protocol):
    """The secrets of entities; a part of `ports.operator.Operator`."""

    def secrets(self, entity: str) -> Sequence[SecretInfo]:
        """List an entity's secrets, without their values."""
        ...

    def set_secret(self, entity: str, name: str, value: str) -> SecretInfo:
        """Keep a value under a name, in place of the one that was there."""
        ...

    def remove_secret(self, entity: str, name: str) -> None:
        """Remove a secret."""
        ...
