"""The named places where tests kill."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from launchyard.actors import crashpoints
from tests.actors.kit import LIMIT_S

ACTORS = Path(crashpoints.__file__).parent
SCRIPT = "from launchyard.actors.crashpoints import reach\nfor n in range(5):\n    reach('a.b')\n"
SCRIPT += "    print(n, flush=True)\n"


def test_every_name_is_reached_in_the_code_and_no_other() -> None:
    """A place that is not declared would never be tested, a declared one never killed at."""
    text = "".join(path.read_text() for path in ACTORS.glob("*.py"))
    used = Counter(re.findall(r'reach\("([a-z_.]+)"\)', text))
    assert set(used) == crashpoints.names()
    for name, times in used.items():
        before = name.replace(".after_", ".before_")
        assert used[before] == times, name


def test_a_process_dies_at_the_visit_that_is_asked_for() -> None:
    """The third one here; without the variable nothing happens."""
    for value, printed in (("a.b:3", "0\n1\n"), ("a.b", ""), ("x.y", "0\n1\n2\n3\n4\n")):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={crashpoints.VARIABLE: value},
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
        assert done.stdout == printed
        assert done.returncode == (0 if value == "x.y" else -signal.SIGKILL)
