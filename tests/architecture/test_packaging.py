"""What is installed is what is in the repository: sdist → wheel → a fresh environment."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ("actors", "adapters", "domain", "plugins", "ports")

pytestmark = pytest.mark.timeout(300)


def run(words: Sequence[str], folder: Path) -> str:
    """Run a command and return what it printed."""
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist from a checkout, and the wheel from the sdist alone."""
    folder = tmp_path_factory.mktemp("packaging")
    run(["git", "clone", "--quiet", str(ROOT), str(folder / "checkout")], folder)
    words = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    run([*words, str(folder / "checkout")], folder)
    (made,) = folder.glob("*.whl")
    return made


def committed() -> set[str]:
    """Return the package's files in the repository, by the paths that they have when installed."""
    names = run(["git", "ls-files", "--", *LAYERS, "launchyard"], ROOT).splitlines()
    return {
        f"launchyard/{name}" if name.partition("/")[0] in LAYERS else name
        for name in names
        if not (ROOT / name).is_symlink()
    }


def test_the_wheel_has_every_module(wheel: Path) -> None:
    """A folder that is added and forgotten in the list would be missing for users alone."""
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    assert committed() - packed == set()
    others = {name for name in packed if not name.startswith(("launchyard/", "launchyard-"))}
    assert not others


def test_a_fresh_environment_runs_it(wheel: Path, tmp_path: Path) -> None:
    """What users install starts, away from the repository, without its links."""
    run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "fresh")], tmp_path)
    (site,) = (tmp_path / "fresh/lib").glob("python*/site-packages")
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps"]
    python = str(tmp_path / "fresh/bin/python")
    run([*uv, "--python", python, str(wheel)], tmp_path)
    (site / "packages.pth").write_text(f"{Path(pytest.__file__).parents[1]}\n")
    found = run([python, "-c", "import launchyard.domain as d; print(d.__path__[0])"], tmp_path)
    assert found.strip() == str(site / "launchyard/domain")
    assert "Usage" in run([python, "-m", "launchyard", "--help"], tmp_path)


def test_the_sdist_brings_the_tests(wheel: Path) -> None:
    """Who packages us can run them."""
    (sdist,) = wheel.parent.glob("*.tar.gz")
    names = run(["tar", "-tzf", str(sdist)], wheel.parent).splitlines()
    assert any(name.endswith("/tests/domain/test_lease.py") for name in names)


def pins(lock: str) -> dict[str, str]:
    """Return the versions that a lock file names, with their hashes left out."""
    text = (ROOT / "requirements" / f"{lock}.lock").read_text()
    return dict(re.findall(r"(?m)^([a-z0-9._-]+)==(\S+)", text))


@pytest.mark.parametrize("lock", ["run", "image", "domain"])
def test_all_locks_agree(lock: str) -> None:
    """What runs somewhere is what was tested: a smaller lock is a part of the whole one."""
    assert pins(lock).items() <= pins("all").items()


def test_the_image_has_the_packages_of_every_target() -> None:
    """An agent with containers or a cluster as its target needs no image of its own."""
    assert {"docker", "kubernetes", "fastapi", "poetry-core"} <= pins("image").keys()
    assert "LOCK=requirements/image.lock" in (ROOT / "Dockerfile").read_text()
