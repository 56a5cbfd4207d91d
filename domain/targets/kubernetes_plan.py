"""What planning for a cluster takes and gives: plain values, which pickle and hold no secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from launchyard.domain.documents import Json
from launchyard.domain.environment import JobFacts
from launchyard.domain.targets.kubernetes_kinds import KINDS, KindRow
from launchyard.domain.targets.kubernetes_status import Grace


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesDefaults:
    """What holds where the queue says nothing; no `run_s` means no limit.

    An empty `context` or `kubeconfig` is the client's own. `rows` tell of custom
    kinds. `grants` are rules of the policy that bind no launch of this agent.
    """

    run_s: float | None = None
    grace_s: float = 30.0
    log_quota_b: int = 64 * 1024 * 1024
    context: str = ""
    kubeconfig: str = ""
    grace: Grace = field(default_factory=Grace)
    rows: tuple[KindRow, ...] = KINDS
    grants: tuple[str, ...] = ()
    code_claims: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesContext:
    """What a plan needs besides the launch; `queue` is the queue's configuration alone, resolved.

    What stands in it the owner wrote; everything else is a submitter's. `name`, the attempt's own,
    is the folder on a `code_claim` where the agent puts source code.
    """

    facts: JobFacts
    name: str = ""
    queue: Json = None
    defaults: KubernetesDefaults = field(default_factory=KubernetesDefaults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Which cluster and namespace; what is empty is the client's own."""

    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesPlan:
    """One object: its manifest, less name, our labels, variables and secrets.

    `main` and `usual` find its main containers.
    `services_wait_s` is None where nobody waits for services; `service_names` are what the launch
    calls them. `suspend` is the field below `spec` that holds the object back until they are
    ready; without one it cannot wait.
    `code_claim` is the volume claim on which the agent has to put the source code, if any, and
    `code_folder` is the folder where it does, on the agent's machine.
    """

    cluster: Cluster
    document: Mapping[str, Json]
    env: Mapping[str, str] = field(repr=False)
    services: tuple[Mapping[str, Json], ...] = ()
    service_names: tuple[str, ...] = ()
    main: str = ""
    usual: str = ""
    code_claim: str = ""
    code_folder: str = ""
    services_wait_s: float | None = 300.0
    suspend: str = ""
    grace: Grace = field(default_factory=Grace)
    run_s: float | None = None
    grace_s: float = 30.0
    log_quota_b: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """What only the launch knows; `pulls` are the names of pull secrets by registry."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    pulls: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesRequest:
    """The documents to create: the object, and what goes with it."""

    document: Mapping[str, Json]
    secret: Mapping[str, Json] | None = field(default=None, repr=False)
    services: tuple[Mapping[str, Json], ...] = ()
