"""Source code on volume claims: the agent's mount of a claim has a folder for each attempt."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from launchyard.domain.reason import Reason
from launchyard.ports.runner import RunnerError

_FILE: Final = 0o666
_RUNS: Final = 0o111


def share(folder: str) -> None:
    """Let every user of a pod read and change what is in *folder*, as in an init container.

    Raises:
        RunnerError: it is not there, or the agent may not.
    """
    try:
        if not Path(folder).is_dir():
            raise FileNotFoundError(folder)
        for here, folders, files in os.walk(folder):
            _open(Path(here))
            for name in (*folders, *files):
                _open(Path(here, name))
    except OSError as e:
        text = f"the job's code in {folder} cannot be given to it: {e.strerror or 'it is gone'}"
        raise RunnerError(f"{text}; see to `code_claims`", reason=Reason.AGENT_ERROR) from None


def remove(roots: Iterable[str], name: str) -> None:
    """Remove an attempt's folder from every claim; a file that cannot go stays."""
    for root in roots:
        shutil.rmtree(Path(root, name), ignore_errors=True)


def _open(path: Path) -> None:
    found = path.lstat().st_mode
    if stat.S_ISLNK(found):
        return
    runs = stat.S_ISDIR(found) or bool(found & stat.S_IXUSR)
    wanted = stat.S_IMODE(found) | _FILE | (_RUNS if runs else 0)
    if wanted != stat.S_IMODE(found):
        path.chmod(wanted)
