"""What the builder of virtual environments promises beyond the contract of all builders."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from launchyard.adapters.local.venv.builder import VenvBuilder, VenvConfig
from launchyard.adapters.local.venv.wanted import wanted
from launchyard.domain.reason import Reason
from launchyard.ports.builder import BuildError, BuildRequest, Built
from tests.adapters.local.kit import WAIT_S, eventually
from tests.adapters.local.wheels import make_held_project, make_wheel

_BUILD = """\
import pickle, sys
from launchyard.adapters.local.venv.builder import VenvBuilder
config, request = pickle.load(sys.stdin.buffer)
built = VenvBuilder(config).build(request, lambda _: None, lambda: False)
sys.stdout.buffer.write(pickle.dumps(built))
"""


@pytest.fixture
def config(tmp_path: Path) -> VenvConfig:
    """Give the configuration of a builder that finds wheels in a folder alone."""
    make_wheel(tmp_path / "wheels", "tiny", "1.0")
    make_wheel(tmp_path / "wheels", "other", "3.0")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_FIND_LINKS": str(tmp_path / "wheels"),
        "PIP_NO_INDEX": "1",
        "UV_NO_CONFIG": "1",
        "AWS_SECRET_ACCESS_KEY": "not for builds",
    }
    return VenvConfig(root=str(tmp_path / "root"), environment=environment)


def source(folder: Path, **files: str) -> BuildRequest:
    """Write files (`__` for a dot in their names) and return the request to build them."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        path = folder / name.replace("__", ".")
        path.write_text(text)
    return BuildRequest(name="job", source=str(folder), timeout_s=120)


def build(config: VenvConfig, request: BuildRequest) -> Built:
    """Build without a wish to stop."""
    return VenvBuilder(config).build(request, lambda _: None, lambda: False)


def refuse(config: VenvConfig, request: BuildRequest) -> BuildError:
    """Return the error of a build that has to fail."""
    with pytest.raises(BuildError) as e:
        build(config, request)
    return e.value


def begin(config: VenvConfig, request: BuildRequest) -> subprocess.Popen[bytes]:
    """Build in a new process."""
    process = subprocess.Popen(
        [sys.executable, "-c", _BUILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.write(pickle.dumps((config, request)))
    process.stdin.close()
    process.stdin = None
    return process


def modules(built: Built) -> set[str]:
    """Return which of the test's modules are there."""
    found = Path(built.path).glob("lib/python*/site-packages/*.py")
    return {path.stem for path in found} & {"tiny", "other", "held"}


def test_two_processes_build_once(config: VenvConfig, tmp_path: Path) -> None:
    """The second waits for the first and uses what it made."""
    request = source(tmp_path / "source", requirements__txt="./held\n")
    hold = make_held_project(Path(request.source, "held"), tmp_path)
    first = begin(config, request)
    eventually((tmp_path / "begun").exists)
    second = begin(config, request)
    hold.unlink()
    caches = {pickle.loads(one.communicate(timeout=WAIT_S)[0]).cache for one in (first, second)}  # noqa: S301
    assert caches in ({"miss", "joined"}, {"miss", "hit"})
    assert (tmp_path / "begun").read_text() == "x"


def test_a_killed_build_is_made_anew(config: VenvConfig, tmp_path: Path) -> None:
    """What it left running is ended first, and what it left on disk is not used."""
    request = source(tmp_path / "source", requirements__txt="tiny\n./held\n")
    hold = make_held_project(Path(request.source, "held"), tmp_path)
    first = begin(config, request)
    eventually((tmp_path / "begun").exists)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    second = begin(config, request)
    eventually(lambda: (tmp_path / "begun").read_text() == "xx")
    hold.unlink()
    built = pickle.loads(second.communicate(timeout=WAIT_S)[0])  # noqa: S301
    assert built.cache == "miss"
    assert modules(built) == {"tiny", "held"}


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_includes_are_followed(config: VenvConfig, tmp_path: Path, installer: str) -> None:
    """Files that name each other are one list, also from a folder."""
    request = source(tmp_path / "source", requirements__txt="-r more/base.txt\n-c limits.txt\n")
    Path(request.source, "more").mkdir()
    Path(request.source, "more/base.txt").write_text("tiny  # small\n-r ../other.txt\n")
    Path(request.source, "other.txt").write_text("other\n")
    Path(request.source, "limits.txt").write_text("tiny==1.0\n")
    built = build(replace(config, installer=installer), request)
    assert modules(built) == {"tiny", "other"}
    Path(request.source, "limits.txt").write_text("tiny<2\n")
    again = build(replace(config, installer=installer), request)
    assert (again.cache, again.key == built.key) == ("miss", False)


def test_what_means_the_same_is_the_same(config: VenvConfig, tmp_path: Path) -> None:
    """Comments, order, blanks, the file's name and the installer do not count."""
    first = build(config, source(tmp_path / "a", requirements__txt="tiny==1.0\nother\n"))
    lines = ("Other   # three", "", "tiny == 1.0")
    second = build(
        replace(config, installer="pip"),
        BuildRequest(name="job", source="", requirements=lines, timeout_s=120),
    )
    assert (second.key, second.cache) == (first.key, "hit")


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/hosts", "link.txt"])
def test_nothing_outside_of_the_source_is_read(
    config: VenvConfig, tmp_path: Path, name: str
) -> None:
    """No include, however it gets there."""
    (tmp_path / "outside.txt").write_text("tiny\n")
    request = source(tmp_path / "source", requirements__txt=f"-r {name}\n")
    Path(request.source, "link.txt").symlink_to(tmp_path / "outside.txt")
    error = refuse(config, request)
    assert error.reason is Reason.SOURCE_REFUSED
    assert name in str(error)


def test_a_file_that_is_not_there_is_named(config: VenvConfig, tmp_path: Path) -> None:
    """The launch's own, or an included one."""
    request = source(tmp_path / "source", requirements__txt="-r gone.txt\n")
    assert "gone.txt" in str(refuse(config, request))
    request = replace(request, requirements="nowhere.txt")
    assert "nowhere.txt" in str(refuse(config, request))


def test_files_that_include_each_other_are_refused(config: VenvConfig, tmp_path: Path) -> None:
    """Instead of being read for ever."""
    request = source(tmp_path / "source", requirements__txt="-r requirements.txt\n")
    assert refuse(config, request).reason is Reason.SPEC_INVALID


def test_a_project_gives_its_dependencies(config: VenvConfig, tmp_path: Path) -> None:
    """It is not installed itself: the job runs in its folder."""
    text = '[project]\nname = "job"\nversion = "1"\ndependencies = ["tiny>=1"]\n'
    built = build(config, source(tmp_path / "source", pyproject__toml=text))
    assert modules(built) == {"tiny"}


def test_the_usual_files_have_an_order(tmp_path: Path) -> None:
    """requirements.txt, then the frozen list, then the project."""
    request = source(
        tmp_path / "source",
        requirements__txt="a",
        requirements__frozen__txt="b",
        pyproject__toml='[project]\nname="x"\ndependencies=["c"]',
    )
    for name, line in (("requirements.txt", "a"), ("requirements.frozen.txt", "b")):
        found = wanted(request)
        assert found is not None
        assert found.lines == (line,)
        Path(request.source, name).unlink()
    found = wanted(request)
    assert found is not None
    assert found.lines == ("c",)


@pytest.mark.parametrize(
    "text",
    [
        '[tool.poetry.dependencies]\npython = "^3.11"\nnumpy = "*"\n',
        '[project]\nname = "x"\ndynamic = ["dependencies"]\n',
        '[project]\nname = "x"\ndependencies = "numpy"\n',
        "[project\n",
    ],
)
def test_a_project_that_cannot_be_read_is_told(tmp_path: Path, text: str) -> None:
    """Instead of running the job without what it needs."""
    with pytest.raises(BuildError) as e:
        wanted(source(tmp_path / "source", pyproject__toml=text))
    assert e.value.reason is Reason.SPEC_INVALID
    assert "pyproject.toml" in str(e.value)


def test_a_file_of_settings_needs_nothing(tmp_path: Path) -> None:
    """Many projects keep only their tools' settings there."""
    request = source(tmp_path / "source", pyproject__toml="[tool.ruff]\nline-length = 90\n")
    asked = wanted(request)
    assert asked is not None
    assert asked.lines == ()


def test_code_that_requires_nothing_gets_python_all_the_same(
    config: VenvConfig, tmp_path: Path
) -> None:
    """One empty environment serves all such jobs, and no installer runs for it."""
    first = build(config, source(tmp_path / "one", train__py="print(1)\n"))
    again = build(config, source(tmp_path / "two", other__py="print(2)\n"))
    assert Path(first.path, "bin", "python").exists()
    assert again.path == first.path


def test_a_folder_of_the_source_counts_by_its_contents(config: VenvConfig, tmp_path: Path) -> None:
    """And is installed as it stands, for the environment outlives the source."""
    request = source(tmp_path / "source", requirements__txt="-e ./held\n")
    make_held_project(Path(request.source, "held"), tmp_path).unlink()
    first = build(config, request)
    assert modules(first) == {"held"}
    Path(request.source, "held/new.py").touch()
    assert build(config, request).key != first.key


@pytest.mark.parametrize("python", ["2.2", "nosuchpython", "/nowhere/python"])
def test_a_missing_interpreter_is_told(config: VenvConfig, tmp_path: Path, python: str) -> None:
    """With what to do."""
    request = source(tmp_path / "source", requirements__txt="tiny\n")
    error = refuse(config, replace(request, python=python))
    assert error.reason is Reason.BUILDER_MISSING
    assert "install it" in str(error)


def test_a_version_is_found(config: VenvConfig, tmp_path: Path) -> None:
    """The usual interpreter serves when it fits, whatever its last number."""
    request = source(tmp_path / "source", requirements__txt="tiny\n")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    keys = {build(config, replace(request, python=p)).key for p in ("", version, f"{version}.99")}
    assert len(keys) == 1
