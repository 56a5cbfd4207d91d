"""Template variables lock their places against every word of a launch that would replace them."""

from __future__ import annotations

import pytest

from launchyard.domain.config.problem import DocumentError
from launchyard.domain.documents import Json, dotted
from launchyard.domain.submission import QueueRules, judge
from launchyard.domain.targets.known import known_targets

IMAGE: Json = {"docker": {"docker_image": "other:1"}}
ARGS: Json = {"overrides": {"args": ["--steps=9999"]}}
WORDS: Json = {"overrides": {"entry_point": ["sh"], "args": ["-c", "true"]}}
SECRET: Json = {"secrets": [{"env": "SIZE", "from": "secret:s"}]}
CHOSEN: Json = {
    "n": {"type": "integer", "minimum": 1, "maximum": 10, "default": 2},
    "image": {"type": "string", "enum": ["a:1", "b:1"], "default": "a:1"},
}


def job(*containers: Json) -> dict[str, Json]:
    """Return a queue's configuration: a plain Job."""
    return {"kind": "Job", "spec": {"template": {"spec": {"containers": list(containers)}}}}


def refusals(resource: str, config: Json, launch: Json) -> dict[str, str]:
    """Return what is wrong with *launch*, by where it stands in it."""
    assert isinstance(launch, dict)
    launch = {"overrides": {"entry_point": ["x"]}, **launch}
    target = known_targets()[resource]
    queue = QueueRules(
        resource=resource, config=config, target=target, variables=CHOSEN, secrets=("s",)
    )
    try:
        judge(launch, queue)
    except DocumentError as e:
        return {dotted(problem.path): problem.message for problem in e.problems}
    return {}


MAIN: dict[str, Json] = {
    "image": "{{image}}",
    "command": ["train"],
    "args": ["--fast", "--steps={{n}}"],
    "env": [{"name": "SIZE", "value": "{{n}}"}, {"name": "LANG", "value": "C"}],
}
AT = "spec.template.spec.containers[0]"


@pytest.mark.parametrize(
    ("launch", "given", "place", "variable"),
    [
        (ARGS, "overrides.args", f"{AT}.args[1]", "n"),
        (IMAGE, "docker.docker_image", f"{AT}.image", "image"),
        ({"image_uri": "other:1"}, "image_uri", f"{AT}.image", "image"),
        ({"env": {"SIZE": "9999"}}, "env.SIZE", f"{AT}.env[0].value", "n"),
        (SECRET, "secrets[0]", f"{AT}.env[0].value", "n"),
    ],
)
def test_a_cluster_s_job_is_locked(launch: Json, given: str, place: str, variable: str) -> None:
    """The refusal names the launch's own words, and the place that they would replace."""
    message = f"override of `{place}` refused: template variable `{variable}` stands there"
    assert refusals("kubernetes", job(MAIN), launch) == {given: message}


@pytest.mark.parametrize(
    "launch",
    [
        {},
        {"env": {"LANG": "de"}},
        {"template_variables": {"n": 10, "image": "b:1"}},
    ],
)
def test_what_no_variable_stands_in_is_free(launch: Json) -> None:
    """A variable in one place of a container locks no other."""
    assert refusals("kubernetes", job(MAIN), launch) == {}


def test_only_the_container_that_is_the_job_is_locked() -> None:
    """A launch's words reach no other; nor may it move a lock by naming another container."""
    side: Json = {"name": "side", "image": "b:1", "args": ["--n={{n}}"]}
    main: Json = {"name": "job", "image": "b:1"}
    assert refusals("kubernetes", job(main, side), ARGS) == {}
    assert list(refusals("kubernetes", {**job(main, side), "main_container": "side"}, ARGS)) == [
        "overrides.args"
    ]
    moved: Json = {"kubernetes": {"main_container": "side"}}
    launch: Json = {"overrides": {"args": ["x"]}, "resource_args": moved}
    assert "overrides.args" in refusals("kubernetes", job(main, side), launch)


def test_an_image_that_a_launch_does_not_replace_is_not_in_its_way() -> None:
    """In a custom object the queue's own image stays."""
    pod: Json = {"spec": {"containers": [{"name": "pytorch", "image": "{{image}}"}]}}
    config: Json = {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "spec": {"pytorchReplicaSpecs": {"Master": {"template": pod}}},
    }
    assert refusals("kubernetes", config, IMAGE) == {}
    assert refusals("kubernetes", job({"image": "{{image}}"}), IMAGE) != {}


@pytest.mark.parametrize(
    ("config", "launch", "given"),
    [
        ({"entrypoint": ["train", "--steps={{n}}"]}, WORDS, ["overrides.entry_point"]),
        ({"--entrypoint": "train-{{n}}"}, WORDS, ["overrides.entry_point"]),
        ({"entrypoint": ["train", "--steps={{n}}"]}, ARGS, []),
        ({"entrypoint": ["train"], "cpus": "{{n}}"}, WORDS, []),
        ({"env": {"SIZE": "{{n}}"}}, SECRET, ["secrets[0]"]),
        ({"e": ["SIZE={{n}}"]}, SECRET, ["secrets[0]"]),
        ({"e": "SIZE={{n}}"}, SECRET, ["secrets[0]"]),
        ({"env": {"OTHER": "{{n}}"}}, SECRET, []),
    ],
)
def test_a_container_s_entry_point_is_locked(config: Json, launch: Json, given: list[str]) -> None:
    """However the queue's owner spelled the argument, and only where a variable stands in it."""
    assert isinstance(launch, dict)
    launch = {"docker": {"docker_image": "a:1"}, **launch}
    assert list(refusals("local-container", config, launch)) == given


def test_a_process_s_environment_is_locked() -> None:
    """What a launch says of its interpreter and requirements replaces the queue's."""
    config: Json = {"python": "3.1{{n}}", "requirements": "r{{n}}.txt", "env": {"SIZE": "{{n}}"}}
    assert refusals("local-process", config, {}) == {}
    more: dict[str, Json] = {"python_version": "3.9", "requirements": ["evil"]}
    assert isinstance(SECRET, dict)
    assert list(refusals("local-process", config, {**more, **SECRET})) == [
        "python_version",
        "requirements",
        "secrets[0]",
    ]
