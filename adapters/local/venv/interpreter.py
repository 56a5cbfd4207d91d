"""Finding the interpreter that a launch wants."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from launchyard.domain.reason import Reason
from launchyard.ports.builder import BuildError

_VERSION: Final = re.compile(r"(?P<major>\d+)(?:\.(?P<minor>\d+))?(?:\.[\w.]+)?")
_PROBE: Final = (
    "import json,platform,sys,sysconfig;print(json.dumps([platform.python_implementation(),"
    "platform.python_version(),sysconfig.get_platform(),sys.base_prefix]))"
)
_PROBE_S: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python, and all of it that decides what an environment made with it holds."""

    path: str
    implementation: str
    version: str
    platform: str
    home: str

    def fits(self, version: re.Match[str]) -> bool:
        """Tell whether this is the *version* asked for, as far as major and minor go."""
        major, minor = (*self.version.split("."), "")[:2]
        return major == version["major"] and version["minor"] in {None, minor}


class Interpreters:
    """Finds interpreters by version, name or path; what it has seen once it knows."""

    def __init__(self, usual: str, environment: Mapping[str, str]) -> None:
        self._usual = usual or sys.executable
        self._environment = environment
        self._known: dict[tuple[str, int], Interpreter] = {}

    def find(self, wanted: str) -> Interpreter:
        """Return the interpreter that *wanted* means; empty means the usual one.

        Raises:
            BuildError: there is none (`BUILDER_MISSING`), or it does not run.
        """
        version = _VERSION.fullmatch(wanted)
        if version is None:
            return self._probe(self._located(wanted or self._usual))
        usual = self._probe(self._located(self._usual))
        if usual.fits(version):
            return usual
        name = f"python{version['major']}"
        name += f".{version['minor']}" if version["minor"] else ""
        found = self._probe(self._located(name))
        if not found.fits(version):
            raise _missing(f"`{name}` is Python {found.version}, not {wanted}")
        return found

    def _located(self, name: str) -> str:
        found = shutil.which(name, path=self._environment.get("PATH", os.defpath))
        if found is None:
            usual = f"; the agent has `{self._usual}`" if name != self._usual else ""
            raise _missing(f"there is no interpreter `{name}` on the agent's machine{usual}")
        return found

    def _probe(self, path: str) -> Interpreter:
        key = (path, Path(path).stat().st_mtime_ns)
        if key not in self._known:
            self._known[key] = self._ask(path)
        return self._known[key]

    def _ask(self, path: str) -> Interpreter:
        try:
            done = subprocess.run(
                [path, "-I", "-c", _PROBE],
                capture_output=True,
                timeout=_PROBE_S,
                check=True,
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
            )
            implementation, version, platform, home = json.loads(done.stdout)
        except (OSError, subprocess.SubprocessError, ValueError):
            raise _missing(f"`{path}` does not run as a Python interpreter") from None
        return Interpreter(
            path=path,
            implementation=implementation,
            version=version,
            platform=platform,
            home=home,
        )


def _missing(message: str) -> BuildError:
    hint = "install it there, or ask for another with `python` in the queue's configuration"
    return BuildError(f"{message}: {hint}", reason=Reason.BUILDER_MISSING)
