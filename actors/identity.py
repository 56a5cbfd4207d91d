"""Who the agent is."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the agent is to its server and to people."""

    name: str
    entity: str
    queues: tuple[str, ...]
    version: str
    server: str = ""
    hostname: str = field(default_factory=socket.gethostname)
