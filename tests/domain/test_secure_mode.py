"""What secure mode refuses, target by target."""

from __future__ import annotations

import pytest

from launchyard.domain.documents import Json
from launchyard.domain.review import Phase, Review
from launchyard.domain.secure_mode import violations


def rules(target: str, config: Json, spec: Json = None) -> list[str]:
    """Return the rules that a launch breaks."""
    image: dict[str, Json] = {"docker": {"docker_image": "train:1"}}
    whole: Json = image | spec if isinstance(spec, dict) else image
    review = Review(
        phase=Phase.PLAN, target=target, entity="e", queue="q", spec=whole, config=config
    )
    return [one.rule for one in violations(review)]


def pod(**spec: Json) -> Json:
    """Return a Job with a pod of this form."""
    return {"kind": "Job", "spec": {"template": {"spec": spec}}}


@pytest.mark.parametrize(
    ("config", "rule"),
    [
        (pod(hostPID=True), "hostPID"),
        (pod(hostIPC="true"), "hostIPC"),
        (pod(hostNetwork=1), "hostNetwork"),
        (pod(initContainers=[]), "initContainers"),
        (pod(serviceAccountName="admin"), "serviceAccountName"),
        (pod(volumes=[{"hostPath": {"path": "/"}}]), "hostPath"),
        (pod(containers=[{"image": "x", "command": ["sh"]}]), "command"),
        (pod(containers=[{"securityContext": {}}]), "securityContext"),
        (pod(containers=[{"ports": [{"hostPort": 80}]}]), "hostPort"),
        (pod(containers=[{"volumeMounts": [{"mountPropagation": "Bidirectional"}]}]),
         "mountPropagation"),
        ({"metadata": {"annotations": {"a/apparmor.x": "unconfined"}}}, "unconfined"),
    ],
)  # fmt: skip
def test_what_loosens_a_pod_is_refused(config: Json, rule: str) -> None:
    """Each way out of the container has its rule."""
    assert rules("kubernetes", config) == [rule]


def test_depth_does_not_matter() -> None:
    """A custom resource hides nothing, however deep its pods are."""
    config: Json = {"kind": "MPIJob", "spec": {"workers": [{"a": {"b": pod(hostPID=True)}}]}}
    assert rules("kubernetes", config) == ["hostPID"]


def test_a_privileged_container_is_refused_twice() -> None:
    """For its context, and for what the context says."""
    config = pod(containers=[{"securityContext": {"privileged": True}}])
    assert rules("kubernetes", config) == ["securityContext", "privileged"]


@pytest.mark.parametrize(
    "config", [pod(hostPID=False), pod(hostNetwork="no"), pod(serviceAccount="")]
)
def test_what_says_no_is_no_request(config: Json) -> None:
    """A key that is switched off loosens nothing."""
    assert rules("kubernetes", config) == []


@pytest.mark.parametrize("option", ["privileged", "--volume", "cap-add", "pid", "v", "net"])
def test_docker_has_a_list_of_harmless_options(option: str) -> None:
    """What is not known as harmless is refused."""
    assert rules("local-container", {option: "x"}) == ["docker_option"]


def test_harmless_docker_options_pass() -> None:
    """In each of their spellings."""
    assert rules("local-container", {"--shm_size": "1g", "GPUS": "all", "e": ["A=1"]}) == []


@pytest.mark.parametrize("target", ["kubernetes", "local-container", "local-process", "sagemaker"])
def test_the_entry_point_is_locked(target: str) -> None:
    """On every target; arguments are free."""
    spec: Json = {"overrides": {"entry_point": ["sh"], "args": ["x"]}}
    assert rules(target, {}, spec) == ["entry_point"]
    assert rules(target, {}, {"overrides": {"args": ["x"]}}) == []


def test_overrides_and_services_count() -> None:
    """What a launch lays over its queue is judged as what the queue says itself."""
    spec: Json = {
        "resource_args": {"kubernetes": pod(hostPID=True)},
        "additional_services": [{"name": "s", "config": pod(hostIPC=True)}],
    }
    assert rules("kubernetes", {}, spec) == ["hostPID", "hostIPC"]


def test_a_shell_is_refused() -> None:
    """A process's command is words and not a script."""
    assert rules("local-process", {"shell": True}) == ["shell"]
