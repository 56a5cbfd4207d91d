"""Jobs and custom objects of Kubernetes clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from launchyard.domain.config.problem import DocumentError
from launchyard.domain.config.schema import Block, Field, Kind
from launchyard.domain.documents import Json
from launchyard.domain.targets.kubernetes_config import TYPE
from launchyard.domain.targets.kubernetes_kinds import KindRow, read_kinds
from launchyard.domain.targets.kubernetes_policy import RULES
from launchyard.plugins import API, hookimpl
from launchyard.plugins.specs import Place, Setting, TargetProvider
from launchyard.ports.runner import Runner
from launchyard.ports.target import Target

if TYPE_CHECKING:
    from launchyard.adapters.kubernetes.paths import Address

launchyard_api: Final = API

BLOCK: Final = Block(
    key=TYPE,
    doc="The cluster that jobs run on: docs/targets/kubernetes.md.",
    fields=(
        Field(
            key="kubeconfig",
            kind=Kind.TEXT,
            doc="File that tells of clusters; without it what kubectl would read, else the pod's.",
        ),
        Field(key="context", kind=Kind.TEXT, doc="Context of that file; without it its current."),
        Field(
            key="namespace", kind=Kind.TEXT, doc="Namespace of the jobs of queues that name none."
        ),
        Field(
            key="start_grace",
            kind=Kind.SECONDS,
            doc="How long an image, a setting or a node may keep a pod from starting; 0: for ever.",
            default=300.0,
            minimum=0,
        ),
        Field(
            key="schedule_grace",
            kind=Kind.SECONDS,
            doc="How long a pod may wait for a node or for quota; 0: for ever.",
            default=1800.0,
            minimum=0,
        ),
        Field(
            key="docker_config",
            kind=Kind.TEXT,
            doc="File with logins of registries, as `docker login` writes it; without it, none.",
        ),
        Field(
            key="code_claims",
            kind=Kind.DOCUMENT,
            doc="Volume claims for code by their names, each with its folder on this machine.",
        ),
        Field(
            key="grants",
            kind=Kind.TEXTS,
            doc="Rules of the security policy that bind no launch of this agent.",
            choices=RULES,
        ),
        Field(
            key="kinds",
            kind=Kind.DOCUMENT,
            doc="How custom kinds tell their state: `Kind.group` and the words of its status.",
        ),
    ),
)


def _rows(settings: Mapping[str, Json]) -> tuple[KindRow, ...]:
    rows, problems = read_kinds(settings.get("kinds"), ("targets", TYPE, "kinds"))
    if problems:
        raise ValueError(str(DocumentError(problems)))
    return rows


def _grants(settings: Mapping[str, Json]) -> tuple[str, ...]:
    told = settings.get("grants")
    return tuple(map(str, told)) if isinstance(told, list) else ()


def _claims(settings: Mapping[str, Json]) -> dict[str, str]:
    told = settings.get("code_claims")
    found = {str(k): str(v) for k, v in told.items()} if isinstance(told, dict) else {}
    for claim, folder in found.items():
        if not (Path(folder).is_absolute() and Path(folder).is_dir()):
            raise ValueError(f"`code_claims`: mount the claim {claim} here; {folder} is no folder")
    return found


def _address(place: Place) -> Address:
    from launchyard.adapters.kubernetes.paths import Address

    settings = place.settings
    return Address(str(settings.get("kubeconfig") or ""), str(settings.get("context") or ""))


def _runner(place: Place) -> Runner:
    from launchyard.adapters.kubernetes.places import KubernetesConfig
    from launchyard.adapters.kubernetes.runner import KubernetesRunner

    return KubernetesRunner(
        KubernetesConfig(
            folder=place.folder,
            address=_address(place),
            namespace=str(place.settings.get("namespace") or ""),
            docker_config=str(place.settings.get("docker_config") or ""),
            code_roots=tuple(_claims(place.settings).values()),
            rows=_rows(place.settings),
        )
    )


def _target(setting: Setting) -> Target:
    from launchyard.adapters.kubernetes.identity import scope_of
    from launchyard.adapters.kubernetes.target import KubernetesTarget, KubernetesTargetConfig
    from launchyard.domain.targets.draft import AgentSide
    from launchyard.domain.targets.kubernetes_plan import KubernetesDefaults
    from launchyard.domain.targets.kubernetes_status import Grace

    place, settings = setting.place, setting.place.settings
    address, namespace = _address(place), str(settings.get("namespace") or "")
    start_s, schedule_s = (settings.get(key) for key in ("start_grace", "schedule_grace"))
    usual = Grace()
    return KubernetesTarget(
        KubernetesTargetConfig(
            host=setting.host,
            scope=scope_of(address, namespace, place.folder, place.environment),
            agent=AgentSide(
                environment=place.environment, server=setting.server, macro_env=setting.macro_env
            ),
            defaults=KubernetesDefaults(
                kubeconfig=address.kubeconfig,
                context=address.context,
                run_s=setting.run_s,
                grace_s=setting.grace_s,
                log_quota_b=setting.log_quota_b,
                grace=Grace(
                    start_s=float(start_s) if isinstance(start_s, int | float) else usual.start_s,
                    schedule_s=(
                        float(schedule_s)
                        if isinstance(schedule_s, int | float)
                        else usual.schedule_s
                    ),
                ),
                rows=_rows(settings),
                grants=_grants(settings),
                code_claims=_claims(settings),
            ),
        )
    )


def _is_present(environment: Mapping[str, str]) -> bool:
    told = any(environment.get(name) for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"))
    return told or Path(environment.get("HOME", "/"), ".kube/config").exists()


@hookimpl
def targets() -> Sequence[TargetProvider]:
    return (
        TargetProvider(
            name=TYPE,
            doc="Jobs and custom objects of a Kubernetes cluster.",
            config=BLOCK,
            make=_runner,
            target=_target,
            process=TYPE,
            submits=8,  # each waits for a cluster's answers, most of its time
            modules=("kubernetes",),
            extra="kubernetes",
            when_configured=True,
            present=_is_present,
        ),
    )
