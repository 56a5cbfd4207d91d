"""Plan an attempt as a container: the `local-container` target.

The plan holds the very request that the engine gets, less labels and secrets.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from launchyard.domain.config.problem import DocumentError, Problem
from launchyard.domain.documents import Json, Path, copy_json
from launchyard.domain.environment import JobFacts, public_environment
from launchyard.domain.images import ImageError, parse_image
from launchyard.domain.naming import label_value
from launchyard.domain.spec import ImageSource, LaunchSpec, NoSource
from launchyard.domain.targets.docker_config import TYPE, DockerSettings, read_settings
from launchyard.domain.targets.docker_devices import put_devices
from launchyard.domain.targets.docker_flags import FLAGS, HOST
from launchyard.domain.targets.docker_networks import OPTIONS, PRIORITY
from launchyard.domain.targets.docker_values import as_words, merged

GATEWAY: Final = "host.docker.internal"
"""The name by which containers reach the engine's machine."""

OUTPUT: Final = "/launchyard/outputs"
"""Where a container leaves files for its item: a volume of its own, which goes with it."""

OUTPUTS_LABEL: Final = "launchyard-outputs"
"""The label that holds which of these files are wanted, where a launch says so."""

NAME_LABEL: Final = "launchyard-name"
"""The label that a queue's `name` becomes; names themselves are the attempts' own."""

IMAGES_OWN: Final = "/<the image's WORKDIR>"
"""Stands for a folder in what people are shown before the image is there."""

_ON_A_NETWORK: Final = ("ip", "ip6", "link-local-ip", "network-alias")
_KEPT: Final = "json-file"
_ENDLESS: Final = "1000t"
_LOOPBACK: Final = re.compile(r"localhost|127\.[0-9.]+|::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerDefaults:
    """What holds where the queue says nothing; no `run_s` means no limit."""

    run_s: float | None = None
    grace_s: float = 10.0
    log_quota_b: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerPlan:
    """One container: its image, and the request less variables, labels and secrets.

    `pull` says when the image is fetched: missing, always or never. `below` is the folder that the
    command begins in, seen from the image's own, which is known only when it is there.
    """

    image: str
    request: Mapping[str, Json]
    env: Mapping[str, str] = field(repr=False)
    pull: str = "missing"
    platform: str = ""
    below: str = ""
    run_s: float | None = None
    grace_s: float = 10.0
    log_quota_b: int = 64 * 1024 * 1024


def plan_docker(
    spec: LaunchSpec, config: Json, facts: JobFacts, defaults: DockerDefaults
) -> DockerPlan:
    """Return what the runner is to do; *config* is the queue's, merged and with macros resolved.

    Raises:
        DocumentError: the spec asks for what this target has not, or the configuration is wrong;
            it holds every problem.
    """
    settings, problems = read_settings(config)
    problems = (*problems, *_unfit(spec, settings))
    if problems:
        raise DocumentError(problems)
    facts = replace(
        _from_inside(facts, settings),
        spec=spec,
        agent=_proxies(facts.agent),
        declared={**settings.pairs("env"), **spec.env},
        path="",
        output=OUTPUT,
    )
    return DockerPlan(
        image=_image(spec),
        request=_request(spec, settings, gateway=any(GATEWAY in url for url in _servers(facts))),
        env=public_environment(facts),
        pull=settings.text("pull") or "missing",
        platform=settings.text("platform"),
        below="" if settings.text("workdir") else spec.overrides.working_dir,
        run_s=_shortest(settings.run_s, spec.timeout_s, defaults.run_s),
        grace_s=defaults.grace_s if settings.grace_s is None else settings.grace_s,
        log_quota_b=(
            defaults.log_quota_b if settings.log_quota_b is None else settings.log_quota_b
        ),
    )


def create_request(
    plan: DockerPlan, labels: Mapping[str, str], secrets: Mapping[str, str], workdir: str = ""
) -> dict[str, Json]:
    """Return the whole request that creates *plan*'s container; it holds the secrets.

    *workdir* is the image's own.
    """
    request = copy_json(dict(plan.request))
    assert isinstance(request, dict)  # noqa: S101 - a copy is what was copied
    merged(request, ("Labels",), dict(labels))
    request["Env"] = as_words({**plan.env, **secrets})
    if plan.below:
        request["WorkingDir"] = posixpath.normpath(posixpath.join("/", workdir, plan.below))
    return request


def wanted_outputs(labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return which outputs the labels of a container ask for; nothing means all."""
    try:
        told = json.loads(labels.get(OUTPUTS_LABEL, "[]"))
    except ValueError:
        return ()
    return tuple(map(str, told)) if isinstance(told, list) else ()


def shown_request(plan: DockerPlan) -> dict[str, Json]:
    """Return the request as people may see it: what the engine gets, without labels and secrets."""
    told: dict[str, Json] = {"Pull": plan.pull}
    if plan.platform:
        told["Platform"] = plan.platform
    return {**create_request(plan, {}, {}, IMAGES_OWN), **told}


def _request(spec: LaunchSpec, settings: DockerSettings, *, gateway: bool) -> dict[str, Json]:
    request: dict[str, Json] = {
        "Image": _image(spec),
        HOST: {
            # An init passes signals on and reaps; without it a command that is process 1 ignores
            # SIGTERM unless it handles it, and each cancel waits for the whole grace.
            "Init": True,
            "LogConfig": {"Type": _KEPT, "Config": _log_options(settings)},
        },
    }
    for flag in FLAGS:
        if flag.place and flag.name in settings.flags:
            merged(request, flag.place, settings.flags[flag.name])
    _put_command(request, spec, settings)
    _put_volumes(request, settings)
    _put_rest(request, spec, settings)
    if gateway:
        hosts = [*settings.words("add-host"), f"{GATEWAY}:host-gateway"]
        merged(request, (HOST, "ExtraHosts"), list[Json](dict.fromkeys(hosts)))
    return request


def _log_options(settings: DockerSettings) -> dict[str, Json]:
    """Return what keeps a log whole: cursors into it hold as long as its beginning stays.

    An engine adds its own options to ours where the driver is its default, and a limit is among
    them on most machines. It takes no word for none, and other drivers take no limit.
    """
    kept = (settings.text("log-driver") or _KEPT) == _KEPT
    return {"max-size": _ENDLESS} if kept else {}


def _put_command(request: dict[str, Json], spec: LaunchSpec, settings: DockerSettings) -> None:
    """Put the launch's words over the queue's, and those over the image's own."""
    entry = spec.overrides.entry_point or settings.words("entrypoint")
    if entry:
        request["Entrypoint"] = list[Json](entry)
    if spec.overrides.args:
        request["Cmd"] = list[Json](spec.overrides.args)
    folder, above = spec.overrides.working_dir, settings.text("workdir")
    if folder and above:
        request["WorkingDir"] = posixpath.normpath(posixpath.join(above, folder))


def _put_volumes(request: dict[str, Json], settings: DockerSettings) -> None:
    volumes = settings.words("volume")
    binds = [word for word in volumes if ":" in word]
    if binds:
        merged(request, (HOST, "Binds"), list[Json](binds))
    unnamed = [word for word in volumes if ":" not in word]
    request["Volumes"] = {path: {} for path in (*unnamed, OUTPUT)}


def _put_rest(request: dict[str, Json], spec: LaunchSpec, settings: DockerSettings) -> None:
    """Put what the engine wants in another form than people write."""
    flags = settings.flags
    if name := settings.text("name"):
        merged(request, ("Labels",), {NAME_LABEL: label_value(name)})
    if spec.outputs:
        merged(request, ("Labels",), {OUTPUTS_LABEL: json.dumps(spec.outputs)})
    if command := settings.text("health-cmd"):
        merged(request, ("Healthcheck", "Test"), ["CMD-SHELL", command])
    if flags.get("no-healthcheck"):
        request["Healthcheck"] = {"Test": ["NONE"]}
    if published := settings.flags.get("publish"):
        keys = published if isinstance(published, dict) else {}
        merged(request, ("ExposedPorts",), {key: {} for key in keys})
    host = request[HOST]
    if isinstance(host, dict):
        put_devices(host, flags.get("device"))
    if endpoint := _endpoint(settings):
        network = settings.text("network") or "default"
        merged(request, ("NetworkingConfig", "EndpointsConfig", network), endpoint)


def _endpoint(settings: DockerSettings) -> dict[str, Json]:
    """Return what a container is called on its network, and its addresses there."""
    own: dict[str, Json] = {}
    for key, flag in (("IPv4Address", "ip"), ("IPv6Address", "ip6")):
        if said := settings.text(flag):
            own[key] = said
    if local := settings.words("link-local-ip"):
        own["LinkLocalIPs"] = list[Json](local)
    found: dict[str, Json] = {"IPAMConfig": own} if own else {}
    if aliases := settings.words("network-alias"):
        found["Aliases"] = list[Json](aliases)
    if address := settings.text("mac-address"):
        found["MacAddress"] = address
    for key, flag in (("DriverOpts", OPTIONS), ("GwPriority", PRIORITY)):
        if more := settings.flags.get(flag):
            found[key] = more
    return found


def _image(spec: LaunchSpec) -> str:
    return spec.source.image if isinstance(spec.source, ImageSource) else ""


def _proxies(agent: Mapping[str, str]) -> dict[str, str]:
    """Return the agent's variables that mean something inside a container: no paths of files."""
    return {k: v for k, v in agent.items() if k.lower().endswith("_proxy")}


def _servers(facts: JobFacts) -> tuple[str, ...]:
    """Return the addresses of the servers that a job is told."""
    return (facts.server, facts.wandb.base_url if facts.wandb else "")


def _from_inside(facts: JobFacts, settings: DockerSettings) -> JobFacts:
    """Return *facts* with the servers' addresses as a container reaches them."""
    wandb = facts.wandb
    if wandb is not None:
        wandb = replace(wandb, base_url=_reachable(wandb.base_url, settings))
    return replace(facts, server=_reachable(facts.server, settings), wandb=wandb)


def _reachable(server: str, settings: DockerSettings) -> str:
    """Return the server's address as the container reaches it: its loopback is not the machine's.

    On the machine's own network it is.
    """
    parts = urlsplit(server)
    if settings.text("network") == "host" or not _LOOPBACK.fullmatch(parts.hostname or ""):
        return server
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit(parts._replace(netloc=f"{GATEWAY}{port}"))


def _shortest(*limits_s: float | None) -> float | None:
    return min((limit for limit in limits_s if limit is not None), default=None)


def _unfit(spec: LaunchSpec, settings: DockerSettings) -> Iterator[Problem]:
    """Yield what a spec asks for and this target has not."""
    image_path: Path = ("docker", "docker_image") if spec.docker.image else ("image_uri",)
    if isinstance(spec.source, ImageSource):
        try:
            parse_image(spec.source.image)
        except ImageError as e:
            yield Problem(path=image_path, message=str(e))
    elif isinstance(spec.source, NoSource):
        hint = "name one: `launchyard launch -d IMAGE`"
        yield Problem(path=image_path, message=f"{TYPE} runs images, and none is named", hint=hint)
    else:
        hint = "launch an image that holds the code, or send it to a local-process queue"
        message = f"{TYPE} has no builder that makes images of source code yet"
        yield Problem(path=("source",), message=message, hint=hint)
    if spec.additional_services:
        hint = "send it to a kubernetes queue, or leave them out"
        message = f"{TYPE} runs no services beside a job"
        yield Problem(path=("additional_services",), message=message, hint=hint)
    for name in _ON_A_NETWORK:
        if settings.flags.get(name) and not settings.text("network"):
            path = ("resource_args", TYPE, name)
            yield Problem(path=path, message="needs a `network` that is not the default one")
