"""Images behind a real registry that wants a login, and their removal when no job uses them."""

from __future__ import annotations

import json
import tarfile
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from launchyard.adapters.docker.client import Engine
from launchyard.adapters.docker.engine import Address
from launchyard.adapters.docker.images import Images
from launchyard.adapters.docker.pruning import Pruner, Pruning
from launchyard.adapters.docker.runner import DockerRunner
from launchyard.adapters.prometheus.metrics import PrometheusMetrics
from launchyard.domain.attempt import AttemptState
from launchyard.domain.documents import Json
from launchyard.domain.reason import Reason
from launchyard.ports.families import IMAGE_PRUNINGS, IMAGES_PRUNED_BYTES
from launchyard.ports.runner import RunnerError
from tests.adapters.docker.launches import end, launch, refusal, run_of, started
from tests.adapters.docker.plans import script_plan
from tests.programs import until
from tests.rig.dockerd import Docker
from tests.rig.registry import PASSWORD, USER, ImageRegistry, login, write_logins
from tests.rig.small_image import IMAGE


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


def test_another_platform_is_fetched(docker: Docker, logged_in: str, tmp_path: Path) -> None:
    """The name is there, but of another machine: `docker run` fetches the right one, and so do we.

    Where nothing may be fetched, that is told.
    """
    _make_foreign(docker, logged_in, tmp_path)
    docker.run("push", logged_in)
    docker.run("tag", IMAGE, logged_in)
    with closing(DockerRunner(Address(url=f"unix://{docker.socket}"), str(tmp_path))) as runner:
        other: dict[str, Json] = {"platform": "linux/arm64"}
        never = script_plan("exit 0", {**other, "pull": "never"}, logged_in)
        error = refusal(runner, launch("", plan=never))
        assert (error.reason, error.retry) == (Reason.SOURCE_NOT_FOUND, False), error
        handle = started(runner, launch("", plan=script_plan("exit 0", other, logged_in)))
        assert docker.run("inspect", "--format", "{{.Architecture}}", logged_in) == "arm64"
        assert end(runner, handle).state is AttemptState.SUCCEEDED
        runner.remove(handle)


def _make_foreign(docker: Docker, name: str, folder: Path) -> None:
    """Have the small image under *name*, said to be of another machine."""
    packed, parts = folder / "image.tar", folder / "parts"
    docker.run("save", "--output", str(packed), IMAGE)
    with tarfile.open(packed) as tar:
        tar.extractall(parts, filter="data")
    [manifest] = json.loads(parts.joinpath("manifest.json").read_text())
    config = json.loads(parts.joinpath(manifest["Config"]).read_text())
    parts.joinpath("other.json").write_text(json.dumps(config | {"architecture": "arm64"}))
    manifest |= {"Config": "other.json", "RepoTags": [name]}
    parts.joinpath("manifest.json").write_text(json.dumps([manifest]))
    # What else is there tells of the image as it was, in a way of each version's own.
    with tarfile.open(packed, "w") as tar:
        for kept in ("manifest.json", "other.json", *manifest["Layers"]):
            tar.add(parts / kept, kept)
    docker.run("load", "--input", str(packed))


@dataclass(frozen=True)
class Shelf:
    """A name in a registry under which one image follows another, and an engine that pulls it."""

    docker: Docker
    registry: ImageRegistry
    name: str
    folder: Path
    engine: Engine

    def build(self, number: int, name: str) -> None:
        """Make an image that no other is like."""
        self.docker.run("build", "--tag", name, "-", input=f"FROM {IMAGE}\nLABEL n={number}\n")

    def put(self, number: int) -> None:
        """Have another image in the registry; on the engine the name stays where it is."""
        before = self.engine.image(self.name)
        self.build(number, "new:1")
        self.registry.push(self.docker, "new:1", self.name.partition("/")[2], self.folder)
        self.docker.run("rmi", "new:1")
        if before:
            self.docker.run("tag", before.uid, self.name)

    def pulled(self, images: Images) -> str:
        """Pull the image as for a job; return its id."""
        plan = replace(script_plan("", None, self.name), pull="always")
        found: list[str] = []

        def comes() -> bool:
            try:
                found.append(images.ensure("n", plan).image.uid)
            except RunnerError as e:
                if e.reason is not Reason.DEADLINE_PASSED:
                    raise
            return bool(found)

        until(comes, "pull")
        return found[0]

    def has(self, *ids: str) -> list[bool]:
        """Tell which of the images the engine has."""
        return [self.engine.image(one) is not None for one in ids]


def test_what_lost_its_name_to_a_newer_one_goes(
    docker: Docker, registry: ImageRegistry, logged_in: str, tmp_path: Path
) -> None:
    """`pull: always` leaves the old image without a name; what was there before jobs came stays."""
    now = [1000.0]
    with closing(Engine(Address(url=f"unix://{docker.socket}"))) as engine:
        pruner = Pruner(engine, str(tmp_path), Pruning(100.0, None, lambda: now[0]))
        images = Images(engine, pruner)
        shelf = Shelf(docker, registry, logged_in, tmp_path, engine)
        with closing(pruner):
            shelf.build(0, logged_in)
            operators = engine.image(logged_in)
            assert operators
            shelf.put(1)
            first = shelf.pulled(images)
            shelf.put(2)
            second = shelf.pulled(images)
            now[0] += 101
            pruner.prune()
            assert shelf.has(operators.uid, first, second) == [True, False, True]
            docker.run("rmi", logged_in)  # from here on the name is a job's
            second = shelf.pulled(images)
            shelf.put(3)
            now[0] += 60
            third = shelf.pulled(images)
            now[0] += 60
            pruner.prune()
            assert shelf.has(second, third) == [True, True]
            now[0] += 41
            pruner.prune()
            assert shelf.has(second, third) == [False, False]


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
