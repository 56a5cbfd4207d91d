"""A job's environment, built from nothing: no variable of the agent reaches it by accident.

Later parts win: the basics, what was declared for the job, what W&B's SDK reads, and ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from launchyard.domain.documents import Json
from launchyard.domain.macro_policy import has_user_data
from launchyard.domain.spec.model import ImageSource, LaunchSpec

SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
WANDB_CHUNK: Final = 32670
SECRET_NAMES: Final = frozenset({"LAUNCHYARD_TOKEN", "WANDB_API_KEY"})
_PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_AUTHORITIES: Final = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
)
INHERITED: Final = (*_PROXIES, *(name.upper() for name in _PROXIES), *_AUTHORITIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class WandbEndpoint:
    """The W&B server that a job reports to; `own_key` when the key is the submitter's, not ours.

    `ours` is Launchyard's server, at the job's own address for it, with the attempt's token as key.
    """

    base_url: str = ""
    api_key: str = field(default="", repr=False)
    own_key: bool = False
    ours: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """All that a job's environment is made of.

    `agent` is the agent's own environment, of which `INHERITED` and LANG are taken. A target
    whose image brings its own `path`, `home` or `tmp` leaves them empty. `declared` are the
    variables of queue and spec, ready merged. `server` and `token` are this attempt's door to
    Launchyard's server. `chunk` is the longest value of the variables that W&B splits.
    """

    item: str
    attempt: int
    queue: str
    entity: str
    run_id: str
    spec: LaunchSpec
    queue_entity: str = ""
    agent: Mapping[str, str] = field(default_factory=dict, repr=False)
    declared: Mapping[str, str] = field(default_factory=dict, repr=False)
    path: str = SYSTEM_PATH
    home: str = ""
    tmp: str = ""
    output: str = ""
    server: str = ""
    token: str = field(default="", repr=False)
    wandb: WandbEndpoint | None = None
    chunk: int = WANDB_CHUNK


def job_environment(facts: JobFacts) -> dict[str, str]:
    """Return every variable of a job, secrets included."""
    return {**_basics(facts), **facts.declared, **wandb_variables(facts), **_ours(facts)}


def public_environment(facts: JobFacts) -> dict[str, str]:
    """Return the part of a job's environment that may stand in a plan, a journal or a log."""
    return {k: v for k, v in job_environment(facts).items() if not _secret(k, v)}


def secret_environment(facts: JobFacts) -> dict[str, str]:
    """Return the other part, which is laid over the public one just before the launch."""
    return {k: v for k, v in job_environment(facts).items() if _secret(k, v)}


def _secret(name: str, value: str) -> bool:
    """Tell whether a variable is one: by name, or a proxy's address with user and password."""
    return name in SECRET_NAMES or (name in INHERITED and has_user_data(value))


def _said(pairs: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in pairs.items() if value}


def _basics(facts: JobFacts) -> dict[str, str]:
    basics = {
        "PATH": facts.path,
        "HOME": facts.home,
        "LANG": facts.agent.get("LANG", "") or "C.UTF-8",
        "TMPDIR": facts.tmp,
    }
    return _said({**basics, **{name: facts.agent.get(name, "") for name in INHERITED}})


def _ours(facts: JobFacts) -> dict[str, str]:
    return _said(
        {
            "LAUNCHYARD_ITEM": facts.item,
            "LAUNCHYARD_ATTEMPT": str(facts.attempt),
            "LAUNCHYARD_QUEUE": facts.queue,
            "LAUNCHYARD_ENTITY": facts.entity,
            "LAUNCHYARD_OUTPUT": facts.output,
            "LAUNCHYARD_SERVER": facts.server,
            "LAUNCHYARD_TOKEN": facts.token,
        }
    )


def wandb_variables(facts: JobFacts) -> dict[str, str]:
    """Return what W&B's SDK reads; key and address only where there is a W&B endpoint."""
    spec, endpoint = facts.spec, facts.wandb
    own_key = endpoint is not None and endpoint.own_key
    ours = endpoint is not None and endpoint.ours
    base_url = endpoint.base_url if endpoint else ""
    image = spec.source.image if isinstance(spec.source, ImageSource) else ""
    named = {
        "WANDB_BASE_URL": facts.server if ours else base_url,
        "WANDB_API_KEY": endpoint.api_key if endpoint else "",
        "WANDB_PROJECT": spec.project.lower(),
        # The token speaks for its item's entity alone.
        "WANDB_ENTITY": facts.entity if ours else spec.entity or facts.entity,
        "WANDB_RUN_ID": facts.run_id,
        "WANDB_DOCKER": image,
        "WANDB_NAME": spec.name,
        "WANDB_USERNAME": "" if own_key else spec.author,
        "WANDB_SWEEP_ID": spec.sweep_id,
        "WANDB_RESUME": "allow" if spec.resume_count else "",
        "WANDB_LAUNCH_QUEUE_NAME": facts.queue,
        "WANDB_LAUNCH_QUEUE_ENTITY": facts.queue_entity,
        "WANDB_LAUNCH_TRACE_ID": facts.item,
    }
    return {
        **_said(named),
        "WANDB_LAUNCH": "True",
        "WANDB_ARTIFACTS": _artifacts(spec),
        **chunked("WANDB_CONFIG", json.dumps(dict(spec.overrides.run_config)), facts.chunk),
        **chunked(
            "WANDB_LAUNCH_FILE_OVERRIDES", json.dumps(dict(spec.overrides.files)), facts.chunk
        ),
    }


def _artifacts(spec: LaunchSpec) -> str:
    job: dict[str, Json] = {"_wandb_job": spec.job} if spec.job else {}
    return json.dumps({**job, **spec.overrides.artifacts})


def chunked(name: str, value: str, limit: int) -> dict[str, str]:
    """Return *value* under *name*, or in slices under `name_0`, `name_1`… where it is too long.

    Raises:
        ValueError: the limit leaves no room for a character.
    """
    if limit < 1:
        raise ValueError(f"a limit of {limit} characters holds no value")
    if len(value) <= limit:
        return {name: value}
    slices: Iterable[str] = (value[at : at + limit] for at in range(0, len(value), limit))
    return {f"{name}_{index}": part for index, part in enumerate(slices)}
