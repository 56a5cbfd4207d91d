"""Every builder in the box keeps the builder contract."""

from __future__ import annotations

import itertools
import os
import subprocess
from abc import abstractmethod
from pathlib import Path

import pytest

from launchyard.adapters.local.process import stat
from launchyard.adapters.local.venv.builder import VenvBuilder, VenvConfig
from launchyard.plugins.builtin import MODULES
from launchyard.plugins.testkit.builder import BuilderCase, BuilderContract
from launchyard.ports.builder import BuildRequest, Built
from tests.adapters.local.wheels import make_project, make_wheel

_SECRET = "s3cr3ts3cr3t"  # noqa: S105 - an invented one


class VenvContract(BuilderContract):
    """Virtual environments, from wheels in a folder."""

    provider = "venv"

    @property
    @abstractmethod
    def installer(self) -> str:
        """The program that installs."""

    @pytest.fixture
    def case(self, tmp_path: Path) -> BuilderCase:
        wheels = tmp_path / "wheels"
        make_wheel(wheels, "tiny", "1.0")
        make_wheel(wheels, "tiny", "2.0")
        sources = itertools.count()

        def source(requirements: str) -> BuildRequest:
            folder = tmp_path / f"source{next(sources)}"
            folder.mkdir()
            (folder / "requirements.txt").write_text(requirements)
            return BuildRequest(name="job", source=str(folder))

        mark = tmp_path / "begun"
        slow = source("./slow\n")
        make_project(Path(slow.source, "slow"), "slow", _slow(mark))
        empty = tmp_path / "empty"
        empty.mkdir()
        login = f"--extra-index-url https://ann:{_SECRET}@127.0.0.1:1/simple\n"
        return BuilderCase(
            make=lambda: self.builder(tmp_path),
            good=lambda: source("tiny==1.0\n"),
            other=source("tiny==2.0\n"),
            nothing=BuildRequest(name="job", source=str(empty)),
            failing=source(f"{login}tiny\nnosuchthing==4\n"),
            failing_name="nosuchthing",
            slow=slow,
            slow_begun=mark.exists,
            slow_alive=lambda: mark.exists() and _lives(int(mark.read_text())),
            works=_works,
            secret=_SECRET,
        )

    def builder(self, folder: Path) -> VenvBuilder:
        """Return a builder that looks nowhere but in the folder of wheels."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_FIND_LINKS": str(folder / "wheels"),
            "PIP_NO_INDEX": "1",
            "UV_NO_CONFIG": "1",
        }
        config = VenvConfig(
            root=str(folder / "root"), installer=self.installer, environment=environment
        )
        return VenvBuilder(config)


class TestVenvByUv(VenvContract):
    """With uv."""

    installer = "uv"


class TestVenvByPip(VenvContract):
    """With pip."""

    installer = "pip"


def _slow(mark: Path) -> str:
    return (
        "import os, time\n"
        f"open({str(mark) + '.new'!r}, 'w').write(str(os.getpid()))\n"
        f"os.rename({str(mark) + '.new'!r}, {str(mark)!r})\n"
        "time.sleep(600)"
    )


def _lives(pid: int) -> bool:
    found = stat(pid)
    return found is not None and found.state not in "ZX"


def _works(built: Built) -> bool:
    done = subprocess.run(
        [f"{built.path}/bin/python", "-c", "import tiny; print(tiny.VERSION)"],
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout == "1.0\n"


def test_no_builder_is_left_out() -> None:
    """Every builder in the box keeps the contract."""
    modules = [module for module in MODULES.values() if hasattr(module, "builders")]
    registered = {provider.name for module in modules for provider in module.builders()}
    assert registered == {kit.provider for kit in BuilderContract.__subclasses__()}
