"""The real `wandb` client, as people have it, in an environment of its own.

Each version is installed once, from its lock file in `requirements/`, beside the environment that
the tests run in, and is used again by later runs.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers import RunningServer

VERSIONS = ("0.31.0", "0.28.2")
_ROOT = Path(__file__).parents[1]
_INSTALL_S = 240
LIMIT_S = 120.0


def stock_python(version: str = VERSIONS[0]) -> Path:
    """Give the Python of an environment that has this version of wandb; `wandb` lies beside it."""
    folder = Path(sys.prefix) / f"stock-{version}"
    folder.mkdir(exist_ok=True)
    python, made = folder / "bin/python", folder / ".made"
    lock = _ROOT / f"requirements/stock-{version}.lock"
    with folder.with_name(f"{folder.name}.held").open("w") as held:
        # Two workers of one run may want it; `.lock` inside of it is the installer's own.
        fcntl.flock(held, fcntl.LOCK_EX)
        if not made.exists() or made.read_text() != lock.read_text():
            _install(folder, lock)
            made.write_text(lock.read_text())
    return python


def _install(folder: Path, lock: Path) -> None:
    venv.create(folder, with_pip=False)
    uv = [sys.executable, "-m", "uv", "--quiet", "pip", "sync", "--require-hashes"]
    command = [*uv, "--compile-bytecode", "--python", str(folder / "bin/python"), str(lock)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
    assert done.returncode == 0, f"the stock client cannot be installed: {done.stderr}"


def stock_environment(base_url: str, api_key: str, home: Path) -> Mapping[str, str]:
    """Give the variables with which a stock client talks to *base_url* and to nobody else."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "WANDB_API_KEY": api_key,
        "WANDB_BASE_URL": base_url,
        "WANDB_DIR": str(home),
        "WANDB_ERROR_REPORTING": "false",
        "NO_PROXY": "127.0.0.1",
    }


@dataclass
class Stock:
    """The stock client with a home folder of its own; `more` are further variables for it."""

    venv: Path
    home: Path
    server: RunningServer
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        """Return the variables that it runs with."""
        told = stock_environment(self.server.url, self.server.admin_key, self.home)
        return {**told, "PATH": f"{self.venv / 'bin'}:/usr/bin:/bin", **self.more}

    def run(self, *words: str) -> str:
        """Run a program of its environment, which has to succeed; return what it said."""
        done = subprocess.run(
            words,
            env=self.env,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def newest(self) -> dict[str, Any]:
        """Return the item that was queued last."""
        [item] = self.server.call("GET", "/items?most=1")["items"]
        return dict(self.server.call("GET", f"/items/{item['id']}"))
