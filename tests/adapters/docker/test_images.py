"""Images behind a real registry that wants a login, and their removal when no job uses them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from launchyard.adapters.docker.client import Engine
from launchyard.adapters.docker.engine import Address
from launchyard.adapters.docker.pruning import Pruner, Pruning
from launchyard.adapters.docker.runner import DockerRunner
from launchyard.adapters.prometheus.metrics import PrometheusMetrics
from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason
from launchyard.ports.families import IMAGE_PRUNINGS, IMAGES_PRUNED_BYTES
from launchyard.ports.runner import Handle, Launch, RunnerError
from tests.adapters.docker.launches import end, launch, refusal
from tests.adapters.docker.plans import script_plan
from tests.programs import until
from tests.rig.dockerd import Docker
from tests.rig.registry import PASSWORD, USER, ImageRegistry, image_registry, login, write_logins
from tests.rig.small_image import IMAGE


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageRegistry]:
    """Give a registry with a name and a password."""
    with image_registry(tmp_path_factory.mktemp("registry")) as made:
        yield made


@pytest.fixture
def image(docker: Docker, registry: ImageRegistry, tmp_path: Path) -> Iterator[str]:
    """Give an image that is in the registry alone."""
    there = registry.push(docker, IMAGE, "team/train:1", tmp_path)
    yield there
    docker.run("rmi", "--force", there, check=False)


@pytest.fixture
def logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of docker's configuration, and a PATH on which helpers may stand."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "logins"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "logins"


def run_of(image: str, script: str = "exit 0") -> Launch:
    """Return the launch of a script in *image*."""
    return launch("", plan=script_plan(script, None, image))


def started(runner: DockerRunner, wish: Launch) -> Handle:
    """Submit *wish* until its image is there."""
    found: list[Handle] = []

    def here() -> bool:
        try:
            found.append(runner.submit(wish))
        except RunnerError as e:
            if e.reason is not Reason.DEADLINE_PASSED:
                raise
            return False
        return True

    until(here, "pull")
    return found[0]


def test_logins_are_dockers_own(docker: Docker, image: str, logins: Path, tmp_path: Path) -> None:
    """None, a wrong one, a right one and a helper's: each counts from the next pull on."""
    helper, host = tmp_path / "docker-credential-tests", image.partition("/")[0]
    address = Address(url=f"unix://{docker.socket}")
    with closing(DockerRunner(address, str(tmp_path))) as runner:
        for auths in ({}, {host: login("wrong horse")}):
            write_logins(logins, auths=auths)
            error = refusal(runner, run_of(image))
            assert (error.reason, error.retry) == (Reason.SOURCE_REFUSED, False), error
            assert f"docker login {host}" in str(error)
            assert "horse" not in str(error)
        write_logins(logins, auths={host: login()})
        _runs(runner, docker, image)
        write_logins(logins, credHelpers={host: "tests"})
        helper.write_text("#!/bin/sh\necho the vault is shut\nexit 1\n")
        helper.chmod(0o755)
        error = refusal(runner, run_of(image))
        assert error.reason is Reason.SOURCE_REFUSED
        assert "the vault is shut" in str(error)
        told = json.dumps({"ServerURL": "", "Username": USER, "Secret": PASSWORD})
        helper.write_text(f"#!/bin/sh\ncat <<E\n{told}\nE\n")
        _runs(runner, docker, image)


def _runs(runner: DockerRunner, docker: Docker, image: str) -> None:
    handle = started(runner, run_of(image))
    assert end(runner, handle).state is AttemptState.SUCCEEDED
    runner.remove(handle)
    docker.run("rmi", image)


def test_unused_images_go(
    docker: Docker, image: str, logins: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What a job pulled goes when no container has it any more; what was there before stays."""
    write_logins(logins, auths={image.partition("/")[0]: login()})
    caplog.set_level("INFO")
    address = Address(url=f"unix://{docker.socket}")
    with closing(DockerRunner(address, str(tmp_path), pruning=Pruning(3600))) as runner:
        handles = [started(runner, run_of(name)) for name in (image, IMAGE)]
        for handle in handles:
            end(runner, handle)
    with closing(DockerRunner(address, str(tmp_path), pruning=Pruning(0.2))) as runner:
        assert docker.run("images", "--quiet", image)  # a container has it
        for handle in handles:
            runner.remove(handle)
        until(lambda: not docker.run("images", "--quiet", image), "removal")
        until(lambda: f"removed image {image}" in caplog.text, "event")
        assert docker.run("images", "--quiet", IMAGE)


def test_an_image_goes_by_its_last_use(docker: Docker, tmp_path: Path) -> None:
    """A use begins its time anew, and so does a container of it; a restart forgets nothing."""
    name, now, metrics = "unused:1", [1000.0], PrometheusMetrics()
    wish = Pruning(100.0, metrics, lambda: now[0])
    docker.run("build", "--tag", name, "-", input=f"FROM {IMAGE}\nLABEL kept=no\n")
    with closing(Engine(Address(url=f"unix://{docker.socket}"))) as engine:

        def pruned(at: float, *, used: bool = False) -> bool:
            """Look at the images at a time, and tell whether the image is gone."""
            now[0] = at
            pruner = Pruner(engine, str(tmp_path), wish)
            if used:
                pruner.used(name)
            pruner.prune()
            pruner.close()
            return not docker.run("images", "--quiet", name)

        first = Pruner(engine, str(tmp_path), wish)
        first.pulled(name)
        first.close()
        assert not pruned(1099)
        assert not pruned(1150, used=True)
        assert not pruned(1249)
        container = docker.run("create", name, "true")
        assert not pruned(1260)
        docker.run("rm", container)
        assert not pruned(1359)
        assert counted(metrics) == {"in_use": 1}
        assert pruned(1361)
    found = counted(metrics)
    assert found.pop("bytes") > 1000
    assert found == {"in_use": 1, "removed": 1}


def test_a_removal_that_is_refused_is_counted(docker: Docker, tmp_path: Path) -> None:
    """The image stays on the list, and is looked at again."""
    metrics = PrometheusMetrics()
    after = Pruning(0.001, metrics, map(float, range(1000)).__next__)
    engine = Engine(Address(url=f"unix://{docker.socket}"))
    with closing(engine), closing(Pruner(engine, str(tmp_path), after)) as pruner:
        pruner.pulled("no name of an image")
        pruner.prune()
        pruner.prune()
    assert counted(metrics)["failed"] >= 2


def counted(metrics: PrometheusMetrics) -> dict[str, float]:
    """Return how many images had each outcome, and the bytes that were removed."""
    found = {}
    for one in metrics.snapshot():
        if one.family is IMAGE_PRUNINGS:
            found[one.labels["outcome"]] = one.value
        elif one.family is IMAGES_PRUNED_BYTES:
            found["bytes"] = one.value
    return found
