"""Taking a job's secrets out of its own log, as it is stored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from launchyard.adapters.http.grants import Grants
from launchyard.domain.attempt_token import VARIABLE
from launchyard.ports.store import Store

SHORTEST: Final = 8
"""Of a shorter value every other word would be hidden, and the log would tell what it is."""

_REMEMBERED: Final = 5_000
_TOKEN: Final = re.compile(rb"lyat[0-9a-f]{100}")


class Masks:
    """Hides values under as many asterisks, so that no cursor moves.

    A value is found within one chunk, as it is or line by line. What the claim gave counts, and
    after a restart of the server what the secret is then.
    """

    def __init__(self, store: Store, grants: Grants) -> None:
        self._store, self._grants = store, grants
        self._known: dict[str, tuple[bytes, ...]] = {}

    def remember(self, item: str, secrets: Mapping[str, str]) -> None:
        """Note what a claim gave to an item."""
        values = (value for env, value in secrets.items() if env != VARIABLE)
        self._keep(item, values)

    def masked(self, item: str, data: bytes) -> bytes:
        """Return *data* without the values of the item's secrets, as long as before."""
        for value in self._values(item):
            if value in data:
                data = data.replace(value, b"*" * len(value))
        if b"lyat" in data:
            data = _TOKEN.sub(lambda found: b"*" * len(found[0]), data)
        return data

    def _values(self, item: str) -> tuple[bytes, ...]:
        known = self._known.get(item)
        if known is None:
            known = self._keep(item, self._grants.opened(self._store.sealed_secrets(item)).values())
        return known

    def _keep(self, item: str, values: Iterable[str]) -> tuple[bytes, ...]:
        pieces = {piece.strip() for value in values for piece in (value, *value.splitlines())}
        texts = {piece.encode() for piece in pieces}
        wanted = {text for text in texts if len(text) >= SHORTEST} | {*self._known.pop(item, ())}
        if len(self._known) >= _REMEMBERED:
            del self._known[next(iter(self._known))]
        # The longest first: a whole value goes before one of its lines would break it up.
        found = self._known[item] = tuple(sorted(wanted, key=len, reverse=True))
        return found
