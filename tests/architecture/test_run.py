"""`tests/run.sh`: what a test that fails costs, and when a second run may judge it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_RUN = Path(__file__).parents[1] / "run.sh"
_TESTS = """
from pathlib import Path
import pytest

def test_good():
    pass

def test_once():
    ran = Path(__file__).with_name("ran")
    first = not ran.exists()
    ran.touch()
    assert not first

@pytest.mark.parametrize("number", range({bad}))
def test_bad(number):
    assert False
"""


def run(folder: Path, bad: int) -> subprocess.CompletedProcess[str]:
    """Run a good test, one that fails only at first, and *bad* ones that always fail."""
    (folder / "test_some.py").write_text(_TESTS.format(bad=bad))
    options = [str(folder), f"--rootdir={folder}", "-p", "xdist.plugin", "-p", "pytest_timeout"]
    words = ["sh", str(_RUN), sys.executable, str(folder / "failed"), *options]
    # The other plugins take longer to load than these tests to run.
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("bad", "code", "said"),
    [
        (
            0,
            0,
            "UNSTEADY: failed beside another test, and passed alone:\n  test_some.py::test_once",
        ),
        (1, 1, "1 failed, 1 passed in"),
        (3, 1, "4 tests failed, more than 3: none of them is run again."),
    ],
)
def test_what_failed_is_judged_once_more(tmp_path: Path, bad: int, code: int, said: str) -> None:
    """An unsteady test is named, a bad one fails the run, many are no matter of chance."""
    done = run(tmp_path, bad)
    assert (done.returncode, said in done.stdout) == (code, True), done.stdout + done.stderr
