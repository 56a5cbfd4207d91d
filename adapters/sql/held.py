"""What a store remembers of each agent's leases, so that a heartbeat need not read them."""

from __future__ import annotations

from collections.abc import Iterable

from launchyard.domain.lease import Token, digest_of, mark

Lease = tuple[int, int, int]
"""An attempt, and the two parts of the token."""


class Leases:
    """The leases of each agent, at the version that the agent's row has.

    Another store on the same database raises the version, too; then they are read again. What a
    transaction changes counts from its commit on.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, dict[str, Lease]]] = {}
        self._changes: dict[int, dict[str, Lease | None]] = {}
        self._versions: dict[int, int] = {}
        self._sums: dict[int, int] = {}

    def get(self, agent_n: int, version: int) -> dict[str, Lease] | None:
        """Return an agent's leases by item, if those of this version are known."""
        known = self._known.get(agent_n)
        return known[1] if known and known[0] == version else None

    def put(self, agent_n: int, version: int, leases: dict[str, Lease]) -> None:
        """Remember what was read."""
        self._known[agent_n] = (version, leases)
        self._sums.pop(agent_n, None)

    def digest(self, agent_n: int) -> str:
        """Return the digest of the leases that are known of an agent."""
        if agent_n not in self._sums:
            _, leases = self._known[agent_n]
            self._sums[agent_n] = sum(_mark(item, lease) for item, lease in leases.items())
        return digest_of([self._sums[agent_n]])

    def clear(self) -> None:
        """Forget everything: what was remembered may never have been committed."""
        self._known.clear()
        self._sums.clear()
        self.begin()

    def begin(self) -> None:
        """Forget the changes of a transaction that failed."""
        self._changes.clear()
        self._versions.clear()

    def note(self, agent_n: int, item: str, lease: Lease | None) -> None:
        """Note a change of the present transaction; None is a lease lost."""
        self._changes.setdefault(agent_n, {})[item] = lease

    def changed(self) -> Iterable[int]:
        """Return whose leases the present transaction changes."""
        return tuple(self._changes)

    def raised(self, agent_n: int, version: int) -> None:
        """Note the version that an agent's row has from the commit on."""
        self._versions[agent_n] = version

    def commit(self) -> None:
        """Apply the changes to what is known, where nobody else changed it in between."""
        for agent_n, changes in self._changes.items():
            version = self._versions[agent_n]
            leases = self.get(agent_n, version - 1)
            if leases is None:
                self._known.pop(agent_n, None)
                self._sums.pop(agent_n, None)
                continue
            self._known[agent_n] = (version, leases)
            for item, lease in changes.items():
                self._replace(agent_n, leases, item, lease)
        self.begin()

    def _replace(
        self, agent_n: int, leases: dict[str, Lease], item: str, lease: Lease | None
    ) -> None:
        before = leases.pop(item, None)
        if lease is not None:
            leases[item] = lease
        if agent_n in self._sums:
            gone = _mark(item, before) if before else 0
            new = _mark(item, lease) if lease else 0
            self._sums[agent_n] += new - gone


def _mark(item: str, lease: Lease) -> int:
    attempt, epoch, counter = lease
    return mark(item, attempt, Token(epoch, counter))
