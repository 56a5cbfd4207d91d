"""Planning an attempt as a process of this machine."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from launchyard.domain.config.problem import DocumentError
from launchyard.domain.documents import Json, dotted
from launchyard.domain.environment import JobFacts, WandbEndpoint
from launchyard.domain.merge import check_pattern
from launchyard.domain.spec import (
    ArchiveSource,
    Docker,
    JobSource,
    LaunchSpec,
    Overrides,
    SecretRef,
    Service,
)
from launchyard.domain.targets.local import (
    LocalContext,
    LocalDefaults,
    LocalPlan,
    VenvRequest,
    in_venv,
    plan_local,
)
from launchyard.domain.targets.local_config import FIELDS, PROTECTED

ARCHIVE = ArchiveSource("0" * 64)
SPEC = LaunchSpec(
    entity="team",
    code=ARCHIVE,
    overrides=Overrides(entry_point=("python", "train.py"), args=("--name", "a b")),
)
FACTS = JobFacts(
    item="i",
    attempt=1,
    queue="q",
    entity="team",
    run_id="r",
    spec=SPEC,
    server="http://127.0.0.1:8080",
    token="attempt-token",  # noqa: S106
    wandb=WandbEndpoint(base_url="http://w", api_key="wandb-key"),
)
CONTEXT = LocalContext(name="ly-abc-a1", folder="/state/jobs/ly-abc-a1", facts=FACTS)


def planned(config: Json = None, spec: LaunchSpec = SPEC) -> LocalPlan:
    """Plan *spec* on a queue with *config*."""
    return plan_local(spec, config, CONTEXT)


def words(spec: LaunchSpec, entry_point: tuple[str, ...], *args: str) -> LaunchSpec:
    """Return *spec* with another command."""
    overrides = replace(spec.overrides, entry_point=entry_point, args=args)
    return replace(spec, overrides=overrides)


def problems(config: Json, spec: LaunchSpec = SPEC) -> dict[str, str]:
    """Map the path of every problem to what is said about it."""
    with pytest.raises(DocumentError) as caught:
        planned(config, spec)
    return {
        dotted(p.path): f"{p.message} {p.allowed} {p.hint}".strip() for p in caught.value.problems
    }


def test_a_plan_says_all_there_is_to_do() -> None:
    """Words, folders, source, environment and limits, with defaults where nothing is said."""
    plan = planned()
    assert plan.argv == ("python", "train.py", "--name", "a b")
    assert (plan.name, plan.folder) == ("ly-abc-a1", "/state/jobs/ly-abc-a1")
    assert plan.work == plan.cwd == "/state/jobs/ly-abc-a1/work"
    assert plan.output == "/state/jobs/ly-abc-a1/outputs" == plan.env["LAUNCHYARD_OUTPUT"]
    assert plan.tmp == "/state/jobs/ly-abc-a1/tmp" == plan.env["TMPDIR"]
    assert plan.env["HOME"] == plan.folder
    assert (plan.source, plan.venv) == (ARCHIVE, VenvRequest())
    assert (plan.run_s, plan.grace_s, plan.nice) == (None, 10.0, 0)
    assert plan.log_quota_b == LocalDefaults().log_quota_b


def test_the_queue_sets_what_it_may() -> None:
    """Every setting of a queue reaches the plan, durations and sizes in words as well."""
    config: Json = {
        "env": {"A": "1", "B": 2},
        "timeout": "2h",
        "cancel_grace": 0,
        "nice": 5,
        "log_quota": "10MB",
        "python": "3.12",
        "requirements": "deps/gpu.txt",
    }
    plan = planned(config, replace(SPEC, env={"B": "3"}))
    assert (plan.env["A"], plan.env["B"]) == ("1", "3")
    assert (plan.run_s, plan.grace_s, plan.nice) == (7200.0, 0.0, 5)
    assert plan.log_quota_b == 10_000_000
    assert plan.venv == VenvRequest(python="3.12", requirements="deps/gpu.txt")


def test_a_launch_may_ask_for_its_own_python_and_requirements() -> None:
    """What a launch says about its environment wins over the queue."""
    spec = replace(SPEC, python_version="3.13", requirements=("numpy",))
    plan = planned({"python": "3.12", "requirements": "r.txt"}, spec)
    assert plan.venv == VenvRequest(python="3.13", requirements=("numpy",))


@pytest.mark.parametrize(
    ("queue", "launch", "agent", "run_s"),
    [(None, None, None, None), (60, 30, 90, 30), (60, 90, None, 60), (60, 90, 10, 10)],
)
def test_the_shortest_limit_holds(
    queue: Json, launch: float | None, agent: float | None, run_s: float | None
) -> None:
    """A launch may run shorter than its queue allows, never longer."""
    context = replace(CONTEXT, defaults=LocalDefaults(run_s=agent))
    plan = plan_local(replace(SPEC, timeout_s=launch), {"timeout": queue}, context)
    assert plan.run_s == run_s


@pytest.mark.parametrize(
    ("entry_point", "args", "argv"),
    [
        (("echo $X && date",), (), ("/bin/sh", "-c", "echo $X && date")),
        ((), ("echo", "$X"), ("/bin/sh", "-c", "echo $X")),
        (
            ("python", "train.py"),
            ("a b", "$X"),
            ("/bin/sh", "-c", 'python train.py "$@"', "sh", "a b", "$X"),
        ),
    ],
)
def test_a_shell_reads_the_command_and_leaves_the_arguments(
    entry_point: tuple[str, ...], args: tuple[str, ...], argv: tuple[str, ...]
) -> None:
    """Arguments are the submitter's data: no word of them is split or expanded."""
    assert planned({"shell": True}, words(SPEC, entry_point, *args)).argv == argv


def test_a_working_dir_lies_in_the_source() -> None:
    """`overrides.working_dir` is below the folder that the source goes to."""
    spec = replace(SPEC, overrides=replace(SPEC.overrides, working_dir="src/app"))
    plan = planned(None, spec)
    assert plan.cwd == f"{plan.work}/src/app"


def test_without_source_there_is_no_environment_to_build() -> None:
    """A bare command starts at once, whatever file the queue names; lines are installed."""
    bare = replace(SPEC, code=None)
    assert planned({"requirements": "r.txt"}, bare).venv is None
    wanted = planned(None, replace(bare, requirements=("numpy",))).venv
    assert wanted == VenvRequest(requirements=("numpy",))


def test_a_wandb_job_is_a_source_like_another() -> None:
    """With a command of its own a job artifact runs here too."""
    plan = planned(None, replace(SPEC, code=None, job="e/p/j:v1"))
    assert plan.source == JobSource("e/p/j:v1")


def test_a_plan_holds_no_secret() -> None:
    """It is journaled and sent between processes, so secrets are named, not held."""
    plan = planned(None, replace(SPEC, secrets=(SecretRef("HF", "secret:hf"),)))
    assert plan.secrets == (SecretRef("HF", "secret:hf"),)
    pickled = pickle.dumps(plan)
    assert pickle.loads(pickled) == plan  # noqa: S301
    assert b"attempt-token" not in pickled
    assert b"wandb-key" not in pickled
    assert plan.env["LAUNCHYARD_SERVER"] == "http://127.0.0.1:8080"


def test_a_venv_goes_in_front() -> None:
    """The job's `python` is the one of its environment; the rest of the plan stays."""
    plan = planned()
    inside = in_venv(plan, "/venvs/k")
    assert inside.env["PATH"] == f"/venvs/k/bin:{plan.env['PATH']}"
    assert inside.env["VIRTUAL_ENV"] == "/venvs/k"
    assert replace(inside, env=plan.env) == plan


LOCAL = "resource_args.local-process"


@pytest.mark.parametrize(
    ("config", "path", "said"),
    [
        ({"timout": 1}, f"{LOCAL}.timout", "did you mean `timeout`?"),
        ({"zzz": 1}, f"{LOCAL}.zzz", "cancel_grace"),
        ({"cwd": "/"}, f"{LOCAL}.cwd", "working_dir"),
        ({"image": "x"}, f"{LOCAL}.image", "docker"),
        ({"timeout": "soon"}, f"{LOCAL}.timeout", "seconds"),
        ({"timeout": 0}, f"{LOCAL}.timeout", "1"),
        ({"nice": -5}, f"{LOCAL}.nice", "0 to 19"),
        ({"shell": "perhaps"}, f"{LOCAL}.shell", "true or false"),
        ({"env": ["A=1"]}, f"{LOCAL}.env", "keys and values"),
        ({"env": {"A": None}}, f"{LOCAL}.env.A", "text or a number"),
        ({"env": {"LAUNCHYARD_ITEM": "1"}}, f"{LOCAL}.env.LAUNCHYARD_ITEM", "own"),
        ({"log_quota": -1}, f"{LOCAL}.log_quota", "bytes"),
        ({"requirements": "../r.txt"}, f"{LOCAL}.requirements", "inside the source"),
        ([], LOCAL, "must be an object"),
    ],
)
def test_a_wrong_setting_is_explained(config: Json, path: str, said: str) -> None:
    """Each names its path, and what would be right."""
    assert said in problems(config)[path]


@pytest.mark.parametrize(
    ("spec", "path", "said"),
    [
        (LaunchSpec(image_uri="a"), "image_uri", "no container images"),
        (LaunchSpec(docker=Docker(image="a")), "docker.docker_image", "docker or kubernetes"),
        (LaunchSpec(job="a"), "overrides.entry_point", "nothing to run"),
        (
            replace(SPEC, additional_services=(Service(name="db", config={}),)),
            "additional_services",
            "kubernetes",
        ),
        (replace(SPEC, code=None, requirements="r.txt"), "requirements", "no source"),
    ],
)
def test_what_the_target_has_not_is_refused(spec: LaunchSpec, path: str, said: str) -> None:
    """A launch for another target says so before anything is built."""
    assert said in problems(None, spec)[path]


def test_all_problems_come_at_once() -> None:
    """Those of the spec and those of the configuration together."""
    found = problems({"nice": 99, "cwd": "/"}, LaunchSpec(image_uri="a"))
    assert len(found) == 3


def test_the_owners_limits_are_protected() -> None:
    """The paths guarded by default are settings that exist."""
    assert set(PROTECTED) <= {entry.key for entry in FIELDS}
    assert not any(check_pattern(path) for path in PROTECTED)
