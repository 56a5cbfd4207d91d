"""Jobs on the stand-in, and what fetches them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from launchyard.adapters.git.fetcher import GitFetcher
from launchyard.adapters.git.patch import GitPatcher
from launchyard.adapters.git.settings import GitConfig
from launchyard.adapters.wandb.artifacts import Access
from launchyard.adapters.wandb.job_fetcher import JobFetcher, JobTools
from launchyard.adapters.wandb.jobs import Jobs
from tests.programs import LIMIT_S
from tests.wandb_server import Artifact, WandbServer

NAME = "ent/proj/train:latest"


def access(server: WandbServer, key: str = "") -> Access:
    """Give the access of an agent."""
    return Access(base_url=server.base_url, key=lambda: key or server.api_key)


def completed(spec: Mapping[str, Any], given: Access) -> Mapping[str, Any]:
    """Put into a launch what its job says, within a time that is long enough."""
    return Jobs(given).completed(spec, time.monotonic() + LIMIT_S)


def fetcher(server: WandbServer, environment: Mapping[str, str] | None = None) -> JobFetcher:
    """Give a fetcher with git beside it."""
    config = GitConfig(environment=environment or {})
    return JobFetcher(access(server), JobTools(git=GitFetcher(config), patcher=GitPatcher(config)))


def add_job(server: WandbServer, document: Any, files: Mapping[str, bytes] | None = None) -> None:
    """Put a job of this document on the server."""
    job = {"wandb-job.json": json.dumps(document).encode()}
    server.artifact("train", {**job, **(files or {})})


def add_code(
    server: WandbServer, code: Mapping[str, bytes], frozen: bytes | None = None, **source: Any
) -> Artifact:
    """Put a job with a code artifact on the server; return the code's."""
    made = server.artifact("code-train", code, kind="code")
    given = {"artifact": f"wandb-artifact://_id/{made.id}", "entrypoint": ["python", "train.py"]}
    files = {} if frozen is None else {"requirements.frozen.txt": frozen}
    add_job(server, {"source_type": "artifact", "source": given | source, "runtime": "3.11"}, files)
    return made
