"""What the tests of containers share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from launchyard.adapters.docker.engine import Address
from launchyard.adapters.docker.runner import DockerRunner
from tests.rig.dockerd import Docker, docker_daemon
from tests.rig.small_image import load_small_image


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
