"""The registry port: where built images go, and whether one is there already."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class RegistryError(Exception):
    """The registry refused or could not be reached; the message names the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A user name and password for a registry; `expires_ms` is 0 when they stay good."""

    user: str
    password: str = field(repr=False)
    expires_ms: int = 0


class Registry(Protocol):
    """One image repository.

    Every call ends within 15 s, and no exception but `RegistryError` leaves.
    """

    @property
    def repository(self) -> str:
        """The repository's address, without a tag."""
        ...

    def digest(self, tag: str) -> str | None:
        """Return the digest of the image *tag*, None when there is none.

        Raises:
            RegistryError: nobody knows.
        """
        ...

    def login(self) -> Login | None:
        """Return what a push or pull needs, None where anybody may.

        Raises:
            RegistryError: the credentials do not work.
        """
        ...
