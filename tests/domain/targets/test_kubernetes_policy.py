"""What launches may not ask of a cluster, and owners may."""

from __future__ import annotations

from dataclasses import replace

import pytest

from launchyard.domain.config.problem import DocumentError
from launchyard.domain.documents import Json, dotted
from launchyard.domain.merge import merge_patch
from launchyard.domain.spec import Service
from launchyard.domain.submission import WANDB_URL, QueueRules, judge
from launchyard.domain.targets.draft import AgentSide, queue_side
from launchyard.domain.targets.known import known_targets
from launchyard.domain.targets.kubernetes import plan_kubernetes
from launchyard.domain.targets.kubernetes_plan import KubernetesContext, KubernetesDefaults
from launchyard.domain.targets.kubernetes_policy import RULES, violations
from launchyard.domain.targets.preview import unclaimed
from tests.domain.targets.kubernetes_kit import FACTS, SPEC, job_of, planned, pod_of

EMPTY: dict[str, Json] = {"a": 1}


def refused(launch: Json, queue: Json = None) -> dict[str, str]:
    """Map each path that is refused to its words, where *launch* is laid over *queue*."""
    own = {} if queue is None else queue
    found = violations(own, merge_patch(own, launch))
    return {dotted(p.path).removeprefix("resource_args.kubernetes."): p.message for p in found}


def of_pod(**pod: Json) -> dict[str, Json]:
    """Return a configuration with these keys of a pod's specification."""
    return {"spec": {"template": {"spec": pod}}}


@pytest.mark.parametrize(
    ("pod", "rule"),
    [
        ({"securityContext": {"runAsUser": 0}}, "securityContext"),
        ({"securityContext": None, "hostPID": True}, "hostPID"),
        ({"hostNetwork": "yes"}, "hostNetwork"),
        ({"hostIPC": 1}, "hostIPC"),
        ({"hostUsers": True}, "hostUsers"),
        ({"shareProcessNamespace": True}, "shareProcessNamespace"),
        ({"automountServiceAccountToken": True}, "automountServiceAccountToken"),
        ({"serviceAccountName": "admin"}, "serviceAccountName"),
        ({"serviceAccount": "admin"}, "serviceAccount"),
        ({"priorityClassName": "system-node-critical"}, "priorityClassName"),
        ({"nodeName": "n1"}, "nodeName"),
        ({"metadata": {"finalizers": ["x/y"]}}, "finalizers"),
        ({"manualSelector": True}, "manualSelector"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, "hostPath"),
        ({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}, "secret"),
        ({"volumes": [{"name": "v", "persistentVolumeClaim": EMPTY}]}, "persistentVolumeClaim"),
        ({"volumes": [{"name": "v", "nfs": EMPTY}]}, "volumes"),
        ({"volumes": [{"projected": {"sources": [{"serviceAccountToken": EMPTY}]}}]}, "projected"),
        ({"containers": [{"ports": [{"hostPort": 80}]}]}, "hostPort"),
        ({"containers": [{"env": [{"valueFrom": {"secretKeyRef": EMPTY}}]}]}, "secretKeyRef"),
        ({"containers": [{"envFrom": [{"configMapRef": EMPTY}]}]}, "configMapRef"),
        ({"containers": [{"volumeMounts": [{"mountPropagation": "Bidirectional"}]}]}, "mount"),
        ({"initContainers": [{"securityContext": {"privileged": True}}]}, "securityContext"),
        ({"metadata": {"annotations": {"x/apparmor": "Unconfined"}}}, "unconfined"),
    ],
)
def test_launches_are_bound_and_owners_are_not(pod: dict[str, Json], rule: str) -> None:
    """W-35: what the policy forbids to a launch, the queue's own configuration may say."""
    asked = of_pod(**pod)
    messages = list(refused(asked).values())
    assert len(messages) == 1
    assert f"rule `{rule}" in messages[0]
    assert refused({}, asked) == {}
    assert refused(asked, asked) == {}, "what changes nothing is no wish of the launch's"


@pytest.mark.parametrize(
    "harmless",
    [
        {"hostNetwork": False, "hostPID": 0, "serviceAccountName": ""},
        {"volumes": [{"name": "v", "emptyDir": {}}, {"name": "d", "downwardAPI": EMPTY}]},
        {"nodeSelector": {"gpu": "a100"}, "tolerations": [{"key": "gpu"}]},
        {"containers": [{"resources": {"limits": {"nvidia.com/gpu": 8}}}]},
    ],
)
def test_what_opens_nothing_passes(harmless: dict[str, Json]) -> None:
    """Room, place and scratch space are a launch's to ask for."""
    assert refused(of_pod(**harmless)) == {}


def test_a_rule_reaches_every_depth() -> None:
    """A custom object's pod template inside a template is judged like the plain Job."""
    deep: Json = {"spec": {"workers": [{"template": {"spec": {"hostPID": True}}}]}}
    assert list(refused(deep)) == ["spec.workers[0].template.spec.hostPID"]


def test_what_the_owner_set_is_not_taken_away() -> None:
    """Removing or replacing a fence is as bad as opening one; making it stricter is not."""
    own = of_pod(
        securityContext={"runAsNonRoot": True},
        automountServiceAccountToken=False,
        hostNetwork=True,
    )
    gone = of_pod(securityContext=None, automountServiceAccountToken=None)
    assert sorted(refused(gone, own)) == [
        "spec.template.spec.automountServiceAccountToken",
        "spec.template.spec.securityContext",
    ]
    weaker = of_pod(securityContext={"runAsNonRoot": False})
    assert list(refused(weaker, own)) == ["spec.template.spec.securityContext"]
    assert refused(of_pod(hostNetwork=False), own) == {}


def test_a_launch_makes_no_objects_of_another_kind() -> None:
    """The agent's rights are not a submitter's: no role bindings through a queue of Jobs."""
    binding: Json = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding"}
    assert "batch/v1 Job" in refused(binding)["kind"]
    assert refused({"apiVersion": "batch/v1", "kind": "Job"}) == {}
    assert refused({}, binding) == {}


def test_owners_grant_rules() -> None:
    """`grants` of the queue lifts them; of a launch it lifts nothing."""
    asked = of_pod(serviceAccountName="train", hostNetwork=True)
    assert list(refused(asked, {"grants": ["serviceAccountName"]})) == [
        "spec.template.spec.hostNetwork"
    ]
    assert len(refused({**asked, "grants": ["serviceAccountName", "hostNetwork"]})) == 2


def test_variables_may_have_any_name() -> None:
    """A job's own variable is no key of Kubernetes."""
    assert refused({"env": {"hostPath": "/data"}}) == {}


@pytest.mark.parametrize(
    ("manifest", "rule"),
    [
        ({"kind": "RoleBinding"}, "kind"),
        ({"kind": "Pod", "spec": {"hostPID": True}}, "hostPID"),
        ({"kind": "Service", "spec": {"type": "LoadBalancer"}}, "type"),
        ({"kind": "Service", "spec": {"externalIPs": ["1.2.3.4"]}}, "externalIPs"),
    ],
)
def test_what_runs_beside_a_job_is_the_launchs_own(manifest: dict[str, Json], rule: str) -> None:
    """All of it is a submitter's; the owner can grant."""
    services = (Service(name="s", config={"apiVersion": "v1", **manifest}),)
    found = list(violations({}, {}, services))
    assert [rule in problem.message for problem in found] == [True]
    assert found[0].path[:3] == ("additional_services", 0, "config")
    assert list(violations({"grants": [rule]}, {}, services)) == []


def test_the_agent_refuses_too_and_tells_everything_at_once() -> None:
    """The planner judges as well: a W&B server's launches come merged, with no owner's words."""
    config = of_pod(hostPID=True, hostIPC=True)
    with pytest.raises(DocumentError) as caught:
        planned(config, queue={"spec": {}})
    assert [str(p.path[-1]) for p in caught.value.problems] == ["hostPID", "hostIPC"]
    assert all("grants" in problem.hint for problem in caught.value.problems)
    assert pod_of(planned(config).document)["hostPID"] is True
    defaults = KubernetesDefaults(grants=("hostPID", "hostIPC"))
    merged = KubernetesContext(facts=FACTS, queue={}, defaults=defaults)
    assert pod_of(plan_kubernetes(SPEC, config, merged).document)["hostIPC"] is True


def test_items_of_a_wandb_server_have_no_owner() -> None:
    """W-35: they arrive merged, so nothing in them is taken for the queue's own word."""
    own = of_pod(serviceAccountName="train")
    lease = unclaimed("team", "q", "kubernetes", {"docker": {"docker_image": "a"}}, own)
    assert queue_side(lease, "kubernetes", AgentSide()) == own
    stock = replace(lease, secrets={WANDB_URL: "http://w"})
    assert queue_side(stock, "kubernetes", AgentSide()) == {}


def test_the_server_judges_a_launch_by_its_queue() -> None:
    """A submitter hears of it at once, with path and rule; a queue's macros are no difference."""
    own = job_of([{"image": "a", "resources": {}}], serviceAccountName="${author}")
    queue = QueueRules(resource="kubernetes", config=own, target=known_targets()["kubernetes"])
    launch: dict[str, Json] = {"docker": {"docker_image": "a:1"}}
    assert judge(launch, queue).merged == own
    args: Json = {"kubernetes": of_pod(serviceAccountName="admin")}
    with pytest.raises(DocumentError, match="serviceAccountName"):
        judge({**launch, "resource_args": args}, queue)
    away: Json = {"kubernetes": {"namespace": "kube-system"}}
    with pytest.raises(DocumentError, match="security-relevant"):
        judge({**launch, "resource_args": away}, queue)


def test_a_grant_is_the_name_of_a_rule() -> None:
    """A slip would grant nothing, so it is told."""
    with pytest.raises(DocumentError, match="hostPath"):
        planned({"grants": ["hostPaht"]}, replace(SPEC))
    assert len(set(RULES)) == len(RULES)
