"""A job's environment."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchyard.domain.environment import (
    INHERITED,
    JobFacts,
    WandbEndpoint,
    chunked,
    job_environment,
    public_environment,
    secret_environment,
)
from launchyard.domain.spec import Docker, LaunchSpec, Overrides

FACTS = JobFacts(
    item="item-1",
    attempt=2,
    queue="default",
    entity="team",
    run_id="abc12345",
    spec=LaunchSpec(entity="team", project="Digits"),
    queue_entity="team",
    agent={"LANG": "de_DE.UTF-8"},
    home="/job",
    tmp="/job/tmp",
    output="/job/outputs",
)


def test_the_whole_of_a_plain_jobs_environment() -> None:
    """Built from nothing: this is all, without an endpoint of W&B no key and no address."""
    assert job_environment(FACTS) == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/job",
        "LANG": "de_DE.UTF-8",
        "TMPDIR": "/job/tmp",
        "LAUNCHYARD_ITEM": "item-1",
        "LAUNCHYARD_ATTEMPT": "2",
        "LAUNCHYARD_QUEUE": "default",
        "LAUNCHYARD_ENTITY": "team",
        "LAUNCHYARD_OUTPUT": "/job/outputs",
        "WANDB_PROJECT": "digits",
        "WANDB_ENTITY": "team",
        "WANDB_LAUNCH": "True",
        "WANDB_RUN_ID": "abc12345",
        "WANDB_LAUNCH_QUEUE_NAME": "default",
        "WANDB_LAUNCH_QUEUE_ENTITY": "team",
        "WANDB_LAUNCH_TRACE_ID": "item-1",
        "WANDB_CONFIG": "{}",
        "WANDB_LAUNCH_FILE_OVERRIDES": "{}",
        "WANDB_ARTIFACTS": "{}",
    }


@given(st.dictionaries(st.text(min_size=1) | st.sampled_from(INHERITED), st.text()))
def test_nothing_else_of_the_agent_gets_in(agent: dict[str, str]) -> None:
    """Whatever the agent's environment holds, a job has the same variables and what it inherits."""
    made = set(job_environment(replace(FACTS, agent=agent)))
    inherited = {name for name in INHERITED if agent.get(name)}
    assert made == set(job_environment(FACTS)) | inherited


def test_proxies_and_certificates_get_in() -> None:
    """Without them a job behind a proxy cannot fetch its data."""
    agent = {"HTTPS_PROXY": "http://p:3128", "no_proxy": "x", "SSL_CERT_FILE": "/ca", "KEY": "k"}
    made = job_environment(replace(FACTS, agent=agent))
    assert {k: v for k, v in agent.items() if k != "KEY"}.items() <= made.items()
    assert "KEY" not in made
    assert made["LANG"] == "C.UTF-8"


def test_a_job_may_change_the_basics_but_not_what_ties_it_to_its_item() -> None:
    """Declared variables win over PATH and its like, and lose against ours."""
    declared = {"PATH": "/opt", "EPOCHS": "3", "LAUNCHYARD_ITEM": "x", "WANDB_RUN_ID": "y"}
    made = job_environment(replace(FACTS, declared=declared))
    assert (made["PATH"], made["EPOCHS"]) == ("/opt", "3")
    assert (made["LAUNCHYARD_ITEM"], made["WANDB_RUN_ID"]) == ("item-1", "abc12345")


def test_an_image_keeps_its_own_path_and_home() -> None:
    """A container target leaves these empty, so they are not set at all."""
    made = job_environment(replace(FACTS, path="", home="", tmp="", output=""))
    assert not {"PATH", "HOME", "TMPDIR", "LAUNCHYARD_OUTPUT"} & set(made)


def test_everything_that_wandb_says_of_a_run() -> None:
    """Each key of the spec that W&B's SDK wants to know reaches it under its name."""
    spec = LaunchSpec(
        entity="ent",
        docker=Docker(image="busybox:1"),
        name="first",
        author="me",
        sweep_id="s1",
        resume_count=1,
        overrides=Overrides(run_config={"lr": 0.1}, files={"a": 1}, artifacts={"d": 2}),
    )
    endpoint = WandbEndpoint(base_url="http://wandb.invalid", api_key="k")
    made = job_environment(replace(FACTS, spec=spec, wandb=endpoint))
    expected = {
        "WANDB_BASE_URL": "http://wandb.invalid",
        "WANDB_API_KEY": "k",
        "WANDB_ENTITY": "ent",
        "WANDB_DOCKER": "busybox:1",
        "WANDB_NAME": "first",
        "WANDB_USERNAME": "me",
        "WANDB_SWEEP_ID": "s1",
        "WANDB_RESUME": "allow",
        "WANDB_CONFIG": '{"lr": 0.1}',
        "WANDB_LAUNCH_FILE_OVERRIDES": '{"a": 1}',
        "WANDB_ARTIFACTS": '{"d": 2}',
    }
    assert expected.items() <= made.items()
    assert "WANDB_PROJECT" not in made


def test_the_owner_of_the_key_is_the_user() -> None:
    """With the submitter's own key W&B knows who it is; a name beside it would contradict."""
    endpoint = WandbEndpoint(base_url="u", api_key="k", own_key=True)
    facts = replace(FACTS, spec=LaunchSpec(author="me"), wandb=endpoint)
    assert "WANDB_USERNAME" not in job_environment(facts)


def test_our_own_server_takes_the_runs_of_a_job() -> None:
    """At the address that the job itself knows, with its token, and in its item's entity."""
    spec = LaunchSpec(entity="elsewhere", author="me")
    facts = replace(FACTS, spec=spec, server="http://here", wandb=WandbEndpoint(ours=True))
    made = job_environment(facts)
    assert (made["WANDB_BASE_URL"], made["WANDB_ENTITY"]) == ("http://here", "team")
    assert made["WANDB_USERNAME"] == "me"


def test_a_job_artifact_is_named_as_an_input() -> None:
    """W&B's SDK marks the job as used by the run; artifacts of the overrides may replace it."""
    spec = LaunchSpec(job="e/p/j:v1", overrides=Overrides(artifacts={"data": "x"}))
    artifacts = job_environment(replace(FACTS, spec=spec))["WANDB_ARTIFACTS"]
    assert json.loads(artifacts) == {"_wandb_job": "e/p/j:v1", "data": "x"}


@given(st.text(), st.integers(1, 20))
def test_slices_join_to_the_value(value: str, limit: int) -> None:
    """A reader joins from 0 to the first gap; no slice is longer than the limit."""
    made = chunked("X", value, limit)
    assert all(len(part) <= limit for part in made.values())
    if len(value) <= limit:
        assert made == {"X": value}
    else:
        assert "X" not in made
        assert "".join(made[f"X_{index}"] for index in range(len(made))) == value


def test_a_long_configuration_is_sliced() -> None:
    """SageMaker takes 512 characters, the rest 32670."""
    spec = LaunchSpec(overrides=Overrides(run_config={"x": "y" * 600}))
    assert "WANDB_CONFIG" in job_environment(replace(FACTS, spec=spec))
    made = job_environment(replace(FACTS, spec=spec, chunk=512))
    assert json.loads(made["WANDB_CONFIG_0"] + made["WANDB_CONFIG_1"]) == {"x": "y" * 600}
    with pytest.raises(ValueError, match="limit of 0"):
        chunked("X", "", 0)


def test_secrets_stand_apart() -> None:
    """Plan and journal hold the public part; both together are the environment."""
    facts = replace(
        FACTS,
        server="http://s",
        token="attempt-token",  # noqa: S106
        wandb=WandbEndpoint(base_url="u", api_key="wandb-key"),
        agent={"HTTPS_PROXY": "http://me:pw@p:3128", "HTTP_PROXY": "http://p:3128"},
    )
    public, secret = public_environment(facts), secret_environment(facts)
    assert set(secret) == {"LAUNCHYARD_TOKEN", "WANDB_API_KEY", "HTTPS_PROXY"}
    assert not set(public) & set(secret)
    assert {**public, **secret} == job_environment(facts)
    assert "attempt-token" not in repr(facts)
    assert "wandb-key" not in repr(facts)
