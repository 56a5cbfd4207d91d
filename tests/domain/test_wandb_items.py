"""A popped run spec, taken apart for our agent."""

from __future__ import annotations

from launchyard.domain.documents import Json
from launchyard.domain.wandb_address import is_wandb, marked, wandb_url
from launchyard.domain.wandb_items import merged, read_launch


def spec(**more: Json) -> dict[str, Json]:
    """Return a run spec."""
    return {"entity": "Team", "project": "Proj", "overrides": {"args": []}, **more}


def test_the_arguments_of_the_resource_are_the_queues_configuration() -> None:
    """A W&B server merges them; so macros of the agent's variables hold there, and not in the rest.

    What is said to the builder is none of the target's arguments.
    """
    args: Json = {"local-container": {"env": ["A=1"], "builder": {"base_image": "x"}}}
    launch = read_launch(spec(resource_args=args), "team", "r1")
    assert launch.resource == "local-container"
    assert launch.config == {"env": ["A=1"]}
    assert launch.spec["builder"] == {"base_image": "x"}
    assert "resource_args" not in launch.spec
    assert merged(launch.spec, launch.config)["resource_args"] == {
        "local-container": {"env": ["A=1"]}
    }


def test_nothing_said_is_what_stock_agents_take_it_for() -> None:
    """A resource of null is a container, no project is `uncategorized`, the run's id is fresh."""
    launch = read_launch({"resource": None, "docker": None, "project": ""}, "team", "r1")
    found = (launch.resource, launch.project, launch.entity, launch.run_id)
    assert found == ("local-container", "uncategorized", "team", "r1")
    assert "docker" not in launch.spec


def test_names_of_before_are_understood() -> None:
    """`gcp-vertex` and `local` have newer names."""
    launch = read_launch(
        spec(resource="gcp-vertex", resource_args={"gcp-vertex": {"a": 1}}), "t", "r"
    )
    assert (launch.resource, launch.config) == ("vertex", {"a": 1})
    assert read_launch(spec(resource="local"), "t", "r").resource == "local-container"


def test_a_submitters_key_is_split_off() -> None:
    """It is in nothing that is written down, nor in what a plan or a log shows."""
    key = "k" * 40
    launch = read_launch(spec(_wandb_api_key=key, author="ann"), "team", "r1")
    assert launch.api_key == key
    assert key not in repr(launch)
    assert "author" not in launch.spec
    assert launch.author == "ann"
    assert read_launch(spec(author="ann"), "team", "r1").spec["author"] == "ann"


def test_schedulers_are_known() -> None:
    """By their address, or by the command that starts one."""
    words: Json = {"entry_point": ["wandb", "scheduler", "s1"]}
    assert read_launch(spec(uri="placeholder-uri-scheduler"), "t", "r").scheduler
    assert read_launch(spec(resource="local-process", overrides=words), "t", "r").scheduler
    assert not read_launch(spec(resource="local-container", overrides=words), "t", "r").scheduler
    assert not read_launch(spec(resource="local-process"), "t", "r").scheduler


def test_a_resumed_run_keeps_its_id() -> None:
    """And how often it was resumed."""
    launch = read_launch(spec(run_id="r7", _resume_count=2, sweep_id="s"), "t", "fresh")
    assert (launch.run_id, launch.resumes, launch.sweep) == ("r7", 2, "s")


def test_an_address_tells_the_dialect() -> None:
    """`wandb+` marks any server, `wandb` is the one of W&B's own client."""
    cloud = "https://api.wandb.ai"
    assert all(map(is_wandb, ("wandb", "wandb+http://host:8080", f"{cloud}/", "https://wandb.ai")))
    assert not any(map(is_wandb, ("", "http://host:8630", "https://wandb.example")))
    assert wandb_url("wandb", "") == cloud
    assert wandb_url("wandb", "http://here:1/") == "http://here:1"
    assert wandb_url("wandb+https://host/", "http://here") == "https://host"
    assert wandb_url("https://wandb.ai", "") == cloud
    assert wandb_url(marked("http://host"), "") == "http://host"
