"""The README's commands, run as they stand there, and the tour's second agent."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import LIMIT_S, PROGRAM, clean_environment, start, until

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
TOUR = (ROOT / "docs" / "quickstart.md").read_text()


def _lines(block: str) -> list[str]:
    return [line.partition(" #")[0].strip() for line in block.splitlines() if line.strip()]


def _shell(line: str, folder: Path, env: dict[str, str]) -> str:
    """Run one line as a user's shell would; return what it printed."""
    words = ["/bin/sh", "-c", line]
    done = subprocess.run(
        words, cwd=folder, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    return done.stdout


def test_the_first_block_names_targets_that_the_makefile_has() -> None:
    """Two commands first: a demo and the tests."""
    makefile = (ROOT / "Makefile").read_text()
    for line in _lines(BLOCKS[0]):
        words = line.split()
        assert words[0] == "make"
        assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), line


def test_every_link_leads_to_a_file() -> None:
    """A page that is named is there."""
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_first_job_works_as_written(tmp_path: Path) -> None:
    """`up`, `launch --dir . --follow`, and what one asks afterwards."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "train.py").write_text(
        "import os, pathlib\n"
        "print('accuracy 0.97')\n"
        "pathlib.Path(os.environ['LAUNCHYARD_OUTPUT'], 'model.txt').write_text('weights')\n"
    )
    env = clean_environment(tmp_path) | {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    }
    up = start(tmp_path, "up", ["up"], env)
    try:
        until(lambda: up.process.poll() is not None or "launchyard launch" in up.said(), "up")
        assert up.process.poll() is None, up.said()
        (launch,) = _lines(BLOCKS[2])
        assert "accuracy 0.97" in _shell(launch, code, env)
        for line in _lines(BLOCKS[3]):
            _shell(line, tmp_path, env)
        assert (tmp_path / "model.txt").read_text() == "weights"
        _second_agent(tmp_path, code, env)
    finally:
        assert up.stop() == 0, up.said()


def _second_agent(folder: Path, code: Path, env: dict[str, str]) -> None:
    """Do what the tour says of another queue, beside `up`: its agent comes to work, too."""
    section = TOUR.partition("## Queues of your own")[2].partition("\n## ")[0]
    queue, words = re.findall(r"```bash\n(.*?)```", section, re.DOTALL)
    assert "OMP_NUM_THREADS" in _shell(queue, code, env)
    agent = start(folder, "night", words.split()[1:], env)
    try:
        job = ("launch", "-q", "night", "--dir", ".", "--follow", "--", "/bin/true")
        _shell(" ".join(("launchyard", *job)), code, env)
    finally:
        assert agent.stop() == 0, agent.said()


@pytest.mark.timeout(1200)
def test_the_demo_trains_shows_its_result_and_reuses_its_environment(tmp_path: Path) -> None:
    """The second run builds nothing."""
    words = [*PROGRAM, "demo", "--dir", str(ROOT / "examples" / "digits")]
    env = clean_environment(tmp_path)
    first = subprocess.run(words, env=env, capture_output=True, text=True, timeout=480, check=False)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "accuracy" in first.stdout
    assert "confusion.png" in first.stdout
    again = subprocess.run(words, env=env, capture_output=True, text=True, timeout=480, check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "reused" in again.stdout
