"""What `plan` shows before anybody has claimed: the target's own request, or what is in the way."""

from __future__ import annotations

from typing import Any

import pytest

from launchyard.domain.config.problem import DocumentError
from launchyard.domain.documents import Json
from launchyard.domain.targets.preview import previews, unclaimed

IMAGE: dict[str, Any] = {
    "project": "p",
    "docker": {"docker_image": "team/train:1"},
    "overrides": {"args": ["--fast"]},
}


def shown(resource: str, spec: Json, config: Json) -> Any:
    """Return the request for a launch."""
    return previews()[resource](unclaimed("team", "q", resource, spec, config))


def test_a_container_is_shown_in_the_engine_s_words() -> None:
    """Image, command, limits and variables, as they would be sent."""
    request = shown("local-container", IMAGE, {"memory": "1g", "env": {"A": "1"}})
    assert request["Image"] == "team/train:1"
    assert request["Cmd"] == ["--fast"]
    assert request["HostConfig"]["Memory"] == 1024**3
    assert "A=1" in request["Env"]


def test_an_object_is_shown_as_the_cluster_gets_it() -> None:
    """A whole Job, made of the queue's part and the launch's."""
    request = shown("kubernetes", IMAGE, {"spec": {"backoffLimit": 0}})
    job = next(one for one in request["items"] if one["kind"] == "Job")
    assert job["apiVersion"] == "batch/v1"
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["args"]) == ("team/train:1", ["--fast"])


def test_all_that_goes_with_an_object_is_shown() -> None:
    """Pull secrets with their condition, secrets without their values, services by their names."""
    service = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}}
    spec = IMAGE | {
        "docker": {"docker_image": "reg.example/train:1"},
        "secrets": [{"env": "HF", "from": "secret:hf"}],
        "additional_services": [{"name": "db", "config": service}],
    }
    request = shown("kubernetes", spec, {"namespace": "ml"})
    pull, job, secret, beside = request["items"]
    assert request["kind"] == "List"
    assert pull["stringData"] == {".dockerconfigjson": '{"auths": "***"}'}, "a cluster takes it"
    assert "reg.example" in pull["metadata"]["annotations"]["launchyard.dev/only-if"]
    assert secret["stringData"] == {"LAUNCHYARD_TOKEN": "***", "HF": "***"}
    assert {one["metadata"]["namespace"] for one in request["items"]} == {"ml"}
    assert (secret["metadata"]["name"], beside["metadata"]["name"]) == ("<attempt>", "db-<attempt>")
    assert job["spec"]["suspend"] is True, "it waits for its service"


def test_secrets_are_asked_for_and_not_shown() -> None:
    """A launch with secrets can be shown by who does not know them."""
    spec = IMAGE | {"secrets": [{"env": "TOKEN", "from": "secret:hf"}]}
    request = shown("local-container", spec, {})
    assert not [one for one in request["Env"] if one.startswith("TOKEN")]


@pytest.mark.parametrize("resource", ["local-container", "kubernetes"])
def test_what_would_fail_says_why(resource: str) -> None:
    """A launch without an image has nothing to run."""
    with pytest.raises(DocumentError) as caught:
        shown(resource, {"project": "p", "overrides": {"entry_point": ["true"]}}, {})
    assert "image" in str(caught.value)
