"""Plan an attempt as an object of a cluster: the `kubernetes` target.

What an adapter calls, and in which order:

* `plan_kubernetes(spec, config, context) -> KubernetesPlan` in the main process; the plan pickles
  and holds no secret. `draft.queue_side(grant, TYPE, agent)` gives the context's `queue`.
  `kubernetes_plan` has the types.
* `kubernetes_request.create_request(plan, Submit(name=, labels=, secrets=, pulls=))` gives the
  documents: `secret` (None without secret variables), `services` and `document`, each with its
  name, labels and namespace. Create with `fieldValidation=Strict`. A pod waits for a secret that
  comes after it. `kubernetes_shown` is for people, and `with_image(plan, image)` puts a built
  image in (both there, too).
* `owned_by(document, owner)` gives the owner reference to put (or patch: `metadata`) on secret and
  services once the object has its uid. `kubernetes_pulls.pull_secret(registry, user, password)` is
  the secret that all jobs of a namespace share for a registry; create it before, replace it when
  its data differ, never own it by a job. `registries_of(plan)` says of which registries.
* `kubernetes_pods.summarise_pod(pod, now_ms, before) -> PodSummary`,
  `kubernetes_objects.summarise_object(object, rows) -> ObjectSummary` and
  `kubernetes_objects.summarise_event(event) -> EventSummary` are all that a watcher keeps.
* `kubernetes_status.judge(Sight(found=, pods=, events=), now_ms, plan.grace) -> Observed` says how
  the attempt stands. Keep the summary of a deleted pod until its object is over; ask for events
  only while a judgement is PENDING without a detail. After `hopeless` delete the object.
  Object and pods carry our labels, so `item` and `attempt` group them.
* An object that is gone is `kubernetes_status.GONE`; deletes propagate `Background`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import replace

from launchyard.domain.config.problem import DocumentError, Problem
from launchyard.domain.documents import Json, Path
from launchyard.domain.environment import JobFacts, public_environment
from launchyard.domain.images import ImageError, parse_image
from launchyard.domain.spec import ImageSource, LaunchSpec, NoSource
from launchyard.domain.targets.kubernetes_code import (
    CodePlace,
    check_code,
    default_image,
    fetcher,
    install_first,
    mount,
    needs_code,
    put_fetcher,
)
from launchyard.domain.targets.kubernetes_config import (
    PATH,
    TYPE,
    KubernetesSettings,
    read_settings,
)
from launchyard.domain.targets.kubernetes_fence import fence, give_time, run_once
from launchyard.domain.targets.kubernetes_kinds import KindRow, row_for
from launchyard.domain.targets.kubernetes_manifest import (
    JOB,
    Node,
    containers,
    copied,
    is_job,
    main_container,
    name_containers,
    node,
    templates,
)
from launchyard.domain.targets.kubernetes_plan import (
    Cluster,
    KubernetesContext,
    KubernetesDefaults,
    KubernetesPlan,
)
from launchyard.domain.targets.kubernetes_pods import MAIN
from launchyard.domain.targets.kubernetes_policy import violations
from launchyard.domain.targets.kubernetes_ready import suspended_by
from launchyard.domain.targets.kubernetes_request import literal
from launchyard.domain.targets.kubernetes_services import check_services, planned_services
from launchyard.domain.targets.kubernetes_status import Grace


def plan_kubernetes(spec: LaunchSpec, config: Json, context: KubernetesContext) -> KubernetesPlan:
    """Return what the runner is to do; *config* is the queue's, merged and with macros resolved.

    Raises:
        DocumentError: the spec asks for what this target has not or a launch may not, or the
            configuration is wrong; it holds every problem.
    """
    settings, problems = read_settings(config)
    problems = (
        *problems,
        *violations(_owners(context), config, spec.additional_services),
        *check_services(spec.additional_services),
        *check_code(spec, settings.text("code_claim")),
    )
    document = _completed(settings) if not problems else {}
    row = _row(document, context.defaults)
    jobs = [] if problems else _jobs(document, settings, row)
    problems = (*problems, *(() if problems else _unfit(spec, jobs)))
    if problems:
        raise DocumentError(problems)
    for template, container in jobs:
        _put_launch(container, spec, is_plain=is_job(document))
        if needs_code(spec):
            _put_code(template, container, spec, settings, context.name)
    fence(document)
    return _plan(spec, settings, context, document, row)


def _plan(
    spec: LaunchSpec,
    settings: KubernetesSettings,
    context: KubernetesContext,
    document: Node,
    row: KindRow,
) -> KubernetesPlan:
    defaults, facts = context.defaults, context.facts
    declared = {**settings.env, **spec.env}
    own = replace(facts, spec=spec, agent=_proxies(facts.agent), declared=declared, path="")
    wait_s = settings.seconds("wait_timeout")
    waits = settings.own.get("wait_for_ready") is not False
    main = settings.text("main_container")
    grace_s = _first(settings.seconds("cancel_grace"), defaults.grace_s)
    give_time(document, grace_s)
    _keep(document)
    return KubernetesPlan(
        cluster=_cluster(document, settings, defaults),
        document=document,
        env=public_environment(own),
        services=planned_services(spec.additional_services, _builtins(facts, spec)),
        service_names=tuple(service.name for service in spec.additional_services),
        main=main,
        usual=row.main,
        code_claim=settings.text("code_claim") if needs_code(spec) else "",
        services_wait_s=(300.0 if wait_s is None else wait_s) if waits else None,
        suspend=suspended_by(document, row),
        grace=_grace(settings, defaults.grace),
        run_s=_shortest(settings.seconds("timeout"), spec.timeout_s, defaults.run_s),
        grace_s=grace_s,
        log_quota_b=int(_first(settings.seconds("log_quota"), defaults.log_quota_b)),
    )


def _completed(settings: KubernetesSettings) -> Node:
    """Return the manifest whole; what people wrote wins over every default."""
    document = copied(settings.manifest)
    document.setdefault("apiVersion", JOB[0])
    document.setdefault("kind", JOB[1])
    if is_job(document):
        document["apiVersion"] = JOB[0]
        job = node(document, "spec")
        run_once(job)
        pod = node(job, "template", "spec")
        if not pod.get("containers"):
            pod["containers"] = [{}]
    name_containers(document)
    return document


def _owners(context: KubernetesContext) -> Json:
    """Return what owners say: that of the queue, with what the agent's owner grants."""
    own = context.queue if isinstance(context.queue, dict) else {}
    told = own.get("grants")
    listed = told if isinstance(told, list) else [told]
    return {**own, "grants": [*listed, *context.defaults.grants]}


def _row(document: Node, defaults: KubernetesDefaults) -> KindRow:
    group = str(document.get("apiVersion")).rpartition("/")[0]
    return row_for(group, str(document.get("kind")), defaults.rows)


def _jobs(document: Node, settings: KubernetesSettings, row: KindRow) -> list[tuple[Node, Node]]:
    """Return each pod template with its main container, which the template then names itself."""
    found = []
    for template in templates(document):
        container = main_container(template, settings.text("main_container"), row.main)
        if container is None:
            continue
        if container is not containers(template, "containers")[0]:
            node(template, "metadata", "annotations")[MAIN] = container.get("name")
        found.append((template, container))
    return found


def _put_launch(container: Node, spec: LaunchSpec, *, is_plain: bool) -> None:
    """Put the launch's words and image over the queue's, in the main container alone.

    In a custom object an image of the queue's own stays: it may well be `${image_uri}`.
    """
    if spec.overrides.entry_point:
        container["command"] = [literal(word) for word in spec.overrides.entry_point]
    if spec.overrides.args:
        container["args"] = [literal(word) for word in spec.overrides.args]
    if isinstance(spec.source, ImageSource) and (is_plain or not container.get("image")):
        container["image"] = spec.source.image
    folder = spec.overrides.working_dir
    if folder and not needs_code(spec):
        base = container.get("workingDir")
        base = base if isinstance(base, str) else "/"
        container["workingDir"] = posixpath.normpath(posixpath.join(base, folder))


def _put_code(
    template: Node, container: Node, spec: LaunchSpec, settings: KubernetesSettings, name: str
) -> None:
    """Mount the source code, where no builder makes an image of it."""
    if not container.get("image"):
        told = spec.builder.get("base_image")
        base = settings.base_image or (told if isinstance(told, str) else "")
        container["image"] = base or default_image(spec)
        if not base:
            install_first(container, spec.requirements)
    claim = settings.text("code_claim")
    volume: Node = {"emptyDir": {}}
    if claim:
        volume = {"persistentVolumeClaim": {"claimName": claim}}
    mount(template, container, volume, CodePlace(spec, name if claim else ""))
    if not claim:
        put_fetcher(template, fetcher(spec, settings.text("code_image")))


def _builtins(facts: JobFacts, spec: LaunchSpec) -> dict[str, str]:
    return {
        "project_name": spec.project,
        "entity_name": spec.entity or facts.entity,
        "run_id": facts.run_id,
        "run_name": spec.name,
        "image_uri": spec.image,
        "author": spec.author,
    }


def _cluster(document: Node, settings: KubernetesSettings, defaults: KubernetesDefaults) -> Cluster:
    meta = document.get("metadata")
    named = meta.get("namespace") if isinstance(meta, dict) else None
    file = settings.text("kubeconfig")
    return Cluster(
        kubeconfig=file or defaults.kubeconfig,
        # The agent's context means nothing in another file.
        context=settings.text("context") or ("" if file else defaults.context),
        namespace=str(named or settings.text("namespace")),
    )


def _keep(document: Node) -> None:
    """Take the cluster's own clearing out: an object is removed when its end is recorded.

    A RayJob's stays: it is the time of the Ray cluster, whose pods have logs, and not its own.
    """
    spec = document.get("spec")
    policy = spec.get("runPolicy") if isinstance(spec, dict) else None
    for holder in (spec, policy) if document.get("kind") != "RayJob" else ():
        if isinstance(holder, dict):
            holder.pop("ttlSecondsAfterFinished", None)


def _grace(settings: KubernetesSettings, usual: Grace) -> Grace:
    start, schedule = settings.seconds("start_grace"), settings.seconds("schedule_grace")
    return Grace(
        start_s=usual.start_s if start is None else start,
        schedule_s=usual.schedule_s if schedule is None else schedule,
    )


def _first(value: float | None, usual: float) -> float:
    return usual if value is None else value


def _proxies(agent: Mapping[str, str]) -> dict[str, str]:
    """Return the agent's variables that mean something inside a container: no paths of files."""
    return {k: v for k, v in agent.items() if k.lower().endswith("_proxy")}


def _shortest(*limits_s: float | None) -> float | None:
    return min((limit for limit in limits_s if limit is not None), default=None)


def _unfit(spec: LaunchSpec, jobs: list[tuple[Node, Node]]) -> Iterator[Problem]:
    """Yield what a spec asks for and this target has not."""
    path: Path = ("docker", "docker_image") if spec.docker.image else ("image_uri",)
    images = [container.get("image") for _, container in jobs]
    if not jobs:
        hint = "write its pod templates whole: `spec.containers` with one container at least"
        yield Problem(path=(*PATH, "spec"), message="no part of it has containers", hint=hint)
    elif isinstance(spec.source, NoSource) and not all(images):
        hint = "name one: `launchyard launch -d IMAGE`, or have the queue name it"
        yield Problem(path=path, message=f"{TYPE} runs images, and none is named", hint=hint)
    if isinstance(spec.source, ImageSource):
        try:
            parse_image(spec.source.image)
        except ImageError as e:
            yield Problem(path=path, message=str(e))
    if spec.outputs:
        hint = "have the job put its files where they are kept, or use a local-process queue"
        yield Problem(path=("outputs",), message=f"{TYPE} collects no outputs yet", hint=hint)
