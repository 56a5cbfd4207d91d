"""What a store keeps of W&B's clients: agents without leases, runs, and artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from launchyard.domain.documents import Json
from launchyard.domain.exchange import AgentHello, ItemGrant
from launchyard.domain.reason import Reason
from launchyard.ports.records import AgentView


@dataclass(frozen=True, slots=True, kw_only=True)
class RunKey:
    """What a run is called."""

    entity: str
    project: str
    name: str

    @property
    def owner(self) -> str:
        """Whose its files are, in a `KeptFile`."""
        return f"run/{self.entity}/{self.project}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run: `item` and `attempt` are what it is of, if anything; `cancel`: its end is wanted.

    `about` has what it tells of itself: names, tags, notes. `console` is what a server noted of
    the lines of its console, to tell by it which of those that come are new.
    """

    key: RunKey
    state: str
    item: str = ""
    attempt: int = 0
    stock: bool = False
    cancel: bool = False
    exit_code: int | None = None
    submitter: str = ""
    about: Mapping[str, Json] = field(default_factory=dict)
    config: Json = None
    summary: Json = None
    console: Json = None
    log_lines: int = 0
    history_lines: int = 0
    event_lines: int = 0
    created_ms: int = 0
    heard_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChange:
    """What a run says when it begins, or later; None and what `about` lacks stay as they are.

    `item` is the item that it says it is of; it counts if that item is being worked on. `attempt`
    is set where a token has proved it: then the run follows that item, whatever it was of before.
    """

    key: RunKey
    submitter: str
    item: str = ""
    attempt: int = 0
    about: Mapping[str, Json] = field(default_factory=dict)
    config: Json = None
    summary: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNews:
    """A sign of life of a run: how many lines it has sent of what, and its end if it ended.

    `console` is for the next one, see `Run`.
    """

    log_lines: int | None = None
    history_lines: int | None = None
    event_lines: int | None = None
    console: Json = None
    summary: Json = None
    exit_code: int | None = None


COMMITTED: Final = "COMMITTED"
"""The state of a version that is whole."""


def files_of(artifact: str) -> str:
    """Return whose the files of an artifact's version are, in a `KeptFile`."""
    return f"artifact/{artifact}"


def manifest_of(artifact: str) -> str:
    """Return whose its manifest is."""
    return f"manifest/{artifact}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A version of a collection; `version` is None until it is committed.

    `item` and `run` tell whose token made it, of which run; a key's version has neither.
    """

    id: str
    entity: str
    project: str
    kind: str
    collection: str
    digest: str
    state: str = "PENDING"
    version: int | None = None
    client_id: str = ""
    about: Mapping[str, Json] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    created_ms: int = 0
    item: str = ""
    run: str = ""

    @property
    def full_name(self) -> str:
        """What launches call it: `entity/project/collection:v3`."""
        return f"{self.entity}/{self.project}/{self.collection}:v{self.version}"

    @property
    def owners(self) -> tuple[str, str]:
        """Whose its files and its manifest are, in a `KeptFile`."""
        return files_of(self.id), manifest_of(self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """A file of a run or an artifact, whose bytes are in the blob store; `md5` is in base64."""

    owner: str
    path: str
    size_b: int
    sha256: str
    md5: str
    blob: str
    created_ms: int = 0


class StockAgents(Protocol):
    """Agents that know no leases. Their items follow `domain.stock`."""

    def stock_hello(self, hello: AgentHello) -> AgentView:
        """Register an agent; each start is a new one, as it keeps no id."""
        ...

    def stock_heard(self, agent: str, status: str = "") -> AgentView:
        """Note a sign of life; NOT_FOUND for what is no stock agent."""
        ...

    def stock_pop(self, agent: str, queue: str) -> ItemGrant | None:
        """Claim one item; unless it is acknowledged, it is back in its place after a minute."""
        ...

    def stock_ack(self, item: str, run: RunKey) -> bool:
        """Take an acknowledgement: the item's run is called so from here on.

        False when nobody popped the item, or somebody else has it now. Repeating is harmless as
        long as the run's name is the agent's own making.
        """
        ...

    def stock_failed(self, item: str, reason: Reason, detail: str) -> bool:
        """End an item that a stock agent holds; False for every other one."""
        ...


class Runs(Protocol):
    """Runs, and the items that follow them."""

    def run(self, key: RunKey) -> Run | None:
        """Return a run."""
        ...

    def tell_run(self, change: RunChange) -> tuple[Run, bool]:
        """Make a run, or change it; the flag tells whether it is new. A stock item then runs."""
        ...

    def hear_run(self, key: RunKey, news: RunNews) -> Run:
        """Note what a run sent; with its end the item that a stock agent holds ends as well.

        An item that was given up for want of a sign is corrected. NOT_FOUND for no run.
        """
        ...

    def stop_run(self, key: RunKey) -> bool:
        """Ask for a run's end; False when there is none."""
        ...

    def delete_run(self, key: RunKey) -> bool:
        """Forget a run and its files; the item it was of stays."""
        ...


class Artifacts(Protocol):
    """Versions of artifacts, and files."""

    def add_artifact(self, new: Artifact) -> Artifact:
        """Make a version, or return the committed one of its collection with the same digest.

        What a job made is the same for its own item alone. CONFLICT for a job's version in a
        collection that has versions of another type.
        """
        ...

    def artifact(self, artifact: str) -> Artifact | None:
        """Return a version by its id."""
        ...

    def artifact_of_client(self, client_id: str) -> Artifact | None:
        """Return a version by the id that its maker gave it."""
        ...

    def artifacts(self, entity: str, project: str, collection: str = "") -> Sequence[Artifact]:
        """List the versions of one collection, or of all, oldest first."""
        ...

    def commit_artifact(self, artifact: str) -> Artifact:
        """Give a version its number; its aliases leave the versions that had them.

        What a job made takes none from what others made, neither here nor later.
        """
        ...

    def change_artifact(
        self, artifact: str, about: Mapping[str, Json], aliases: tuple[str, ...] | None
    ) -> Artifact:
        """Set what a version says of itself, and its aliases unless they are None."""
        ...

    def keep_file(self, file: KeptFile) -> str:
        """Note a file, in place of the owner's one with that path; return the blob that it had.

        Raises:
            StoreError: NOT_FOUND without its owner, CONFLICT for an artifact that is committed.
        """
        ...

    def kept_files(self, owner: str) -> Sequence[KeptFile]:
        """List an owner's files by path."""
        ...

    def kept_file(self, owner: str, path: str) -> KeptFile | None:
        """Return one file."""
        ...


class Tracking(StockAgents, Runs, Artifacts, Protocol):
    """All of it."""
