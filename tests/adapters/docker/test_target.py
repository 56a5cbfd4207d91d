"""Who may say what on which server: the target judges where no server of ours has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from launchyard.adapters.docker.target import DockerTarget, DockerTargetConfig
from launchyard.domain.attempt_token import VARIABLE as TOKEN
from launchyard.domain.config.problem import DocumentError
from launchyard.domain.documents import Json, dotted
from launchyard.domain.exchange import ItemGrant
from launchyard.domain.submission import WANDB_KEY, WANDB_URL
from launchyard.domain.targets.docker import DockerPlan
from launchyard.domain.targets.docker_config import GUARDED
from launchyard.domain.targets.docker_flags import FLAGS
from launchyard.domain.targets.preview import unclaimed
from launchyard.domain.wandb_items import read_launch
from launchyard.ports.target import HostSpec, PlanInput

TYPE = "local-container"
IMAGE: dict[str, Json] = {"docker": {"docker_image": "team/train:1"}}
ROOT: dict[str, Json] = {
    "privileged": True,
    "-v": "/:/host",
    "--network": "host",
    "cap_add": "ALL",
    "pid": "host",
}
STOCK: dict[str, Json] = {
    "cpu-period": 100000,
    "cpu-quota": 50000,
    "cpu-shares": 512,
    "cpus": 1,
    "cpuset-cpus": "0",
    "cpuset-mems": "0",
    "env": ["A=1"],
    "gpus": "all",
    "memory": "1g",
    "memory-reservation": "1g",
    "memory-swap": "1g",
    "name": "n",
    "pids-limit": 100,
    "platform": "linux/amd64",
    "shm-size": "1g",
    "ulimit": ["nofile=1024"],
    "workdir": "/code",
}
SHORT: dict[str, Json] = {"e": "A=1", "m": "1g", "w": "/code"}


def planned(grant: ItemGrant, *grants: str) -> DockerPlan:
    """Plan *grant* on an agent that opens *grants* to all."""
    host = HostSpec(name=TYPE, entry="", spec=None)
    target = DockerTarget(DockerTargetConfig(host=host, scope="docker:x", grants=grants))
    plan = target.plan(PlanInput(grant=grant, name="n", folder="/")).plan
    assert isinstance(plan, DockerPlan)
    return plan


def of_wandb(config: dict[str, Json], **spec: Json) -> ItemGrant:
    """Return the lease of a launch that was popped from a W&B server, as its adapter gives it."""
    said: dict[str, Json] = {**IMAGE, **spec, "resource": TYPE, "resource_args": {TYPE: config}}
    popped = read_launch(said, "team", "run")
    lease = unclaimed("team", "q", TYPE, popped.spec, popped.config)
    return replace(lease, secrets={WANDB_URL: "http://w", WANDB_KEY: "k"})


def refusals(grant: ItemGrant, *grants: str) -> dict[str, str]:
    """Map what is refused to the remedy."""
    with pytest.raises(DocumentError) as caught:
        planned(grant, *grants)
    return {dotted(problem.path): problem.hint for problem in caught.value.problems}


def test_a_launch_of_a_wandb_server_gets_no_power_over_the_machine() -> None:
    """W-35: it arrives merged, so guarded arguments are nobody's, in whatever spelling."""
    told = refusals(of_wandb(ROOT))
    assert set(told) == {f"resource_args.{TYPE}.{key}" for key in ROOT}
    assert "grants: [volume]" in told[f"resource_args.{TYPE}.-v"]
    for flag in FLAGS:
        if flag.guarded:
            for spelling in flag.spellings:
                assert refusals(of_wandb({spelling: "x"}), *set(GUARDED) - {flag.name}), spelling


def test_no_word_of_a_launch_makes_it_one_of_ours() -> None:
    """A spec may name secrets as our own server's do; whose item it is, is told by the lease."""
    for name in (WANDB_URL, WANDB_KEY):
        sly = of_wandb({"privileged": True}, secrets=[{"env": name, "from": "secret:x"}])
        assert list(refusals(sly)) == [f"resource_args.{TYPE}.privileged"]


def test_the_agents_operator_may_open_them() -> None:
    """One by one, for all launches that reach the agent."""
    left = refusals(of_wandb(ROOT), "network", "volume")
    assert {path.rpartition(".")[2] for path in left} == {"privileged", "cap_add", "pid"}
    plan = planned(of_wandb(ROOT), "cap-add", "network", "pid", "privileged", "volume")
    assert plan.request["HostConfig"]["Binds"] == ["/:/host"]  # type: ignore[index, call-overload]


def test_all_that_w_and_bs_agent_takes_is_taken() -> None:
    """Its list holds nothing guarded; what is null is not said."""
    nothing: dict[str, Json] = {"privileged": None}
    for config in (STOCK, SHORT, nothing):
        assert planned(of_wandb(config)).image == "team/train:1"


def test_on_our_server_the_queue_decides() -> None:
    """The server has judged by the queue's `overridable`, so launch and queue both may say it."""
    args: dict[str, Json] = {TYPE: {"volume": "/data:/data"}}
    queue: dict[str, Json] = {"privileged": True}
    launch: dict[str, Json] = {
        **IMAGE,
        "resource_args": args,
        "secrets": [{"env": WANDB_URL, "from": "secret:where"}],
    }
    shown = unclaimed("team", "q", TYPE, launch, queue)
    leased = replace(shown, secrets={WANDB_URL: "http://w", TOKEN: "lyat"})
    for grant in (shown, leased):
        host = planned(grant).request["HostConfig"]
        assert isinstance(host, dict)
        assert (host["Binds"], host["Privileged"]) == (["/data:/data"], True)
