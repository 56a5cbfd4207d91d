"""What the agent asks of the local-process target before anything is started."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from launchyard.adapters.local.runner import LocalConfig, LocalRunner
from launchyard.adapters.local.target import LocalTarget, LocalTargetConfig
from launchyard.domain.attempt import AttemptState
from launchyard.domain.config.problem import DocumentError
from launchyard.domain.exchange import ItemGrant
from launchyard.domain.item import ItemState
from launchyard.domain.lease import Token
from launchyard.ports.builder import BuildRequest, Built
from launchyard.ports.target import HostSpec, PlanInput, Planned

COMMAND: Any = {"overrides": {"entry_point": ["python", "train.py"]}}
GRANT = ItemGrant(
    item="0190",
    attempt=2,
    token=Token(0, 1),
    entity="team",
    queue="main",
    resource="local-process",
    spec=COMMAND,
    queue_config=None,
    submitter="ann",
    run_id="run-1",
    enqueued_at_ms=0,
    state=ItemState.CLAIMED,
    attempt_state=AttemptState.CLAIMED,
)
AGENT = {"LANG": "en_GB.UTF-8", "DATA": "/data", "MY_TOKEN": "s3cr3t", "HOME": "/root"}


def target(folder: Path) -> LocalTarget:
    """Return a target of an agent with a few variables."""
    host = HostSpec(name="run-local", entry="module:function", spec=None)
    return LocalTarget(
        LocalTargetConfig(root=str(folder), host=host, server="http://server", environment=AGENT)
    )


def plan(folder: Path, spec: Any = None, config: Any = None, **more: Any) -> Planned:
    """Plan an attempt."""
    grant = replace(GRANT, spec={**COMMAND, **(spec or {})}, queue_config=config, **more)
    return target(folder).plan(PlanInput(grant=grant, name="ly-abc-a2", folder="/jobs/ly-abc-a2"))


def test_it_reaches_what_its_runner_reaches(tmp_path: Path) -> None:
    """Both name one scope, or an agent would not take its own jobs up again."""
    assert target(tmp_path).scope == LocalRunner(LocalConfig(root=str(tmp_path))).scope()
    assert target(tmp_path).host_bound


def test_a_plan_knows_the_job_and_travels(tmp_path: Path) -> None:
    """Variables of the job are there, the agent's own are not; the plan goes to the host."""
    planned = plan(tmp_path)
    env = planned.plan.env
    assert env["LAUNCHYARD_ITEM"] == "0190"
    assert env["LAUNCHYARD_ATTEMPT"] == "2"
    assert env["LAUNCHYARD_SERVER"] == "http://server"
    assert env["HOME"] == "/jobs/ly-abc-a2"
    assert "DATA" not in env
    assert pickle.loads(pickle.dumps(planned)) == planned  # noqa: S301 - our own bytes


def test_macros_are_resolved_once_and_secrets_stay(tmp_path: Path) -> None:
    """The queue may name the agent's variables, but not what looks like a credential."""
    config = {"env": {"A": "${DATA}/${run_id}", "B": "${MY_TOKEN}", "C": "${nothing}"}}
    planned = plan(tmp_path, {"overrides": COMMAND["overrides"]}, config)
    assert planned.plan.env["A"] == "/data/run-1"
    assert planned.plan.env["B"] == "${MY_TOKEN}"
    assert len(planned.findings) == 2
    assert "looks like a credential" in planned.findings[0]


def test_a_launch_lays_its_variables_over_the_queues(tmp_path: Path) -> None:
    """Its own win; what it writes is literal."""
    config = {"resource_args": {"local-process": {"env": {"A": "queue", "B": "queue"}}}}
    args = {"resource_args": {"local-process": {"env": {"A": "${DATA}"}, "nice": 3}}}
    planned = plan(tmp_path, args, config)
    assert planned.plan.env["A"] == "${DATA}"
    assert planned.plan.env["B"] == "queue"
    assert planned.plan.nice == 3


def test_a_source_is_fetched_and_built(tmp_path: Path) -> None:
    """An archive goes into the job's folder, and the virtual environment is made from it."""
    planned = plan(tmp_path, {"source": {"archive": "a" * 64}})
    assert planned.build is not None
    assert planned.build.into == planned.plan.work
    assert planned.build.builder == "venv"
    assert planned.build.request == BuildRequest(name="ly-abc-a2", source=planned.plan.work)
    built = target(tmp_path).with_built(planned.plan, Built(path="/venvs/x"), planned.plan.work)
    assert built.env["PATH"].startswith("/venvs/x/bin:")


def test_a_source_in_a_sub_folder_runs_there(tmp_path: Path) -> None:
    """A git source may name one; the launch's working folder counts from it."""
    git = {"git": {"url": "https://example.com/code.git", "path": "models/a"}}
    in_data = {**COMMAND["overrides"], "working_dir": "data"}
    planned = plan(tmp_path, {"source": git, "overrides": in_data})
    fetched = f"{planned.plan.work}/models/a"
    assert target(tmp_path).with_built(planned.plan, Built(), fetched).cwd == f"{fetched}/data"


def test_nothing_is_built_for_a_bare_command(tmp_path: Path) -> None:
    """A command of the machine's own starts at once."""
    planned = plan(tmp_path)
    assert planned.build is None
    assert target(tmp_path).with_built(planned.plan, Built(), "") == planned.plan


def test_what_it_cannot_do_is_told(tmp_path: Path) -> None:
    """An image is for another target; a setting that it has not is a problem with its place."""
    with pytest.raises(DocumentError, match="runs no container images"):
        plan(tmp_path, {"docker": {"docker_image": "busybox"}})
    with pytest.raises(DocumentError, match="has no setting `nicee`"):
        plan(tmp_path, config={"nicee": 1})


def test_limits_are_told_to_the_agent(tmp_path: Path) -> None:
    """The agent ends what runs too long, so it has to know."""
    planned = plan(tmp_path, config={"timeout": 60, "cancel_grace": 2, "log_quota": 1000})
    assert (planned.run_s, planned.grace_s, planned.log_quota_b) == (60, 2, 1000)


def test_template_values_are_put_in_before_overrides(tmp_path: Path) -> None:
    """The values stand in the launch; both they and the overrides are literal."""
    config = {"nice": "{{nice}}", "env": {"A": "{{who}}", "B": "${run_id}", "C": "x"}}
    spec = {
        "template_variables": {"nice": 7, "who": "${run_id}{{nice}}"},
        "env": {"C": "{{nice}}"},
    }
    made = plan(tmp_path, spec, config).plan
    assert made.nice == 7
    assert (made.env["A"], made.env["B"]) == ("${run_id}{{nice}}", "run-1")
    assert made.env["C"] == "{{nice}}"


def test_what_a_claim_gives_is_laid_over_the_plan(tmp_path: Path) -> None:
    """Secrets, a W&B key of the submitter's own and the attempt's token; the plan has none."""
    given = {"HF": "s3cret-1", "WANDB_API_KEY": "s3cret-2", "LAUNCHYARD_TOKEN": "s3cret-3"}
    asked = {"secrets": [{"env": "HF", "from": "secret:hf"}], "author": "ann"}
    planned = plan(tmp_path, asked, secrets=given)
    assert planned.secrets == given
    assert "s3cret" not in repr(planned.plan)
    assert "WANDB_USERNAME" not in planned.plan.env


def test_a_secret_of_the_entity_may_be_the_wandb_key(tmp_path: Path) -> None:
    """It is a variable like any other then."""
    asked = {"secrets": [{"env": "WANDB_API_KEY", "from": "secret:wandb"}], "author": "ann"}
    planned = plan(tmp_path, asked, secrets={"WANDB_API_KEY": "s3cret"})
    assert planned.secrets == {"WANDB_API_KEY": "s3cret"}
    assert planned.plan.env["WANDB_USERNAME"] == "ann"


def test_our_server_takes_the_runs_unless_somebody_else_does(tmp_path: Path) -> None:
    """The token is the key for them; who names a W&B server in launch or queue reports there."""
    given = {"LAUNCHYARD_TOKEN": "s3cret-3"}
    planned = plan(tmp_path, secrets=given)
    assert planned.plan.env["WANDB_BASE_URL"] == "http://server"
    assert planned.secrets == given | {"WANDB_API_KEY": "s3cret-3"}
    elsewhere: list[dict[str, Any]] = [
        {"spec": {"env": {"WANDB_BASE_URL": "http://theirs"}}},
        {"spec": {"secrets": [{"env": "WANDB_API_KEY", "from": "secret:w"}]}},
        {"config": {"env": {"WANDB_MODE": "offline"}}},
    ]
    for one in elsewhere:
        planned = plan(tmp_path, **one, secrets=given | {"WANDB_API_KEY": "s3cret-4"})
        assert planned.plan.env.get("WANDB_BASE_URL") != "http://server"
        assert planned.secrets.get("WANDB_API_KEY") != "s3cret-3"


def test_a_secret_without_a_value_is_told_by_its_name(tmp_path: Path) -> None:
    """It was removed after the launch; the job does not start without it."""
    asked = {"secrets": [{"env": "HF", "from": "secret:hf"}]}
    with pytest.raises(DocumentError, match="no value for `hf` any more"):
        plan(tmp_path, asked, secrets={"LAUNCHYARD_TOKEN": "t"})
