"""What is old enough to go: how long things are kept, and what a sweep found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from launchyard.ports.tracking import Artifact

DAY_S: Final = 86400.0


class Kind(StrEnum):
    """What a sweep takes away, on the server and on an agent's machine."""

    ITEMS = "items"
    ARCHIVES = "archives"
    RUNS = "runs"
    ARTIFACTS = "artifacts"
    AGENTS = "agents"
    VENVS = "venvs"
    JOURNALS = "journals"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long a server keeps things, in days; 0 is for ever.

    Items count from their end, archives from the last launch with them, agents and runs from when
    they were last heard of, artifacts from their making.
    """

    items_d: float = 90.0
    archives_d: float = 30.0
    runs_d: float = 90.0
    artifacts_d: float = 90.0
    agents_d: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """How much of one kind went, or would go; bytes are those of logs, outputs and archives."""

    kind: Kind
    count: int = 0
    size_b: int = 0

    def plus(self, count: int, size_b: int) -> Gone:
        """Return the sum."""
        return Gone(kind=self.kind, count=self.count + count, size_b=self.size_b + size_b)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What a server's sweep did, or would have done."""

    dry_run: bool = False
    gone: tuple[Gone, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OldItem:
    """An item that may go, with how much goes along."""

    id: str
    size_b: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OldItems:
    """A page of items that may go; `after` is where the next page begins, 0 at the end."""

    items: Sequence[OldItem] = ()
    after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """What one step of taking an item away did; `over` when it needs no further one.

    `gone` unless the item stays after all; `blobs` are what it had, to be deleted now.
    """

    over: bool = True
    gone: bool = False
    blobs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OldArchives:
    """Archives that no item names, by SHA-256 with their bytes; `seen` is the newest item."""

    archives: Mapping[str, int] = field(default_factory=dict)
    seen: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OldRun:
    """A run of no item, by the store's number for it, with its files."""

    n: int
    size_b: int = 0
    blobs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OldArtifact:
    """A version that was never finished, or that no alias and no launch names, with its files."""

    artifact: Artifact
    size_b: int = 0
    blobs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OldArtifacts:
    """Versions that may go unless a job names them; `jobs` are all jobs, `seen` the newest item."""

    artifacts: Sequence[OldArtifact] = ()
    jobs: Sequence[str] = ()
    seen: int = 0


class Housekeeping(Protocol):
    """Finding what is old is for a store's `reader`; taking it away is short, in small steps.

    Nothing that waits, is held, or is named by something that stays, is ever found or taken;
    what is taken is judged once more in the same transaction.
    """

    def old_items(self, before_ms: int, after: int, most: int) -> OldItems:
        """Return items that ended before *before_ms*, the oldest first."""
        ...

    def drop_item(self, item: str, before_ms: int, most_b: int) -> Dropped:
        """Take away an item's logs, *most_b* at a time, then all else of it.

        An item that was tried again meanwhile stays, and that is over.
        """
        ...

    def old_archives(self, before_ms: int) -> OldArchives:
        """Return archives last launched before *before_ms*."""
        ...

    def drop_archive(self, sha256: str, before_ms: int, seen: int) -> str:
        """Forget an archive; return the blob to delete, or nothing when it is wanted again."""
        ...

    def old_runs(self, before_ms: int) -> Sequence[OldRun]:
        """Return runs of no item that were last heard of before *before_ms*."""
        ...

    def drop_run(self, n: int, before_ms: int) -> bool:
        """Forget a run and its files; False when it was heard of meanwhile."""
        ...

    def old_artifacts(self, before_ms: int) -> OldArtifacts:
        """Return versions made before *before_ms* that no alias and no launch names."""
        ...

    def drop_artifact(self, artifact: str, before_ms: int, seen: int) -> bool:
        """Forget a version and its files; False when somebody names it now."""
        ...

    def old_agents(self, before_ms: int) -> Sequence[str]:
        """Return agents that hold nothing, were not heard of since, and that no item names."""
        ...

    def drop_agents(self, agents: Sequence[str], before_ms: int) -> int:
        """Forget those of *agents* that are still away; return how many."""
        ...


class Upkeep(Protocol):
    """What an administrator asks of a server's housekeeping."""

    def sweep(self, *, dry_run: bool) -> Sweep:
        """Take away what the retention lets go, or only count it."""
        ...
