"""What people add from outside: a package with a target, and executables as one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.exec_kit import FOLDER, settings
from tests.programs import Program, Yard, clean_environment, free_port, until, yard

EXAMPLE = Path(__file__).parents[2] / "examples/plugins/launchyard-rehearsal"
TEAM = "team"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Install the example into an environment of its own; return that environment's Python.

    What the package depends on is taken from this environment, so that nothing is downloaded.
    """
    folder = tmp_path_factory.mktemp("outside")
    source = folder / "source"
    shutil.copytree(EXAMPLE, source)
    venv.create(folder / "env", with_pip=False)
    there = str(folder / "env/bin/python")
    site = next((folder / "env/lib").glob("python*/site-packages"))
    ours = sysconfig.get_path("purelib")
    (site / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps"]
    run([*command, "--no-build-isolation", "--python", there, str(source)], folder)
    return there


def run(command: list[str], folder: Path) -> str:
    """Run a command that has to succeed; return what it printed."""
    env = clean_environment(folder)
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def start_agent(made: Yard, python: str, config: dict[str, Any]) -> None:
    """Start the agent of that environment for all three queues."""
    file = made.folder / "launch-config.yaml"
    file.write_text(json.dumps(config))
    words = ["agent", "-q", "stage", "-q", "shell", "-q", "plain", "-e", TEAM, "-j", "8"]
    words += ["--server", made.url, "--key-file", str(made.key_file), "-c", str(file)]
    words += ["--state-dir", str(made.folder / "agent"), "--operations-port", str(free_port())]
    env = clean_environment(made.folder) | {FOLDER: str(made.folder / "things")}
    log = made.folder / "agent.log"
    with log.open("ab") as out:
        program = [python, "-m", "launchyard", *words]
        process = subprocess.Popen(program, env=env, stdout=out, stderr=out)
    made.agents["outside"] = Program(process, log)


def submit(made: Yard, queue: str, *words: str) -> str:
    """Put a command on a queue."""
    spec = {"project": "p", "overrides": {"entry_point": [*words]}}
    path = f"/entities/{TEAM}/queues/{queue}/items"
    return str(made.call("POST", path, json={"spec": spec})["id"])


def test_the_plugin_is_listed_and_keeps_the_kit(python: str, tmp_path: Path) -> None:
    """Installing it is all; its own tests are the kit of the port."""
    listed = json.loads(run([python, "-m", "launchyard", "plugins", "--json"], tmp_path))
    (plugin,) = [one for one in listed if one["name"] == "rehearsal"]
    assert (plugin["state"], plugin["origin"]) == ("on", "launchyard-rehearsal")
    assert plugin["brings"] == ["target rehearsal"]
    kit = [python, "-m", "pytest", "-q", "-c", "/dev/null", "-p", "no:cacheprovider"]
    assert " passed" in run([*kit, str(EXAMPLE / "tests")], tmp_path)


def test_jobs_run_where_the_box_has_no_adapter(python: str, tmp_path: Path) -> None:
    """A package's target and four shell scripts, by the real server and agent, under one policy."""
    (tmp_path / "things").mkdir()
    config = {
        "targets": {"exec": {**settings(), "interval": 0.2}},
        "host_guard": {"min_disk": "1000TB", "targets": ["local-process"]},
    }
    with yard(tmp_path) as made:
        for name, resource in (
            ("stage", "rehearsal"),
            ("shell", "exec"),
            ("plain", "local-process"),
        ):
            queue = {"name": name, "resource": resource, "config": {}}
            made.call("POST", f"/entities/{TEAM}/queues", json=queue)
        start_agent(made, python, config)
        kept = submit(made, "plain", "/bin/true")
        play = submit(made, "stage", "print:up", "sleep:0.1", "print:down", "exit:3")
        shell = submit(made, "shell", "/bin/sh", "-c", "echo from $LAUNCHYARD_QUEUE; exit 4")
        end = made.wait_done(shell)
        assert (end["reason"], end["exit_code"]) == ("exit_code", 4)
        assert made.log_of(shell) == "from shell\n"
        assert made.wait_done(play)["exit_code"] == 3
        assert made.log_of(play) == "up\ndown\n"
        why = f"/items/{kept}/why"
        until(lambda: made.call("GET", why)["reason"] == "host_guard", "the reason")
        assert "min_disk" in made.call("GET", why)["text"]
