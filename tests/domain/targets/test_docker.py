"""Planning an attempt as a container."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from launchyard.domain.config.problem import DocumentError
from launchyard.domain.documents import Json, dotted
from launchyard.domain.environment import JobFacts, WandbEndpoint
from launchyard.domain.merge import check_pattern, refused
from launchyard.domain.spec import Docker, GitSource, LaunchSpec, Overrides
from launchyard.domain.targets.docker import (
    OUTPUTS_LABEL,
    DockerDefaults,
    DockerPlan,
    create_request,
    plan_docker,
    shown_request,
    wanted_outputs,
)
from launchyard.domain.targets.docker_config import PROTECTED, read_settings
from launchyard.domain.targets.docker_flags import BY_SPELLING, FLAGS

SPEC = LaunchSpec(
    entity="team",
    docker=Docker(image="team/train:1"),
    overrides=Overrides(entry_point=("python", "train.py"), args=("--name", "a b")),
)
FACTS = JobFacts(
    item="i",
    attempt=1,
    queue="q",
    entity="team",
    run_id="r",
    spec=SPEC,
    agent={"HTTPS_PROXY": "http://proxy:3128", "SSL_CERT_FILE": "/etc/agent.pem", "KEY": "k"},
    server="http://127.0.0.1:8080",
    token="attempt-token",  # noqa: S106
    wandb=WandbEndpoint(base_url="http://w", api_key="wandb-key"),
)


def planned(config: Json = None, spec: LaunchSpec = SPEC) -> DockerPlan:
    """Plan *spec* on a queue with *config*."""
    return plan_docker(spec, config, FACTS, DockerDefaults())


def host(config: Json) -> Json:
    """Return the part of the request that is about the machine."""
    return planned(config).request["HostConfig"]


def problems(config: Json, spec: LaunchSpec = SPEC) -> dict[str, str]:
    """Map the path of every problem to what is said about it."""
    with pytest.raises(DocumentError) as caught:
        planned(config, spec)
    return {
        dotted(p.path): f"{p.message} {p.allowed} {p.hint}".strip() for p in caught.value.problems
    }


def test_a_plan_is_the_engines_request() -> None:
    """Image, words and settings stand in it as the engine wants them; nothing of ours besides."""
    request = planned({"memory": "512m", "cpus": 1.5, "shm_size": "1g", "-w": "/code"}).request
    assert request == {
        "Image": "team/train:1",
        "Entrypoint": ["python", "train.py"],
        "Cmd": ["--name", "a b"],
        "WorkingDir": "/code",
        "Volumes": {"/launchyard/outputs": {}},
        "HostConfig": {
            "Init": True,
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "1000t"}},
            "Memory": 512 * 1024**2,
            "NanoCpus": 1_500_000_000,
            "ShmSize": 1024**3,
            "ExtraHosts": ["host.docker.internal:host-gateway"],
        },
    }


@pytest.mark.parametrize(
    ("said", "driver", "options"),
    [
        ({"log-driver": "json-file"}, "json-file", {"max-size": "1000t"}),
        ({"log-opt": "max-file=3"}, "json-file", {"max-size": "1000t", "max-file": "3"}),
        ({"log-opt": {"max-size": "10m"}}, "json-file", {"max-size": "10m"}),
        ({"log-driver": "local", "log-opt": "max-file=3"}, "local", {"max-file": "3"}),
        ({"log-driver": "journald"}, "journald", {}),
    ],
)
def test_a_log_is_kept_whole(said: Json, driver: str, options: Json) -> None:
    """The engine's own limit takes nothing of it away; a queue's does, and so does its driver."""
    told = host(said)
    assert isinstance(told, dict)
    assert told["LogConfig"] == {"Type": driver, "Config": options}


def test_wanted_outputs_travel_with_the_container() -> None:
    """Whoever takes it over fetches the same files; without a word, all of them."""
    request = planned({"label": {"team": "v"}}, replace(SPEC, outputs=("a b", "d/*"))).request
    labels = request["Labels"]
    assert isinstance(labels, dict)
    assert labels["team"] == "v"
    told = {key: str(value) for key, value in labels.items()}
    assert wanted_outputs(told) == ("a b", "d/*")
    for other in ({}, {OUTPUTS_LABEL: "["}, {OUTPUTS_LABEL: "1"}):
        assert wanted_outputs(other) == ()


def test_a_plan_holds_no_secret_and_travels() -> None:
    """Keys come in when the container is created, as variables and nowhere else."""
    plan = planned({"env": ["A=1"], "label": {"team": "vision"}})
    assert pickle.loads(pickle.dumps(plan)) == plan  # noqa: S301 - our own
    told = repr(plan.request) + repr(shown_request(plan)) + repr(dict(plan.env))
    assert "wandb-key" not in told
    assert "attempt-token" not in told
    request = create_request(plan, {"launchyard-item": "i"}, {"HF_TOKEN": "s3cret"})
    env, labels = request.pop("Env"), request["Labels"]
    assert isinstance(env, list)
    assert {"A=1", "HF_TOKEN=s3cret"} <= {str(word) for word in env}
    assert labels == {"team": "vision", "launchyard-item": "i"}
    assert "s3cret" not in repr(request)


def test_variables_are_made_for_a_container() -> None:
    """PATH and HOME are the image's, files of the agent mean nothing, its loopback is not ours."""
    env = planned().env
    assert not {"PATH", "HOME", "TMPDIR", "SSL_CERT_FILE", "KEY"} & env.keys()
    assert env["HTTPS_PROXY"] == "http://proxy:3128"
    assert env["LAUNCHYARD_SERVER"] == "http://host.docker.internal:8080"
    assert planned({"network": "host"}).env["LAUNCHYARD_SERVER"] == "http://127.0.0.1:8080"


def test_a_wandb_server_on_loopback_is_reached_as_ours_is() -> None:
    """`wandb server start` is on loopback: each address is told anew, with a way to the gateway."""

    def told(server: str, wandb: str, config: Json = None) -> tuple[str | None, bool]:
        endpoint = WandbEndpoint(base_url=wandb, api_key="k")
        facts = replace(FACTS, server=server, wandb=endpoint)
        plan = plan_docker(SPEC, config, facts, DockerDefaults())
        return plan.env.get("WANDB_BASE_URL"), "ExtraHosts" in repr(plan.request)

    inside = "http://host.docker.internal:8080"
    assert told("", "http://localhost:8080") == (inside, True)
    assert told("", inside) == (inside, True)
    assert told("", "https://api.wandb.ai") == ("https://api.wandb.ai", False)
    assert told("http://127.0.0.1:8630", "http://w") == ("http://w", True)
    own_network: Json = {"network": "host"}
    assert told("", "http://localhost:8080", own_network) == ("http://localhost:8080", False)
    ours = replace(FACTS, wandb=WandbEndpoint(api_key="t", ours=True))
    env = plan_docker(SPEC, None, ours, DockerDefaults()).env
    assert env["WANDB_BASE_URL"] == env["LAUNCHYARD_SERVER"] == inside


@pytest.mark.parametrize(
    ("entry", "queue", "expected"),
    [((), None, None), ((), "/run me", ["/run me"]), (("sh", "-c"), "/x", ["sh", "-c"])],
)
def test_the_launchs_entry_point_wins(
    entry: tuple[str, ...], queue: str | None, expected: list[str] | None
) -> None:
    """W-42: over the queue's, and that over the image's."""
    spec = replace(SPEC, overrides=Overrides(entry_point=entry, args=("x",)))
    request = planned({"entrypoint": queue}, spec).request
    assert (request.get("Entrypoint"), request["Cmd"]) == (expected, ["x"])


def test_a_folder_is_below_the_image_s_own_unless_the_queue_names_one() -> None:
    """Which the image's is, is known when it is there; `plan` leaves it open."""
    spec = replace(SPEC, overrides=Overrides(working_dir="src"))
    below = planned(None, spec)
    assert "WorkingDir" not in below.request
    assert create_request(below, {}, {}, "/app")["WorkingDir"] == "/app/src"
    assert create_request(below, {}, {}, "")["WorkingDir"] == "/src"
    assert shown_request(below)["WorkingDir"] == "/<the image's WORKDIR>/src"
    named = planned({"workdir": "/code/"}, spec)
    assert create_request(named, {}, {}, "/app")["WorkingDir"] == "/code/src"
    assert "WorkingDir" not in create_request(planned(), {}, {}, "/app")


def test_what_decides_about_the_image_is_shown() -> None:
    """When it is fetched, and for which platform."""
    shown = shown_request(planned({"platform": "linux/arm64", "pull": "always"}))
    assert (shown["Pull"], shown["Platform"]) == ("always", "linux/arm64")
    assert "Platform" not in shown_request(planned())


def test_gpus_are_asked_for_as_docker_does() -> None:
    """All, a number, or some of them, in each way that docker takes."""

    def request(said: Json) -> Json:
        told = host({"gpus": said})
        assert isinstance(told, dict)
        found = told["DeviceRequests"]
        assert isinstance(found, list)
        assert isinstance(found[0], dict)
        return {k: v for k, v in found[0].items() if k in {"Count", "DeviceIDs", "Capabilities"}}

    gpu = [["gpu"]]
    assert request("all") == {"Count": -1, "Capabilities": gpu}
    assert request(2) == request("2") == {"Count": 2, "Capabilities": gpu}
    ids = {"DeviceIDs": ["0", "2"], "Capabilities": gpu}
    assert request("device=0,2") == request('"device=0,2"') == ids
    assert request("count=1,capabilities=utility") == {
        "Count": 1,
        "Capabilities": [["gpu", "utility"]],
    }
    assert "resource_args.local-container.gpus" in problems({"gpus": "some"})


def test_a_queue_may_use_everything() -> None:
    """What a launch may not say, the queue's owner may."""
    told = host(
        {
            "privileged": True,
            "volume": ["/data:/data:ro", "cache:/cache"],
            "mount": "type=bind,source=/a,target=/b,readonly",
            "device": "/dev/fuse",
            "ulimit": ["nofile=1024:2048"],
            "network": "host",
            "cap-add": "SYS_PTRACE",
            "publish": "127.0.0.1:8080:80",
            "tmpfs": "/scratch:size=1g",
        }
    )
    assert isinstance(told, dict)
    assert told["Privileged"] is True
    assert told["Binds"] == ["/data:/data:ro", "cache:/cache"]
    assert told["Mounts"] == [{"Type": "bind", "Target": "/b", "Source": "/a", "ReadOnly": True}]
    assert told["Devices"] == [
        {"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"}
    ]
    assert told["Ulimits"] == [{"Name": "nofile", "Soft": 1024, "Hard": 2048}]
    assert told["PortBindings"] == {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}
    assert (told["NetworkMode"], told["CapAdd"]) == ("host", ["SYS_PTRACE"])
    assert told["Tmpfs"] == {"/scratch": "size=1g"}


def test_no_spelling_gets_past_a_guard() -> None:
    """Every accepted spelling of a dangerous argument is protected, and there are no others."""
    assert not [pattern for pattern in PROTECTED if check_pattern(pattern)]
    for spelling, flag in BY_SPELLING.items():
        was_refused = bool(refused({}, {spelling: ["x"]}, None, PROTECTED))
        assert was_refused == flag.guarded, spelling
    for sly in ("Privileged", "--PRIVILEGED", "---privileged", "cap_Add", " volume"):
        assert sly not in BY_SPELLING
        assert read_settings({sly: "x"})[1], sly
    fences = {"privileged", "volume", "mount", "network", "device", "cap-add", "cap-drop", "pid"}
    fences |= {"ipc", "user", "security-opt", "read-only", "runtime", "uts", "userns"}
    assert fences <= {flag.name for flag in FLAGS if flag.guarded}


def test_mistakes_are_told_all_at_once() -> None:
    """W-42: what docker has not is refused, with what was meant."""
    told = problems(
        {
            "memroy": "1g",
            "command": "x",
            "restart": "always",
            "memory": "lots",
            "m": "1g",
            "init": "yes",
            "env": ["HOME"],
            "label": {"launchyard-item": "mine"},
            "workdir": "code",
            "volume": "./data:/data",
        }
    )
    root = "resource_args.local-container."
    assert "did you mean `memory`" in told[f"{root}memroy"]
    assert "overrides.args" in told[f"{root}command"]
    assert "let the queue retry" in told[f"{root}restart"]
    assert "512m" in told[f"{root}memory"]
    for key in ("init", "env", "label", "workdir", "volume"):
        assert f"{root}{key}" in told, key
    assert "once more" in problems({"memory": "1g", "m": "2g"})[f"{root}m"]


def test_only_images_are_run() -> None:
    """Source code waits for a builder; a launch of nothing and a bad name say what to do."""
    git = replace(SPEC, docker=Docker(), code=GitSource(url="https://host/repo"))
    assert "no builder" in problems(None, git)["source"]
    assert "launchyard launch -d" in problems(None, replace(SPEC, docker=Docker()))["image_uri"]
    bad = replace(SPEC, docker=Docker(image="Not An Image"))
    assert "docker.docker_image" in problems(None, bad)


def test_the_shortest_limit_holds() -> None:
    """A launch may ask for less than its queue; docker's stop-timeout is a grace."""
    plan = planned({"timeout": "1h", "stop-timeout": 30}, replace(SPEC, timeout_s=60.0))
    assert (plan.run_s, plan.grace_s, plan.pull) == (60.0, 30.0, "missing")
    assert planned({"cancel_grace": "5s", "stop-timeout": 30, "pull": "never"}).grace_s == 5.0
