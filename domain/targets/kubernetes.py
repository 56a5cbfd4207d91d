"""Plan an attempt as an object of a cluster: the `kubernetes` target.

What an adapter calls, and in which order:

* `plan_kubernetes(spec, config, context) -> KubernetesPlan` in the main process; the plan pickles
  and holds no secret. `draft.queue_side(grant, TYPE, agent)` gives the context's `queue`.
  `kubernetes_plan` has the types.
* `kubernetes_request.create_request(plan, Submit(name=, labels=, secrets=, pull=))` is all of the
  documents in the order of creation: `secret` (None without secret variables), `services`, then
  `document`. All have the attempt's name or a name made from it, all labels and the namespace.
  Create with `fieldValidation=Strict`. `shown_request(plan)` is for people, and
  `with_image(plan, image)` puts a built image in (both there, too).
* `owned_by(document, owner)` gives the owner reference to put (or patch: `metadata`) on secret and
  services once the object has its uid. `pull_secret(registry, user, password, namespace)` is the
  secret that all jobs of a namespace share for a registry; create it before, replace it when its
  data differ, never own it by a job. `plan.registry` says of which registry.
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

from collections.abc import Iterator, Mapping
from dataclasses import replace

from launchyard.domain.config.problem import DocumentError, Problem
from launchyard.domain.documents import Json, Path
from launchyard.domain.environment import public_environment
from launchyard.domain.spec import ImageSource, LaunchSpec, NoSource
from launchyard.domain.targets.kubernetes_config import (
    PATH,
    TYPE,
    KubernetesSettings,
    read_settings,
)
from launchyard.domain.targets.kubernetes_kinds import KindRow, row_for
from launchyard.domain.targets.kubernetes_manifest import (
    JOB,
    Node,
    copied,
    is_job,
    main_container,
    node,
    templates,
)
from launchyard.domain.targets.kubernetes_plan import (
    Cluster,
    KubernetesContext,
    KubernetesDefaults,
    KubernetesPlan,
)
from launchyard.domain.targets.kubernetes_request import host_of, literal
from launchyard.domain.targets.kubernetes_status import Grace


def plan_kubernetes(spec: LaunchSpec, config: Json, context: KubernetesContext) -> KubernetesPlan:
    """Return what the runner is to do; *config* is the queue's, merged and with macros resolved.

    Raises:
        DocumentError: the spec asks for what this target has not, or the configuration is wrong;
            it holds every problem.
    """
    settings, problems = read_settings(config)
    if problems:
        raise DocumentError(problems)
    defaults = context.defaults
    document = _completed(settings)
    version = str(document.get("apiVersion"))
    row = row_for(version.rpartition("/")[0], str(document.get("kind")), defaults.rows)
    found = [m for t in templates(document) if (m := _main(t, settings, row)) is not None]
    for container in found:
        _override(container, spec)
    _put_image(document, found, spec)
    problems = (*_unfit(spec, found),)
    if problems:
        raise DocumentError(problems)
    declared = {**settings.env, **spec.env}
    facts = replace(
        context.facts, spec=spec, agent=_proxies(context.facts.agent), declared=declared, path=""
    )
    run_s, grace_s, quota = (settings.own.get(k) for k in ("timeout", "cancel_grace", "log_quota"))
    return KubernetesPlan(
        cluster=_cluster(document, settings, defaults),
        document=document,
        env=public_environment(facts),
        main=settings.text("main_container"),
        usual=row.main,
        registry=_registry(found),
        keep_s=_keep(document),
        grace=_grace(settings, defaults.grace),
        run_s=_shortest(
            run_s if isinstance(run_s, float) else None, spec.timeout_s, defaults.run_s
        ),
        grace_s=grace_s if isinstance(grace_s, float) else defaults.grace_s,
        log_quota_b=quota if isinstance(quota, int) else defaults.log_quota_b,
    )


def _completed(settings: KubernetesSettings) -> Node:
    """Return the manifest whole; what people wrote wins over every default."""
    document = copied(settings.manifest)
    document.setdefault("apiVersion", JOB[0])
    document.setdefault("kind", JOB[1])
    if not is_job(document):
        return document
    document["apiVersion"] = JOB[0]
    job = node(document, "spec")
    # An attempt is one run: the cluster starts no second one, our queue's retries do.
    job.setdefault("backoffLimit", 0)
    pod = node(job, "template", "spec")
    pod.setdefault("restartPolicy", "Never")
    if not pod.get("containers"):
        pod["containers"] = [{}]
    return document


def _main(template: Node, settings: KubernetesSettings, row: KindRow) -> Node | None:
    return main_container(template, settings.text("main_container"), row.main)


def _override(container: Node, spec: LaunchSpec) -> None:
    if spec.overrides.entry_point:
        container["command"] = [literal(word) for word in spec.overrides.entry_point]
    if spec.overrides.args:
        container["args"] = [literal(word) for word in spec.overrides.args]


def _put_image(document: Node, found: list[Node], spec: LaunchSpec) -> None:
    image = spec.source.image if isinstance(spec.source, ImageSource) else ""
    for container in found:
        if image and (is_job(document) or not container.get("image")):
            container["image"] = image


def _cluster(document: Node, settings: KubernetesSettings, defaults: KubernetesDefaults) -> Cluster:
    meta = document.get("metadata")
    named = meta.get("namespace") if isinstance(meta, dict) else None
    return Cluster(
        kubeconfig=settings.text("kubeconfig") or defaults.kubeconfig,
        context=settings.text("context") or defaults.context,
        namespace=str(named or settings.text("namespace") or defaults.namespace),
    )


def _keep(document: Node) -> float | None:
    """Take the cluster's own clearing out: an object is removed when its end is recorded."""
    spec = document.get("spec")
    after = spec.pop("ttlSecondsAfterFinished", None) if isinstance(spec, dict) else None
    return float(after) if isinstance(after, int | float) else None


def _grace(settings: KubernetesSettings, usual: Grace) -> Grace:
    start, schedule = settings.seconds("start_grace"), settings.seconds("schedule_grace")
    return Grace(
        start_s=usual.start_s if start is None else start,
        schedule_s=usual.schedule_s if schedule is None else schedule,
    )


def _registry(found: list[Node]) -> str:
    return next((host_of(str(c["image"])) for c in found if c.get("image")), "")


def _proxies(agent: Mapping[str, str]) -> dict[str, str]:
    """Return the agent's variables that mean something inside a container: no paths of files."""
    return {k: v for k, v in agent.items() if k.lower().endswith("_proxy")}


def _shortest(*limits_s: float | None) -> float | None:
    return min((limit for limit in limits_s if limit is not None), default=None)


def _unfit(spec: LaunchSpec, found: list[Node]) -> Iterator[Problem]:
    """Yield what a spec asks for and this target has not."""
    path: Path = ("docker", "docker_image") if spec.docker.image else ("image_uri",)
    if isinstance(spec.source, NoSource) and not any(c.get("image") for c in found):
        hint = "name one: `launchyard launch -d IMAGE`, or have the queue name it"
        yield Problem(path=path, message=f"{TYPE} runs images, and none is named", hint=hint)
    if not found:
        message = "there is no container in it"
        yield Problem(path=(*PATH, "spec"), message=message)
