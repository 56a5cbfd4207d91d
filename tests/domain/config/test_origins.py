"""Flags over environment over file over defaults, and every value says where it is from."""

from __future__ import annotations

import pytest

from launchyard.domain.config.show import as_document, with_origins
from launchyard.domain.documents import Json

from .kit import checked, config

FILE: Json = {"max_jobs": 2, "queues": ["a"], "operations": {"port": 9000}}


def test_each_source_is_stronger_than_the_one_before() -> None:
    """One key, four sources."""
    environment = {"WANDB_LAUNCH_MAX_JOBS": "3"}
    flags: dict[str, Json] = {"--max-jobs": 4}
    results = [
        checked(None),
        checked(FILE),
        checked(FILE, environment),
        checked(FILE, environment, flags),
    ]
    told = [(r.config.max_jobs, str(r.config.origin("max_jobs"))) for r in results if r.config]
    assert told == [
        (1, "default"),
        (2, "c.yaml:1"),
        (3, "env:WANDB_LAUNCH_MAX_JOBS"),
        (4, "flag:--max-jobs"),
    ]


def test_our_variable_is_stronger_than_a_borrowed_one() -> None:
    """`LAUNCHYARD_AGENT_…` exists for every key and wins over W&B's."""
    environment = {
        "WANDB_ENTITY": "theirs",
        "LAUNCHYARD_AGENT_ENTITY": "ours",
        "LAUNCHYARD_AGENT_BUILDER_TYPE": "venv",
        "LAUNCHYARD_AGENT_QUEUES": "a, b",
        "LAUNCHYARD_AGENT_OPERATIONS_PORT": "9461",
    }
    made = config(FILE, environment=environment)
    assert (made.entity, made.builder.type, made.queues) == ("ours", "venv", ("a", "b"))
    assert made.operations.port == 9461


def test_flags_that_were_not_given_count_for_nothing() -> None:
    """The command line hands over what it parsed, given or not."""
    flags: dict[str, Json] = {"--queue": [], "--verbose": 0, "--entity": None, "--max-jobs": "7"}
    result = checked({"verbosity": 1, "queues": ["a"]}, {}, flags)
    assert result.config is not None
    assert (result.config.verbosity, result.config.queues) == (1, ("a",))
    assert result.config.max_jobs == 7


def test_queue_flags_replace_the_list() -> None:
    """As with `wandb launch-agent`."""
    result = checked(FILE, {}, {"--queue": ["x", "y"]})
    assert result.config is not None
    assert result.config.queues == ("x", "y")


def test_a_clouds_own_variable_is_asked_last() -> None:
    """AWS_REGION helps out where neither file nor our variables name a region."""
    environment = {"AWS_REGION": "eu-west-1", "GOOGLE_CLOUD_REGION": "europe-west4"}
    made = config({"environment": {"type": "aws"}}, environment=environment)
    assert made.environment.region == "eu-west-1"
    assert str(made.origin("environment", "region")) == "env:AWS_REGION"
    written: Json = {"environment": {"type": "aws", "region": "us-east-1"}}
    assert config(written, environment=environment).environment.region == "us-east-1"
    assert config({}, environment=environment).environment.region is None


def test_bad_variables_and_flags_are_told_by_their_names() -> None:
    """A wrong value is as wrong in the environment; a name nobody reads is told with a guess."""
    environment = {"LAUNCHYARD_AGENT_MAX_BUILDS": "many", "LAUNCHYARD_AGENT_MAX_JOB": "1"}
    result = checked({}, environment, {"--max-jbos": 1})
    assert [(p.where, p.severity) for p in result.problems] == [
        ("env:LAUNCHYARD_AGENT_MAX_JOB", "warning"),
        ("flag:--max-jbos", "error"),
        ("env:LAUNCHYARD_AGENT_MAX_BUILDS", "error"),
    ]
    assert "`LAUNCHYARD_AGENT_MAX_JOBS`" in result.problems[0].hint
    assert "`--max-jobs`" in result.problems[1].hint


def test_a_bad_file_value_is_told_although_a_flag_overrides_it() -> None:
    """The next start may lack the flag."""
    assert checked({"max_jobs": "x"}, {}, {"--max-jobs": 1}).errors


def test_the_configuration_can_be_given_back() -> None:
    """`config show` prints what is in force, and its origin on request."""
    result = checked(FILE, {"WANDB_ENTITY": "me"})
    document = as_document(result.settings)
    assert document["entity"] == "me"
    assert document["operations"] == {"host": "127.0.0.1", "port": 9000}
    assert checked(document).config is not None
    rows = with_origins(result.settings)
    assert ("operations.port", "9000", "c.yaml:5") in rows
    assert ("entity", "me", "env:WANDB_ENTITY") in rows
    assert ("max_builds", "2", "default") in rows


@pytest.mark.parametrize("name", ["LAUNCHYARD_CONTAINER", "KUBERNETES_SERVICE_HOST", "container"])
def test_a_container_has_a_default_of_its_own(name: str) -> None:
    """Jobs of a container end with it, so its agent waits for them; a key of ours is stronger."""
    inside = {name: "1"}
    made = config(None, inside)
    assert made.host_bound_on_exit == "wait"
    assert str(made.origin("host_bound_on_exit")) == f"env:{name}"
    assert config({"host_bound_on_exit": "leave"}, inside).host_bound_on_exit == "leave"
    assert config(None).host_bound_on_exit == "leave"
