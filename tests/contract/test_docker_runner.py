"""The runner of containers keeps the runner contract, on an engine of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from launchyard.adapters.docker.engine import Address
from launchyard.adapters.docker.runner import DockerRunner
from launchyard.plugins.testkit.runner import RunnerCase, RunnerContract, Work
from tests.adapters.docker.plans import script_plan
from tests.rig.dockerd import Docker, docker_daemon
from tests.rig.small_image import load_small_image

_SCRIPTS: Final = {
    Work.SUCCEED: "exit 0",
    Work.FAIL: "exit 3",
    Work.LONG: "echo up; exec sleep 600",
    # The engine stamps the two outputs in two threads: of both at once either may come first.
    Work.LINES: "echo one; echo two; echo three",
}


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    """Give an engine that has the small image."""
    folder = tmp_path_factory.mktemp("engine")
    with docker_daemon(folder) as docker:
        load_small_image(docker, folder)
        yield docker


class TestLocalContainer(RunnerContract):
    """Containers of an engine."""

    provider = "local-container"

    @pytest.fixture
    def case(self, docker: Docker, tmp_path: Path) -> Iterator[RunnerCase]:
        made: list[DockerRunner] = []

        def make() -> DockerRunner:
            made.append(DockerRunner(Address(url=f"unix://{docker.socket}"), str(tmp_path)))
            return made[-1]

        yield RunnerCase(make=make, plan=lambda _name, work: script_plan(_SCRIPTS[work]))
        for runner in made:
            runner.close()
