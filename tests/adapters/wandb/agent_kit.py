"""An agent's side of the conversation with the stand-in, without the agent."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from launchyard.adapters.wandb.launch_server import WandbLaunchServer
from launchyard.adapters.wandb.line import WandbSettings
from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import (
    AgentGrant,
    AgentHello,
    Answer,
    Caller,
    ClaimAnswer,
    ClaimRequest,
    Fact,
    Heartbeat,
    HeartbeatAnswer,
    ItemGrant,
    Launching,
    LeaseRef,
    Place,
    Release,
    Report,
)
from launchyard.domain.reason import Reason
from tests.programs import LIMIT_S
from tests.wandb_server import WandbServer

SPEC = {
    "entity": "ent",
    "project": "proj",
    "resource": "local-process",
    "overrides": {"entry_point": ["true"]},
}
PLACE = Place(scope="host:here", name="ly-x-a1")
THERE = Place(scope="host:here", name="ly-x-a1", uid="7")


def settings(server: WandbServer, folder: Path, **more: Any) -> WandbSettings:
    """Return what an adapter in front of *server* is told."""
    given: dict[str, Any] = {"key": lambda: server.api_key, "stop_after_s": 0.0}
    given |= {"base_url": server.base_url, "folder": str(folder)} | more
    return WandbSettings(**given)


@dataclass
class Side:
    """One start of an agent; `again` is its next."""

    server: WandbServer
    folder: Path
    queues: tuple[str, ...] = ("q1",)
    more: dict[str, Any] = field(default_factory=dict)
    starts: list[Side] = field(default_factory=list)
    seq: int = 0

    def __post_init__(self) -> None:
        self.port = WandbLaunchServer(settings(self.server, self.folder, **self.more))
        self.caller = Caller(agent="", epoch=0)
        self.starts.append(self)

    def hello(self, entity: str = "ent") -> AgentGrant:
        """Register."""
        grant = self.port.hello(
            AgentHello(
                agent="",
                name="here",
                entity=entity,
                queues=self.queues,
                scopes=("host:here",),
                max_jobs=4,
                hostname="box",
                version="0",
            )
        )
        self.caller = Caller(agent=grant.agent, epoch=grant.epoch)
        return grant

    def claim(self, free: int = 4, wait_s: float = 0.0) -> ClaimAnswer:
        """Ask for items."""
        return self.port.claim(
            ClaimRequest(
                caller=self.caller,
                claim_id=uuid.uuid4().hex,
                queues=self.queues,
                free=free,
                wait_s=wait_s,
            )
        )

    def one(self) -> ItemGrant:
        """Claim until one of the items that there are is here."""
        until = time.monotonic() + LIMIT_S
        while time.monotonic() < until:
            for grant in self.claim(free=1, wait_s=5.0).items:
                return grant
        raise AssertionError("no item came")

    def launch(self, *grants: ItemGrant, place: Place = PLACE) -> list[Answer]:
        """Ask for leave to launch."""
        batch = [Launching(lease=lease(grant), place=place) for grant in grants]
        return list(self.port.launching(self.caller, batch))

    def report(self, grant: ItemGrant, fact: Fact) -> Answer:
        """Report one fact."""
        self.seq += 1
        report = Report(lease=lease(grant), seq=self.seq, fact=fact)
        (answer,) = self.port.report(self.caller, [report])
        return answer

    def end(self, grant: ItemGrant, state: AttemptState, reason: Reason, **more: Any) -> Answer:
        """Report an end whose log is complete."""
        known: dict[str, Any] = {"place": THERE, "logs_complete": True, "at_ms": 1} | more
        return self.report(grant, Fact(state=state, reason=reason, **known))

    def give_back(self, grant: ItemGrant, place: Place | None = None) -> Answer:
        """Release an item."""
        given = Release(lease=lease(grant), state=grant.attempt_state, place=place)
        (answer,) = self.port.release(self.caller, [given])
        return answer

    def beat(self) -> HeartbeatAnswer:
        """Send a heartbeat."""
        return self.port.heartbeat(Heartbeat(caller=self.caller, leases=()))

    def again(self) -> Side:
        """Return the next start, after a crash of this one."""
        return Side(self.server, self.folder, self.queues, self.more, self.starts)

    def close(self) -> None:
        """End every start."""
        for start in self.starts:
            start.port.close()


def lease(grant: ItemGrant) -> LeaseRef:
    """Return the lease of a grant."""
    return LeaseRef(item=grant.item, attempt=grant.attempt, token=grant.token)
