"""What a store remembers of each agent's leases, so that a heartbeat need not read them."""

from __future__ import annotations

from collections.abc import Iterable

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

    def get(self, agent_n: int, version: int) -> dict[str, Lease] | None:
        """Return an agent's leases by item, if those of this version are known."""
        known = self._known.get(agent_n)
        return known[1] if known and known[0] == version else None

    def put(self, agent_n: int, version: int, leases: dict[str, Lease]) -> None:
        """Remember what was read."""
        self._known[agent_n] = (version, leases)

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
                continue
            self._known[agent_n] = (version, leases)
            for item, lease in changes.items():
                if lease is None:
                    leases.pop(item, None)
                else:
                    leases[item] = lease
        self.begin()
