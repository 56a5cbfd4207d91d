"""What the tests of containers share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from launchyard.adapters.docker.engine import Address
from launchyard.adapters.docker.runner import DockerRunner
from tests.adapters.docker.cutting import Cutting
from tests.rig.dockerd import Docker, docker_daemon
from tests.rig.registry import ImageRegistry, image_registry, login, write_logins
from tests.rig.small_image import IMAGE, load_small_image


@pytest.fixture(scope="package")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    """Give an engine that has the small image."""
    folder = tmp_path_factory.mktemp("engine")
    with docker_daemon(folder) as docker:
        load_small_image(docker, folder)
        yield docker


@pytest.fixture
def runner(docker: Docker, tmp_path: Path) -> Iterator[DockerRunner]:
    """Give a runner on it."""
    with closing(DockerRunner(Address(url=f"unix://{docker.socket}"), str(tmp_path))) as runner:
        yield runner


@pytest.fixture(scope="package")
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


@pytest.fixture
def logged_in(logins: Path, image: str) -> str:
    """Give the image, with the login that its registry wants."""
    write_logins(logins, auths={image.partition("/")[0]: login()})
    return image


@pytest.fixture
def proxy(docker: Docker, tmp_path: Path) -> Iterator[Cutting]:
    """Give a way to the engine that may be cut."""
    with Cutting(docker.socket, tmp_path / "cut.sock") as cutting:
        yield cutting


@pytest.fixture
def beyond(proxy: Cutting, tmp_path: Path) -> Iterator[DockerRunner]:
    """Give a runner on the engine beyond the proxy."""
    with closing(DockerRunner(Address(url=proxy.url), str(tmp_path))) as runner:
        yield runner
