"""Planning an attempt as an object of a cluster."""

from __future__ import annotations

import base64
import json
import pickle
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchyard.domain.config.problem import DocumentError
from launchyard.domain.documents import Json, copy_json, dotted
from launchyard.domain.merge import check_pattern
from launchyard.domain.naming import target_name
from launchyard.domain.spec import ArchiveSource, Docker, GitSource, LaunchSpec, Overrides, Service
from launchyard.domain.targets.kubernetes_code import FETCHER, MOUNT
from launchyard.domain.targets.kubernetes_config import PROTECTED
from launchyard.domain.targets.kubernetes_plan import Submit
from launchyard.domain.targets.kubernetes_pods import MAIN
from launchyard.domain.targets.kubernetes_request import (
    create_request,
    owned_by,
    pull_secret,
    pull_secret_name,
    shown_request,
    with_image,
)
from launchyard.domain.targets.kubernetes_services import dns_label
from launchyard.domain.targets.kubernetes_status import Grace
from tests.domain.targets.kubernetes_kit import (
    FACTS,
    LABELS,
    SPEC,
    at,
    job_of,
    planned,
    pod_of,
    requested,
)

CODE = replace(SPEC, docker=Docker(), code=GitSource("https://git.example/x.git", "v1", "sub"))
TORCH: dict[str, Json] = {
    "apiVersion": "kubeflow.org/v1",
    "kind": "PyTorchJob",
    "spec": {
        "pytorchReplicaSpecs": {
            "Master": {
                "template": {"spec": {"containers": [{"name": "log"}, {"name": "pytorch"}]}}
            },
            "Worker": {"template": {"spec": {"containers": [{"name": "pytorch", "image": "own"}]}}},
        }
    },
}
MASTER = ("spec", "pytorchReplicaSpecs", "Master", "template", "spec", "containers")
WORKER = ("spec", "pytorchReplicaSpecs", "Worker", "template", "spec", "containers")


def main_of(document: Any) -> Any:
    """Return the first container of a Job."""
    return at(pod_of(document), "containers", 0)


def env_of(container: Any) -> dict[str, Any]:
    """Return a container's variables; each has to be there once."""
    names = [entry["name"] for entry in container.get("env", [])]
    assert len(names) == len(set(names))
    return {entry["name"]: entry for entry in container.get("env", [])}


def problems(config: Json, spec: LaunchSpec = SPEC) -> dict[str, str]:
    """Map the path of every problem to what is said about it."""
    with pytest.raises(DocumentError) as caught:
        planned(config, spec)
    return {
        dotted(p.path): f"{p.message} {p.allowed} {p.hint}".strip() for p in caught.value.problems
    }


def test_a_launch_alone_is_a_whole_job() -> None:
    """Nothing has to be written: image, words, one run, a fence, and whose it is."""
    made = shown_request(planned())
    container = at(made, "spec", "template", "spec", "containers", 0)
    container.pop("env")
    assert made == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"labels": {}},
        "spec": {
            "backoffLimit": 0,
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "FailJob",
                        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                    }
                ]
            },
            "template": {
                "metadata": {"labels": {}},
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [
                        {
                            "name": "main",
                            "image": "reg.example:5000/team/train:1",
                            "command": ["python", "train.py"],
                            "args": ["--name", "a b"],
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "capabilities": {"drop": ["ALL"]},
                                "seccompProfile": {"type": "RuntimeDefault"},
                            },
                        }
                    ],
                },
            },
        },
    }


def test_the_clusters_retries_are_the_owners_to_ask_for() -> None:
    """What people write wins: with a limit of theirs, a lost pod is the cluster's to replace."""
    config: Json = {"spec": {"backoffLimit": 2, "template": {"spec": {"restartPolicy": "Never"}}}}
    made = planned(config).document
    assert at(made, "spec", "backoffLimit") == 2
    assert "podFailurePolicy" not in at(made, "spec")
    keeps: Json = {"spec": {"ttlSecondsAfterFinished": 60}}
    plan = planned(keeps)
    assert plan.keep_s == 60
    assert "ttlSecondsAfterFinished" not in at(plan.document, "spec")


def test_everything_bears_the_attempts_name_and_labels() -> None:
    """W-15: object, pods and secret; a name of people's own becomes a label."""
    made = requested({"metadata": {"name": "Night run", "labels": {"team": "v"}}})
    meta = at(made.document, "metadata")
    assert meta["name"] == "ly-abc-a1"
    assert meta["labels"] == {**LABELS, "team": "v", "launchyard-name": meta["labels"][NAME]}
    pod = at(made.document, "spec", "template", "metadata", "labels")
    assert LABELS.items() <= pod.items()
    assert at(made.secret, "metadata", "name") == "ly-abc-a1"
    assert at(made.secret, "metadata", "labels") == LABELS
    given_up = requested({"metadata": {"generateName": "run-7-"}}).document
    assert "generateName" not in at(given_up, "metadata")
    assert at(given_up, "metadata", "labels", NAME).startswith("run-7")


NAME = "launchyard-name"


def test_secrets_stand_in_the_secret_alone() -> None:
    """W-28: of Jobs and custom objects alike; the object names them, and the plan knows none."""
    for config in (None, {**TORCH, "x": 1}):
        plan = planned(config)
        assert pickle.loads(pickle.dumps(plan)) == plan  # noqa: S301 - our own
        made = requested(config)
        told = json.dumps([made.document, shown_request(plan), dict(plan.env)])
        assert "wandb-key" not in told
        assert "attempt-token" not in told
        assert "wandb-key" not in repr(made)
        data = at(made.secret, "data")
        assert base64.b64decode(data["WANDB_API_KEY"]) == b"wandb-key"
    reference = env_of(main_of(requested().document))["WANDB_API_KEY"]["valueFrom"]
    assert reference == {"secretKeyRef": {"name": "ly-abc-a1", "key": "WANDB_API_KEY"}}
    assert create_request(planned(), Submit(name="x")).secret is None


def test_a_launch_reaches_the_main_container_alone() -> None:
    """W-30: words, image and variables of the launch are nothing to a sidecar."""
    side: Json = {"name": "proxy", "image": "proxy:1", "env": [{"name": "A", "value": "b"}]}
    made = requested(job_of([{"name": "job", "env": [{"name": "X", "value": "1"}]}, side]))
    assert at(pod_of(made.document), "containers", 1, "env") == [{"name": "A", "value": "b"}]
    assert "command" not in at(pod_of(made.document), "containers", 1)
    assert env_of(main_of(made.document))["X"] == {"name": "X", "value": "1"}
    other = requested({**job_of([side, {"name": "job"}]), "main_container": "job"})
    assert at(pod_of(other.document), "containers", 1, "command") == ["python", "train.py"]
    assert at(other.document, "spec", "template", "metadata", "annotations", MAIN) == "job"
    assert "command" not in main_of(other.document)


def test_variables_are_the_launchs_and_literal() -> None:
    """The launch's wins over the container's; a cluster must not read `$(NAME)` in it."""
    config = {
        **job_of([{"env": [{"name": "A", "value": "old"}]}]),
        "env": {"A": "$(B) $$", "C": "$x"},
    }
    env = env_of(main_of(requested(config).document))
    assert env["A"]["value"] == "$$(B) $$$$"
    assert env["C"]["value"] == "$x"
    assert env["HTTPS_PROXY"]["value"] == "http://proxy:3128"
    assert not {"SSL_CERT_FILE", "KEY", "PATH"} & env.keys()
    spec = replace(SPEC, overrides=Overrides(args=("echo $$ $(date)",)))
    assert main_of(requested(None, spec).document)["args"] == ["echo $$$$ $$(date)"]


def test_custom_objects_get_what_jobs_get() -> None:
    """W-28: the container that the controller wants, in each template; one writer per run."""
    made = requested(TORCH).document
    master, worker = at(made, *MASTER, 1), at(made, *WORKER, 0)
    assert (master["image"], worker["image"]) == ("reg.example:5000/team/train:1", "own")
    assert master["command"] == worker["command"] == ["python", "train.py"]
    assert "env" not in at(made, *MASTER, 0)
    assert "WANDB_RUN_ID" in env_of(master)
    assert "WANDB_RUN_ID" not in env_of(worker)
    assert LABELS.items() <= at(made, *WORKER[:-2], "metadata", "labels").items()
    assert "backoffLimit" not in at(made, "spec")


def test_a_kind_with_a_group_of_its_own_keys() -> None:
    """W-32: W&B's `group` and `version` make the apiVersion; plurals are the cluster's to tell."""
    config = {**TORCH, "apiVersion": "v9", "group": "kubeflow.org", "version": "v1"}
    made = planned(config).document
    assert made["apiVersion"] == "kubeflow.org/v1"
    assert not {"group", "version", "builder"} & made.keys()


def test_our_settings_are_no_part_of_the_manifest() -> None:
    """W-14: cluster and namespace go with each plan; W&B's names of them are known."""
    plan = planned(
        {
            "configFile": "/etc/kube",
            "context": "east",
            "namespace": "ml",
            "timeout": "1h",
            "cancel_grace": 5,
            "start_grace": "1m",
            "schedule_grace": 0,
            "wait_for_ready": False,
            "log_quota": "1MiB",
        }
    )
    assert plan.document.keys() == {"apiVersion", "kind", "spec"}
    where = plan.cluster
    assert (where.kubeconfig, where.context, where.namespace) == ("/etc/kube", "east", "ml")
    assert (plan.run_s, plan.grace_s, plan.services_wait_s) == (3600, 5, None)
    assert (plan.grace, plan.log_quota_b) == (Grace(start_s=60, schedule_s=0), 1024**2)
    assert planned({"namespace": "a", "metadata": {"namespace": "b"}}).cluster.namespace == "b"
    assert at(requested({"namespace": "ml"}).document, "metadata", "namespace") == "ml"


def test_pull_secrets_are_shared_and_added() -> None:
    """W-29, W-34: one per registry, beside the queue's own, and owned by no job."""
    config = job_of([{}], imagePullSecrets=[{"name": "own"}])
    plan = planned(config)
    assert plan.registry == "reg.example:5000"
    name = pull_secret_name(plan.registry)
    made = create_request(plan, Submit(name="x", pull=name)).document
    assert pod_of(made)["imagePullSecrets"] == [{"name": "own"}, {"name": name}]
    secret = pull_secret(plan.registry, "u", "p", "ml")
    logins = json.loads(base64.b64decode(at(secret, "data", ".dockerconfigjson")))
    assert logins == {"auths": {"reg.example:5000": {"auth": "dTpw"}}}
    assert (at(secret, "metadata", "name"), at(secret, "metadata", "namespace")) == (name, "ml")
    assert pull_secret_name("other") != name


def test_what_goes_with_a_job_is_owned_by_it() -> None:
    """W-29: secret and services vanish with their object."""
    made = requested()
    created = {**made.document, "metadata": {"name": "ly-abc-a1", "uid": "u1"}}
    assert made.secret is not None
    owned = owned_by(made.secret, created)
    assert at(owned, "metadata", "ownerReferences") == [
        {"apiVersion": "batch/v1", "kind": "Job", "name": "ly-abc-a1", "uid": "u1"}
    ]


def test_services_keep_every_name_but_their_own() -> None:
    """W-27, W-36: variables, ports and references stay as written; the run's words are told."""
    ports: Json = [{"name": "HTTP_port", "containerPort": 80}]
    pod: Json = {
        "metadata": {"labels": {"app": "db"}},
        "spec": {
            "containers": [
                {"name": "db", "env": [{"name": "MY_VAR", "value": "1"}], "ports": ports}
            ]
        },
    }
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": pod}}
    service: dict[str, Json] = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "db-${run_id}", "namespace": "elsewhere"},
    }
    spec = replace(
        SPEC,
        overrides=Overrides(run_config={"text": "x" * 40000}),
        additional_services=(
            Service(name="My DB", config=deployment),
            Service(name="s", config=service),
        ),
    )
    first, second = requested({"namespace": "ml"}, spec).services
    assert (at(first, "metadata", "name"), at(second, "metadata", "name")) == ("my-db", "db-r1")
    assert at(second, "metadata", "namespace") == "ml"
    container = at(first, "spec", "template", "spec", "containers", 0)
    env = env_of(container)
    assert container["ports"] == ports
    assert {"MY_VAR", "WANDB_CONFIG_0", "WANDB_CONFIG_1"} <= env.keys()
    assert env["WANDB_API_KEY"]["valueFrom"]["secretKeyRef"]["name"] == "ly-abc-a1"
    assert "LAUNCHYARD_TOKEN" not in env
    labels = at(first, "spec", "template", "metadata", "labels")
    assert (labels["app"], labels["launchyard-beside"]) == ("db", "i")
    assert "launchyard-item" not in labels, "its pods must not be taken for the job's"
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_code_is_fetched_into_a_base_image() -> None:
    """W-33: in an init container, with the queue's base image, and where the code then is."""
    config = {**job_of([{}]), "builder": {"base_image": "base:1"}, "code_image": "git:1"}
    made = requested(config, replace(CODE, overrides=replace(CODE.overrides, working_dir="in")))
    container, first = main_of(made.document), at(pod_of(made.document), "initContainers", 0)
    assert (container["image"], container["workingDir"]) == ("base:1", f"{MOUNT}/sub/in")
    assert container["command"] == ["python", "train.py"]
    assert (first["name"], first["image"]) == (FETCHER, "git:1")
    assert first["command"][-3:] == [MOUNT, "https://git.example/x.git", "v1"]
    assert set(env_of(first)) == {"LAUNCHYARD_SERVER", "LAUNCHYARD_TOKEN", "HTTPS_PROXY"}
    assert first["securityContext"]["allowPrivilegeEscalation"] is False
    archive = replace(CODE, code=ArchiveSource("ab" * 32))
    first = at(pod_of(requested(None, archive).document), "initContainers", 0)
    assert first["command"][-1] == "ab" * 32


def test_without_any_image_requirements_are_installed_first() -> None:
    """W-33: the command follows as it was written, quoting and all."""
    spec = replace(CODE, python_version="3.11.4", requirements=("numpy==2", "x>1"))
    container = main_of(planned(None, spec).document)
    assert container["image"] == "python:3.11-slim"
    assert container["command"][-1] == "numpy==2\nx>1"
    assert container["args"] == ["python", "train.py", "--name", "a b"]


def test_code_on_a_claim_is_the_agents_to_put_there() -> None:
    """W-33: the agent's fetcher knows patches, notebooks and passwords; the pod only mounts."""
    secret = replace(CODE, code=GitSource("https://u:pw@git.example/x.git"))
    plan = planned({"code_claim": "code"}, secret)
    assert plan.code_claim == "code"
    assert "initContainers" not in pod_of(plan.document)
    assert main_of(plan.document)["volumeMounts"][0]["subPath"] == "ly-a1"
    assert "pw" not in json.dumps(plan.document)
    assert "password" in problems(None, secret)["source"]
    assert "code_claim" in problems(None, LaunchSpec(job="e/p/j:v1"))["source"]


def test_a_built_image_fills_the_gap() -> None:
    """What is built is put where no image is, and its registry is the one to log in to."""
    plan = with_image(planned(TORCH, replace(SPEC, docker=Docker(image="a"))), "reg/x:1")
    assert at(plan.document, *MASTER, 1, "image") == "a"
    empty = replace(plan, document={"spec": {"containers": [{"name": "x"}]}})
    filled = with_image(empty, "r.example/x:1")
    assert at(filled.document, "spec", "containers", 0, "image") == "r.example/x:1"
    assert filled.registry == "r.example"


def test_owners_words_on_security_stay() -> None:
    """A fence only fills what is not said, and never makes a pod that no cluster takes."""
    context: Json = {"runAsUser": 5, "capabilities": {"add": ["SYS_ADMIN"]}}
    config = job_of([{"securityContext": context}, {"securityContext": {"privileged": True}}])
    first, second = at(pod_of(planned(config).document), "containers")
    assert first["securityContext"] == {
        "runAsUser": 5,
        "capabilities": {"add": ["SYS_ADMIN"], "drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert second["securityContext"] == {"privileged": True}
    pod = job_of([{}], securityContext={"seccompProfile": {"type": "Localhost"}})
    assert "seccompProfile" not in main_of(planned(pod).document)["securityContext"]


@pytest.mark.parametrize(
    ("config", "path", "words"),
    [
        (["x"], "", "object"),
        ({"metdata": {}}, "metdata", "did you mean `metadata`?"),
        ({"backoffLimit": 1}, "backoffLimit", "belongs in `spec`"),
        ({"spec": {"backoff_limit": 1}}, "spec.backoff_limit", "did you mean `backoffLimit`?"),
        ({"spec": {"backoffLimit": "1"}}, "spec.backoffLimit", "whole number"),
        ({"spec": {"containers": []}}, "spec.containers", "spec.template.spec"),
        ({"spec": {"template": []}}, "spec.template", "an object"),
        ({"metadata": {"labels": {"a": 1}}}, "metadata.labels", "quote the numbers"),
        ({"timeout": "soon"}, "timeout", ""),
        ({"configFile": "a", "kubeconfig": "b"}, "kubeconfig", "once more"),
        (job_of([{"comand": ["a"]}]), "spec.template.spec.containers[0].comand", "`command`"),
        (job_of([{"args": [1]}]), "spec.template.spec.containers[0].args", "texts"),
        (
            job_of([{"imagePullPolicy": "No"}]),
            "spec.template.spec.containers[0].imagePullPolicy",
            "Always",
        ),
        (
            job_of([{"resources": {"limit": {}}}]),
            "spec.template.spec.containers[0].resources.limit",
            "`limits`",
        ),
        ({"kind": "T", "apiVersion": "x/v1", "spec": {"size": 1}}, "spec", "containers"),
    ],
)
def test_slips_are_told_with_their_place(config: Json, path: str, words: str) -> None:
    """Before a cluster sees them."""
    found = problems(config)
    full = ".".join(part for part in ("resource_args.kubernetes", path) if part)
    assert words in found[full]


def test_what_is_newer_than_we_passes() -> None:
    """A cluster may know more keys than this list does."""
    made = planned({"spec": {"brandNewThing": {"a": 1}}, "extension": {}}).document
    assert at(made, "spec", "brandNewThing") == {"a": 1}


def test_everything_wrong_is_told_at_once() -> None:
    """Configuration, policy, services and the launch itself."""
    spec = replace(SPEC, additional_services=(Service(name="s", config={"kind": "Node"}),))
    found = problems({"spec": {"suspend": "no"}, "grants": ["x"]}, spec)
    assert {
        "resource_args.kubernetes.spec.suspend",
        "resource_args.kubernetes.grants[0]",
        "additional_services[0].config.kind",
        "additional_services[0].config.apiVersion",
    } == found.keys()
    assert "none is named" in problems(None, LaunchSpec())["image_uri"]
    assert "collects no outputs" in problems(None, replace(SPEC, outputs=("*",)))["outputs"]


def test_protected_paths_are_patterns() -> None:
    """The server refuses what they name."""
    assert [check_pattern(pattern) for pattern in PROTECTED] == [None] * len(PROTECTED)


_WORDS = st.text("ab$( )", max_size=5)
_CONTAINER = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b", "c"])},
    optional={"image": _WORDS, "command": st.lists(_WORDS), "env": st.just([{"name": "X"}])},
)


@settings(max_examples=30)
@given(
    listed=st.lists(_CONTAINER, min_size=1, max_size=3, unique_by=lambda c: c["name"]),
    main=st.sampled_from(["a", "c", "none"]),
    args=st.lists(_WORDS, max_size=2),
)
def test_nothing_but_the_main_container_changes(
    listed: list[Any], main: str, args: list[str]
) -> None:
    """Whatever a launch says: sidecars keep their words, and nobody's document is changed."""
    config = {**job_of(listed), "main_container": main}
    before = copy_json(config)
    spec = replace(SPEC, overrides=Overrides(args=tuple(args), entry_point=("e",)))
    made = requested(config, spec)
    assert config == before
    now = at(pod_of(made.document), "containers")
    others = [c for c in now if c.get("command") != ["e"] or "LAUNCHYARD_ITEM" not in env_of(c)]
    assert len(others) == len(listed) - 1
    for container in others:
        assert {k: v for k, v in container.items() if k != "securityContext"} in listed
    assert requested(config, spec) == made


@settings(max_examples=50)
@given(text=st.text(max_size=80), attempt=st.integers(1, 9999))
def test_every_name_is_one_that_a_cluster_takes(text: str, attempt: int) -> None:
    """Deterministic, short enough, and letters where they have to be."""
    label = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
    for name in (target_name(text, text, attempt), dns_label(text), pull_secret_name(text)):
        assert label.fullmatch(name)
    assert target_name(text, FACTS.item, attempt) == target_name(text, FACTS.item, attempt)
