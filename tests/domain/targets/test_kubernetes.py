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

from launchyard.domain.documents import Json, copy_json
from launchyard.domain.naming import target_name
from launchyard.domain.spec import Overrides
from launchyard.domain.targets.kubernetes_plan import Submit
from launchyard.domain.targets.kubernetes_pods import MAIN
from launchyard.domain.targets.kubernetes_pulls import pull_secret_name
from launchyard.domain.targets.kubernetes_request import create_request
from launchyard.domain.targets.kubernetes_services import dns_label
from launchyard.domain.targets.kubernetes_shown import shown_request
from tests.domain.targets.kubernetes_kit import (
    FACTS,
    LABELS,
    MASTER,
    SPEC,
    TORCH,
    WORKER,
    at,
    env_of,
    job_of,
    main_of,
    planned,
    pod_of,
    requested,
)


def test_a_launch_alone_is_a_whole_job() -> None:
    """Nothing has to be written: image, words, one run, a fence, and whose it is."""
    made = create_request(planned(), Submit(name="x")).document
    container = at(made, "spec", "template", "spec", "containers", 0)
    container.pop("env")
    assert made == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "x", "labels": {}},
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


@pytest.mark.parametrize(
    "said",
    [
        {"backoffLimit": 2, "template": {"spec": {"restartPolicy": "Never"}}},
        {"backoffLimitPerIndex": 1, "completionMode": "Indexed", "completions": 3},
    ],
)
def test_the_clusters_retries_are_the_owners_to_ask_for(said: dict[str, Json]) -> None:
    """What people write wins: with a limit of theirs, a lost pod is the cluster's to replace.

    Of a limit for each index the cluster makes a limit for all that is never reached.
    """
    made = at(planned({"spec": said}).document, "spec")
    assert made.get("backoffLimit") == said.get("backoffLimit")
    assert made.get("backoffLimitPerIndex") == said.get("backoffLimitPerIndex")
    assert made["template"]["spec"]["restartPolicy"] == "Never"
    assert "podFailurePolicy" not in made


def test_no_object_goes_before_its_end_is_recorded() -> None:
    """A cluster that clears up takes it from an agent that is away; Kubeflow has its own place."""
    keys: dict[str, Json] = {"ttlSecondsAfterFinished": 60}
    assert "ttlSecondsAfterFinished" not in at(planned({"spec": keys}).document, "spec")
    torch = copy_json(TORCH)
    at(torch, "spec")["runPolicy"] = {**keys, "cleanPodPolicy": "None"}
    assert at(planned(torch).document, "spec", "runPolicy") == {"cleanPodPolicy": "None"}
    head: Json = {"template": {"spec": {"containers": [{"image": "ray"}]}}}
    ray: Json = {"apiVersion": "ray.io/v1", "kind": "RayJob", "spec": {**keys, "head": head}}
    assert at(planned(ray).document, "spec", "ttlSecondsAfterFinished") == 60


def test_a_long_grace_is_the_pods_own() -> None:
    """A cluster's garbage collector knows nothing else; what people write stays as it is."""
    key = "terminationGracePeriodSeconds"
    assert pod_of(planned({"cancel_grace": 90.5}).document)[key] == 91
    assert key not in pod_of(planned({"cancel_grace": 30}).document)
    own = job_of([{}], **{key: 5})
    assert pod_of(planned({**own, "cancel_grace": 90}).document)[key] == 5
    made = planned({**TORCH, "cancel_grace": 90}).document
    assert [at(made, *place[:-1])[key] for place in (MASTER, WORKER)] == [90, 90]


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
    config: Json = {
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
