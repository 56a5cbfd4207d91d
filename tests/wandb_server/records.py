"""What the stand-in keeps: queues, items, agents, runs, sweeps and artifacts, as plain values."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from dataclasses import dataclass, field
from typing import Any

PROJECT = "model-registry"
DEFAULT_PRIORITY = 2


def opaque(kind: str, name: object) -> str:
    """Give an id as W&B makes them: base64 of kind and name."""
    return base64.b64encode(f"{kind}:{name}".encode()).decode()


def md5(data: bytes) -> str:
    """Give the base64 MD5 that artifact manifests carry."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


@dataclass(kw_only=True)
class Queue:
    """A run queue; `config` is what goes into each pushed spec under `resource_args`."""

    id: str
    name: str
    entity: str
    access: str = "PROJECT"
    mode: str = "DISABLED"
    resource: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    config_id: str | None = None
    external_links: Any = None


@dataclass(kw_only=True)
class Item:
    """A run-queue item: PENDING, LEASED, CLAIMED or FAILED; times are of `time.monotonic()`."""

    id: str
    queue: str
    spec: dict[str, Any]
    priority: int = DEFAULT_PRIORITY
    state: str = "PENDING"
    agent_id: str | None = None
    run_name: str | None = None
    template_values: Any = None
    error: dict[str, Any] | None = None
    warnings: list[dict[str, Any]] = field(default_factory=list)
    pushed_at: float = field(default_factory=time.monotonic)
    popped_at: list[float] = field(default_factory=list)
    acked_at: float | None = None
    failed_at: float | None = None
    lease_until: float = 0.0
    acks: int = 0


@dataclass(kw_only=True)
class Agent:
    """A registered launch agent and every status that it has sent, with the time of each."""

    id: str
    name: str
    hostname: str
    queues: list[str]
    config: str | None
    version: str | None
    status: str = "POLLING"
    stop_polling: bool = False
    heartbeat_at: float = field(default_factory=time.monotonic)
    statuses: list[tuple[float, str]] = field(default_factory=list)


@dataclass(kw_only=True)
class Run:
    """A run; `state` is pending, running, finished, failed, crashed, killed or preempted."""

    entity: str
    project: str
    name: str
    state: str = "running"
    stopped: bool = False
    exit_code: int | None = None
    config: str = "{}"
    job_type: str | None = None
    display_name: str | None = None
    summary: str = "{}"
    used: list[str] = field(default_factory=list)
    lines: dict[str, list[str]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Give the only id that a client builds by itself."""
        return opaque("Run:v1", f"{self.name}:{self.project}:{self.entity}")

    def file(self, name: str) -> str:
        """Give the storage path of one of the run's files."""
        return f"run/{self.entity}/{self.project}/{self.name}/{name}"


@dataclass(kw_only=True)
class Sweep:
    """A sweep and its state."""

    entity: str
    project: str
    name: str
    state: str = "RUNNING"


@dataclass(kw_only=True)
class Artifact:
    """One version of an artifact, its files in memory by their path."""

    id: str
    entity: str
    project: str
    name: str
    type: str
    index: int = 0
    aliases: list[str] = field(default_factory=list)
    metadata: str = "{}"
    description: str | None = None
    digest: str = ""
    state: str = "COMMITTED"
    files: dict[str, bytes] = field(default_factory=dict)
    stored_manifest: bytes | None = None
    digests: dict[str, str] = field(default_factory=dict)
    """Digests that the manifest shall state in place of the right ones: a planted damage."""

    @property
    def manifest(self) -> bytes:
        """Give the manifest that was uploaded, or one made from the files."""
        if self.stored_manifest is not None:
            return self.stored_manifest
        contents = {
            path: {
                "digest": self.digests.get(path, md5(data)),
                "size": len(data),
                "birthArtifactID": self.id,
            }
            for path, data in sorted(self.files.items())
        }
        document = {
            "version": 1,
            "storagePolicy": "wandb-storage-policy-v1",
            "storagePolicyConfig": {"storageLayout": "V2"},
            "contents": contents,
        }
        return json.dumps(document).encode()
