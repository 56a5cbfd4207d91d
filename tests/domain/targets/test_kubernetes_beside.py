"""What goes with a job on a cluster: logins, services, and its code."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

from launchyard.domain.documents import Json
from launchyard.domain.spec import ArchiveSource, Docker, GitSource, LaunchSpec, Overrides, Service
from launchyard.domain.targets.kubernetes_code import FETCHER, MOUNT
from launchyard.domain.targets.kubernetes_plan import Submit
from launchyard.domain.targets.kubernetes_pulls import (
    pull_secret,
    pull_secret_name,
    registries_of,
)
from launchyard.domain.targets.kubernetes_ready import HELD
from launchyard.domain.targets.kubernetes_request import create_request, owned_by, with_image
from launchyard.domain.targets.kubernetes_shown import UNHELD, shown_request
from tests.domain.targets.kubernetes_kit import (
    CODE,
    MASTER,
    SPEC,
    TORCH,
    at,
    env_of,
    job_of,
    main_of,
    planned,
    pod_of,
    problems,
    requested,
)


def test_pull_secrets_are_shared_and_added() -> None:
    """W-29, W-34: one per registry, beside the queue's own, and owned by no job.

    A pod gets those of its own images alone.
    """
    config = job_of([{}], imagePullSecrets=[{"name": "own"}])
    plan = planned(config)
    assert registries_of(plan) == ("reg.example:5000",)
    [registry] = registries_of(plan)
    name = pull_secret_name(registry)
    pulls = {registry: name, "docker.io": "ly-pull-hub"}
    made = create_request(plan, Submit(name="x", pulls=pulls)).document
    assert pod_of(made)["imagePullSecrets"] == [{"name": "own"}, {"name": name}]
    secret = pull_secret(registry, "u", "p", "ml")
    logins = json.loads(base64.b64decode(at(secret, "data", ".dockerconfigjson")))
    assert logins == {"auths": {"reg.example:5000": {"auth": "dTpw"}}}
    assert (at(secret, "metadata", "name"), at(secret, "metadata", "namespace")) == (name, "ml")
    assert pull_secret_name("other") != name


def test_what_goes_with_a_job_is_owned_by_it() -> None:
    """W-29: secret and services vanish with their object."""
    made = requested()
    created: dict[str, Json] = {**made.document, "metadata": {"name": "ly-abc-a1", "uid": "u1"}}
    assert made.secret is not None
    owned = owned_by(made.secret, created)
    assert at(owned, "metadata", "ownerReferences") == [
        {"apiVersion": "batch/v1", "kind": "Job", "name": "ly-abc-a1", "uid": "u1"}
    ]


NAMED: dict[str, Json] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "db-${run_id}", "namespace": "elsewhere"},
}


def test_services_keep_every_name_but_their_own() -> None:
    """W-27, W-36: variables, ports and references stay as written; the run's words are told."""
    ports: Json = [{"name": "HTTP_port", "containerPort": 80}]
    pod: Json = {
        "metadata": {"labels": {"app": "db"}},
        "spec": {
            "containers": [
                {"name": "db", "env": [{"name": "MY_VAR", "value": "1"}], "ports": ports}
            ]
        },
    }
    deployment: dict[str, Json] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "spec": {"template": pod},
    }
    spec = replace(
        SPEC,
        overrides=Overrides(run_config={"text": "x" * 40000}),
        additional_services=(
            Service(name="My DB", config=deployment),
            Service(name="s", config=NAMED),
        ),
    )
    first, second = requested({"namespace": "ml"}, spec).services
    assert at(first, "metadata", "name").startswith("my-db-")
    meta = at(second, "metadata")
    assert (meta["name"], meta["namespace"]) == ("db-r1", "ml")
    container = at(first, "spec", "template", "spec", "containers", 0)
    env = env_of(container)
    assert container["ports"] == ports
    assert {"MY_VAR", "WANDB_CONFIG_0", "WANDB_CONFIG_1"} <= env.keys()
    assert env["WANDB_API_KEY"]["valueFrom"]["secretKeyRef"]["name"] == "ly-abc-a1"
    assert "LAUNCHYARD_TOKEN" not in env
    labels = at(first, "spec", "template", "metadata", "labels")
    assert (labels["app"], labels["launchyard-beside"]) == ("db", "i")
    assert "launchyard-item" not in labels, "its pods must not be taken for the job's"
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_code_is_fetched_into_a_base_image() -> None:
    """W-33: in an init container, with the queue's base image, and where the code then is."""
    config: Json = {**job_of([{}]), "builder": {"base_image": "base:1"}, "code_image": "git:1"}
    made = requested(config, replace(CODE, overrides=replace(CODE.overrides, working_dir="in")))
    container, first = main_of(made.document), at(pod_of(made.document), "initContainers", 0)
    assert (container["image"], container["workingDir"]) == ("base:1", f"{MOUNT}/sub/in")
    assert container["command"] == ["python", "train.py"]
    assert (first["name"], first["image"]) == (FETCHER, "git:1")
    assert first["command"][-3:] == [MOUNT, "https://git.example/x.git", "v1"]
    assert set(env_of(first)) == {"LAUNCHYARD_SERVER", "LAUNCHYARD_TOKEN", "HTTPS_PROXY"}
    assert first["securityContext"]["allowPrivilegeEscalation"] is False
    archive = replace(CODE, code=ArchiveSource("ab" * 32))
    first = at(pod_of(requested(None, archive).document), "initContainers", 0)
    assert first["command"][-1] == "ab" * 32


def test_without_any_image_requirements_are_installed_first() -> None:
    """W-33: the command follows as it was written, quoting and all."""
    spec = replace(CODE, python_version="3.11.4", requirements=("numpy==2", "x>1"))
    container = main_of(planned(None, spec).document)
    assert container["image"] == "python:3.11-slim"
    assert container["command"][-1] == "numpy==2\nx>1"
    assert container["args"] == ["python", "train.py", "--name", "a b"]


def test_code_on_a_claim_is_the_agents_to_put_there() -> None:
    """W-33: the agent's fetcher knows patches, notebooks and passwords; the pod only mounts."""
    secret = replace(CODE, code=GitSource("https://u:pw@git.example/x.git"))
    plan = planned({"code_claim": "code"}, secret)
    assert plan.code_claim == "code"
    assert "initContainers" not in pod_of(plan.document)
    assert main_of(plan.document)["volumeMounts"][0]["subPath"] == "ly-a1"
    assert "pw" not in json.dumps(plan.document)
    assert "password" in problems(None, secret)["source"]
    assert "code_claim" in problems(None, LaunchSpec(job="e/p/j:v1"))["source"]


def test_a_built_image_fills_the_gap() -> None:
    """What is built is put where no image is, and its registry is the one to log in to."""
    plan = with_image(planned(TORCH, replace(SPEC, docker=Docker(image="a"))), "reg/x:1")
    assert at(plan.document, *MASTER, 1, "image") == "a"
    empty = replace(plan, document={"spec": {"containers": [{"name": "x"}]}})
    filled = with_image(empty, "r.example/x:1")
    assert at(filled.document, "spec", "containers", 0, "image") == "r.example/x:1"
    assert registries_of(filled) == ("r.example",)


def test_a_plan_tells_which_services_nobody_waits_for() -> None:
    """A PyTorchJob is shown suspended; an object that nothing suspends has a note on each."""
    spec = replace(SPEC, additional_services=(Service(name="s", config=NAMED),))
    volcano: dict[str, Json] = {**TORCH, "apiVersion": "batch.volcano.sh/v1alpha1", "kind": "Job"}
    for config, held in ((TORCH, True), (volcano, False)):
        shown = at(shown_request(planned(config, spec)), "items")
        document, service = shown[-2], shown[-1]
        told = at(document, "metadata").get("annotations", {}), at(service, "metadata")
        assert (HELD in told[0], UNHELD in told[1].get("annotations", {})) == (held, not held)
        assert at(document, "spec").get("runPolicy") == ({"suspend": True} if held else None)
    queued: dict[str, Json] = {"metadata": {"labels": {"kueue.x-k8s.io/queue-name": "team"}}}
    *_, document, service = at(shown_request(planned(queued, spec)), "items")
    assert "suspend" not in at(document, "spec")
    assert "queue-name: team" in at(service, "metadata", "annotations", UNHELD)
    unwanted: dict[str, Json] = {**volcano, "wait_for_ready": False}
    service = at(shown_request(planned(unwanted, spec)), "items")[-1]
    assert "annotations" not in at(service, "metadata")
