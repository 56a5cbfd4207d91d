"""The agent's configuration as code reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from launchyard.domain.config.layers import DEFAULT, Origin, Setting, value_at
from launchyard.domain.config.retention import RetentionConfig
from launchyard.domain.config.schema import Block, Kind
from launchyard.domain.documents import Json, Path


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentConfig:
    """The cloud whose default credentials the agent uses."""

    type: str
    region: str | None
    project: str | None
    extra: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryConfig:
    """Where built images go; `uri` is complete whenever the file says enough to know it."""

    type: str | None
    uri: str | None
    repository: str | None
    image_name: str | None
    project: str | None
    region: str | None
    account_id: str | None
    extra: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderConfig:
    """How source becomes something to run; no `type` means docker where it works, else noop."""

    type: str | None
    destination: str | None
    platform: str | None
    build_context_store: str | None
    build_job_name: str
    secret_name: str | None
    secret_key: str | None
    kaniko_image: str | None
    kaniko_config: Mapping[str, Json] | None
    extra: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsConfig:
    """The endpoint for metrics, health and status; port 0 takes a free one."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginsConfig:
    """Which installed plugins are loaded; an empty `allow` loads all that are not denied."""

    allow: tuple[str, ...]
    deny: tuple[str, ...]
    require: tuple[str, ...]
    settings: Mapping[str, Json] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostGuardConfig:
    """What this machine must have free before work for it is taken."""

    min_disk_b: int | None
    min_memory_b: int | None
    min_gpus: int
    targets: tuple[str, ...]
    interval_s: float

    @property
    def asks(self) -> bool:
        """Whether anything is asked of the machine."""
        return bool(self.min_disk_b or self.min_memory_b or self.min_gpus)


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitConfig:
    """When nothing more is taken for a target that fails, and for how long."""

    failures: int
    wait_s: float
    longest_wait_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookConfig:
    """Where each step of a job is posted to; no `url` means nowhere."""

    url: str | None
    secret: str | None = field(repr=False)
    states: tuple[str, ...]
    allow: tuple[str, ...]
    timeout_s: float
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    """Everything an agent is told before it starts.

    Seconds end in `_s`, bytes in `_b`. Blocks' `extra` holds the keys that plugins brought.
    `origins` says of every key where its value is from. `named_targets` are those that somebody has
    named, be it with nothing below: defaults alone ask for none.
    """

    entity: str | None
    queues: tuple[str, ...]
    server: str | None
    name: str | None
    state_dir: str | None
    secure_mode: bool
    macro_env: tuple[str, ...]
    max_jobs: int
    max_schedulers: int
    max_builds: int
    max_launches: int
    max_pending: int
    log_quota_b: int
    source_limit_b: int
    run_timeout_s: float | None
    build_timeout_s: float
    stopped_run_timeout_s: float
    cancel_grace_s: float
    drain_timeout_s: float
    host_bound_on_exit: str
    reap_orphans: bool
    verbosity: int
    log_format: str
    log_level: str
    environment: EnvironmentConfig
    registry: RegistryConfig
    builder: BuilderConfig
    operations: OperationsConfig
    plugins: PluginsConfig
    host_guard: HostGuardConfig
    circuit: CircuitConfig
    webhook: WebhookConfig
    retention: RetentionConfig
    targets: Mapping[str, Mapping[str, Json]]
    named_targets: frozenset[str]
    origins: Mapping[Path, Origin]

    def origin(self, *path: str) -> Origin:
        """Return where the value of the key at *path* is from, as the file spells the key."""
        return self.origins.get(path, DEFAULT)


_MODELS: Final[dict[str, type[Any]]] = {
    "environment": EnvironmentConfig,
    "registry": RegistryConfig,
    "builder": BuilderConfig,
    "operations": OperationsConfig,
    "plugins": PluginsConfig,
    "host_guard": HostGuardConfig,
    "circuit": CircuitConfig,
    "webhook": WebhookConfig,
    "retention": RetentionConfig,
}


def build(schema: Block, settings: Mapping[Path, Setting], document: Json) -> AgentConfig:
    """Return the configuration of *settings*, which have been checked without an error.

    *document* is what the file says.
    """
    parts: dict[str, Any] = {e.attribute: _plain(settings[e.key,]) for e in schema.fields}
    for block in schema.blocks:
        if block.key in _MODELS:
            parts[block.key] = _block(block, settings)
    parts["queues"] = tuple(dict.fromkeys(parts["queues"]))
    return AgentConfig(
        **parts,
        targets=_targets(settings),
        named_targets=_named(settings, document),
        origins={path: setting.origin for path, setting in settings.items()},
    )


def _block(block: Block, settings: Mapping[Path, Setting]) -> object:
    model = _MODELS[block.key]
    names = {entry.name for entry in fields(model)}
    known: dict[str, Any] = {}
    extra: dict[str, Json] = {}
    for entry in block.fields:
        setting = settings[block.key, entry.key]
        if entry.attribute in names:
            known[entry.attribute] = _plain(setting)
        else:
            extra[entry.key] = setting.value
    if "extra" in names:
        known["extra"] = extra
    return model(**known)


def _targets(settings: Mapping[Path, Setting]) -> dict[str, dict[str, Json]]:
    targets: dict[str, dict[str, Json]] = {}
    for path, setting in settings.items():
        if path[0] != "targets" or setting.value is None:
            continue
        if len(path) == 2 and isinstance(setting.value, dict):  # noqa: PLR2004 - targets.<name>
            targets[str(path[1])] = setting.value
        elif len(path) > 2:  # noqa: PLR2004 - targets.<name>.<key>
            targets.setdefault(str(path[1]), {})[str(path[2])] = setting.value
    return targets


def _named(settings: Mapping[Path, Setting], document: Json) -> frozenset[str]:
    said = {path: one for path, one in settings.items() if one.origin != DEFAULT}
    found = {str(path[1]) for path in said if path[0] == "targets" and len(path) > 1}
    blocks = value_at(document, ("targets",))
    return frozenset(found | set(blocks if isinstance(blocks, dict) else ()))


def _plain(setting: Setting) -> object:
    if setting.field.kind is Kind.TEXTS and isinstance(setting.value, list):
        return tuple(setting.value)
    return setting.value
