"""What a submit puts on a queue, and what it refuses with which path."""

from __future__ import annotations

from dataclasses import replace

import pytest

from launchyard.domain.config.problem import DocumentError
from launchyard.domain.documents import Json, dotted
from launchyard.domain.priority import Priority, QueueMode
from launchyard.domain.spec import parse_spec
from launchyard.domain.submission import (
    QueueRules,
    check_queue,
    judge,
    unwrapped,
)
from launchyard.domain.targets.known import known_targets

LOCAL = "local-process"
QUEUE = QueueRules(
    resource=LOCAL, config={"env": {"A": "1"}, "timeout": "1h"}, target=known_targets()[LOCAL]
)
SPEC: dict[str, Json] = {"overrides": {"entry_point": ["true"]}}
KEY = "k" * 40


def refusals(document: Json, queue: QueueRules = QUEUE) -> list[str]:
    """Return the paths of all that is wrong."""
    with pytest.raises(DocumentError) as caught:
        judge(document, queue)
    return [dotted(problem.path) for problem in caught.value.problems]


def test_the_queue_gives_the_resource_and_overrides_are_merged() -> None:
    """Arguments and variables of the launch lie over the queue's configuration."""
    args: Json = {LOCAL: {"shell": True, "env": {"B": "2"}}}
    done = judge({**SPEC, "resource_args": args, "env": {"C": "3"}}, QUEUE)
    assert done.document["resource"] == LOCAL
    env = {"A": "1", "B": "2", "C": "3"}
    assert done.merged == {"env": env, "timeout": "1h", "shell": True}


def test_what_is_stored_is_the_launch_alone() -> None:
    """The queue's configuration is not mixed into the spec; the agent puts them together."""
    done = judge({**SPEC, "env": {"C": "3"}}, QUEUE)
    assert done.document["env"] == {"C": "3"}
    assert parse_spec(done.document) == done.spec


def test_nulls_at_the_top_are_no_words() -> None:
    """Stock clients send `docker: null`."""
    assert judge({**SPEC, "docker": None, "resource": None}, QUEUE).document == (
        judge(SPEC, QUEUE).document
    )


def test_a_wandb_key_becomes_a_secret() -> None:
    """It is in neither the stored document nor any repr."""
    done = judge({**SPEC, "_wandb_api_key": KEY}, QUEUE)
    assert done.secrets == {"WANDB_API_KEY": KEY}
    assert KEY not in repr(done)
    assert KEY not in str(done.document)


@pytest.mark.parametrize(
    ("change", "paths"),
    [
        ({"resource": "kubernetes"}, ["resource"]),
        ({"overrides": {}}, ["overrides.entry_point"]),
        ({"resource_args": {LOCAL: {"timeout": "9h"}}}, [f"resource_args.{LOCAL}.timeout"]),
        ({"resource_args": {LOCAL: {"timeout": None}}}, [f"resource_args.{LOCAL}.timeout"]),
        ({"resource_args": {LOCAL: {"shel": True}}}, [f"resource_args.{LOCAL}.shel"]),
        ({"secrets": [{"env": "HF", "from": "secret:hf"}]}, ["secrets[0]"]),
    ],
)
def test_a_refusal_names_its_path(change: dict[str, Json], paths: list[str]) -> None:
    """The submitter sees which words to change."""
    assert refusals({**SPEC, **change}) == paths


def test_overridable_is_a_queue_s_own_list() -> None:
    """With a list only what it names may change, variables included."""
    queue = replace(QUEUE, overridable=("env.B", "timeout"))
    args: Json = {LOCAL: {"timeout": "2h"}}
    assert judge({**SPEC, "resource_args": args, "env": {"B": "2"}}, queue).merged
    assert refusals({**SPEC, "env": {"C": "3"}}, queue) == ["env.C"]


def test_a_target_that_the_server_does_not_know_is_not_checked() -> None:
    """An agent's plugin may know it."""
    queue = QueueRules(resource="slurm", config={"partition": "a"})
    done = judge({**SPEC, "resource_args": {"slurm": {"partition": "b"}}}, queue)
    assert done.merged == {"partition": "b"}


def test_arguments_of_another_target_are_a_warning() -> None:
    """A spec may be written for several queues."""
    done = judge({**SPEC, "resource_args": {"kubernetes": {}}}, QUEUE)
    assert [dotted(warning.path) for warning in done.warnings] == ["resource_args.kubernetes"]


def test_a_queue_is_checked_too() -> None:
    """Patterns and configuration, each problem with its path."""
    queue = replace(QUEUE, config={"nice": 99}, overridable=("a", "..b"))
    paths = [dotted(problem.path) for problem in check_queue(queue)]
    assert paths == ["overridable[1]", f"resource_args.{LOCAL}.nice"]
    assert check_queue(replace(QUEUE, config=["a"]))[0].path == ("config",)


def test_a_wrapped_configuration_is_unwrapped() -> None:
    """As W&B writes it; anything else stays as it is."""
    assert unwrapped({"resource_args": {LOCAL: {"nice": 1}}}, LOCAL) == {"nice": 1}
    assert unwrapped({"resource_args": {"other": {}}}, LOCAL) == {"resource_args": {"other": {}}}
    assert unwrapped(None, LOCAL) == {}


CHOICE = replace(
    QUEUE,
    config={"env": {"SIZE": "{{size}}"}, "nice": "{{nice}}", "timeout": "1h"},
    variables={
        "nice": {"type": "integer", "minimum": 0, "maximum": 19},
        "size": {"type": "string", "enum": ["s", "l"], "default": "s"},
    },
)


def test_template_values_fill_the_queue_and_travel_with_the_launch() -> None:
    """Typed where the placeholder stands alone; defaults are put in for the agent, too."""
    done = judge({**SPEC, "template_variables": {"nice": 5}}, CHOICE)
    assert done.merged == {"env": {"SIZE": "s"}, "nice": 5, "timeout": "1h"}
    assert done.document["template_variables"] == {"nice": 5, "size": "s"}


def test_variables_lock_the_places_they_stand_in() -> None:
    """The refusal names path and rule, whichever way the override was given."""
    chosen: Json = {"nice": 5}
    args: Json = {LOCAL: {"nice": 19, "shell": True}}
    document: Json = {**SPEC, "template_variables": chosen, "resource_args": args}
    with pytest.raises(DocumentError) as caught:
        judge(document, CHOICE)
    [problem] = caught.value.problems
    assert dotted(problem.path) == f"resource_args.{LOCAL}.nice"
    assert problem.message == "override of `nice` refused: template variable `nice` stands there"
    wanted: dict[str, Json] = {**SPEC, "template_variables": chosen, "env": {"SIZE": "xl"}}
    assert refusals(wanted, CHOICE) == ["env.SIZE"]


def test_values_and_priority_are_judged_together() -> None:
    """All that is wrong is told at once."""
    wanted: dict[str, Json] = {
        **SPEC,
        "template_variables": {"nice": 20, "siz": "s"},
        "priority": 0,
    }
    assert refusals(wanted, CHOICE) == [
        "template_variables.siz",
        "template_variables.nice",
        "priority",
    ]
    urgent = replace(QUEUE, mode=QueueMode.PRIORITY)
    assert judge({**SPEC, "priority": 0}, urgent).priority is Priority.CRITICAL
    assert judge({**SPEC, "priority": 0}, urgent, "low").priority is Priority.LOW


def test_a_queue_with_variables_is_checked_with_values_of_theirs() -> None:
    """A placeholder for a number is no slip; other settings are still looked at."""
    assert check_queue(CHOICE) == ()
    wrong: Json = {"nice": "{{nise}}", "env": {}}
    assert [dotted(p.path) for p in check_queue(replace(CHOICE, config=wrong))] == ["config.nice"]
    wrong = {"nice": "{{nice}}", "timeout": []}
    assert [dotted(p.path) for p in check_queue(replace(CHOICE, config=wrong))] == [
        f"resource_args.{LOCAL}.timeout"
    ]


def test_a_secret_that_the_entity_keeps_is_taken() -> None:
    """Only its name is in what goes on the queue; a slip gets the name that was meant."""
    queue = replace(QUEUE, secrets=("hf-token",))
    asked: Json = [{"env": "HF", "from": "secret:hf-token"}]
    assert judge({**SPEC, "secrets": asked}, queue).document["secrets"] == asked
    slip: Json = [{"env": "HF", "from": "secret:hf_tokn"}]
    with pytest.raises(DocumentError) as e:
        judge({**SPEC, "secrets": slip}, queue)
    assert [problem.hint for problem in e.value.problems] == ["did you mean `hf-token`?"]


def test_one_variable_has_one_value() -> None:
    """A W&B key beside a secret for the same variable is a contradiction."""
    queue = replace(QUEUE, secrets=("w",))
    asked: Json = [{"env": "WANDB_API_KEY", "from": "secret:w"}]
    assert refusals({**SPEC, "secrets": asked, "_wandb_api_key": KEY}, queue) == ["_wandb_api_key"]
