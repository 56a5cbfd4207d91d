"""What the scripted server keeps of an item."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from launchyard.domain.attempt import ENDS
from launchyard.domain.exchange import Fact, ItemGrant, Place
from launchyard.domain.reports import Record


@dataclass
class Item:
    """One item with all that was told about it."""

    grant: ItemGrant
    holder: str = ""
    facts: list[Fact] = field(default_factory=list)
    seq: int = 0
    place: Place | None = None
    cancel: bool = False
    claims: int = 0

    @property
    def ends(self) -> list[Fact]:
        """Return the ends that were reported."""
        return [fact for fact in self.facts if fact.state in ENDS]

    def record(self) -> Record:
        """Return what the domain judges by."""
        grant = self.grant
        return Record(
            attempt=grant.attempt,
            token=grant.token,
            seq=self.seq,
            item_state=grant.state,
            attempt_state=grant.attempt_state,
            place=self.place,
            holder=self.holder,
            cancel=self.cancel,
        )

    def lease(self) -> ItemGrant:
        """Return the lease as it is granted now."""
        return replace(self.grant, place=self.place, seq=self.seq, cancel=self.cancel)
