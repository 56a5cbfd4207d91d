"""The agent's logins of image registries, in the file that `docker login` writes."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from launchyard.domain.images import DOCKER_HUB
from launchyard.domain.reason import Reason
from launchyard.ports.runner import RunnerError

_KEPT_S: Final = 300.0
_PROGRAM_S: Final = 5.0
_HUB: Final = frozenset({"index.docker.io", "registry-1.docker.io", DOCKER_HUB})
_TOKEN_USER: Final = "<token>"  # noqa: S105 - a helper's word for a login without a name
_NONE_HERE: Final = "credentials not found"


@dataclass(frozen=True, slots=True)
class UserLogin:
    """A user name with its password."""

    user: str
    password: str = field(repr=False)


class Logins:
    """Finds the login of a registry: written into the file, or asked of the helper it names.

    The file is read at each question, so that a new login counts at once; what a helper says is
    good for five minutes. Thread-safe.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], tuple[float, UserLogin | None]] = {}

    def of(self, registry: str) -> UserLogin | None:
        """Return the login of *registry*, None when there is none.

        Raises:
            RunnerError: the file cannot be read, or its helper fails.
        """
        if not self._path:
            return None
        told = self._read()
        helpers = _by_host(told.get("credHelpers"))
        helper = str(helpers.get(registry) or told.get("credsStore") or "")
        written = _by_host(told.get("auths")).get(registry)
        found = _written(written) if isinstance(written, dict) else None
        return found if found is not None or not helper else self._helped(helper, registry)

    def _read(self) -> dict[str, Any]:
        try:
            told = json.loads(Path(self._path).read_text())
        except (OSError, ValueError) as e:
            why = e.strerror if isinstance(e, OSError) else "it is no JSON"
            raise _error(f"the registries' logins in {self._path} cannot be read: {why}") from None
        return told if isinstance(told, dict) else {}

    def _helped(self, helper: str, registry: str) -> UserLogin | None:
        key, now = (helper, registry), time.monotonic()
        with self._lock:
            until, known = self._kept.get(key, (0.0, None))
        if until > now:
            return known
        found = _asked(helper, registry)
        with self._lock:
            self._kept[key] = (now + _KEPT_S, found)
        return found


def _asked(helper: str, registry: str) -> UserLogin | None:
    """Ask a program as `docker` does: the server's name goes in, a document comes out."""
    program = f"docker-credential-{helper}"
    server = "https://index.docker.io/v1/" if registry == DOCKER_HUB else registry
    try:
        done = subprocess.run(
            [program, "get"],
            input=server,
            capture_output=True,
            text=True,
            timeout=_PROGRAM_S,
            check=False,
        )
        told = json.loads(done.stdout) if done.returncode == 0 else {}
    except (OSError, ValueError, subprocess.TimeoutExpired) as e:
        raise _error(f"the login of {registry}: {program} fails: {type(e).__name__}") from None
    if done.returncode and _NONE_HERE not in f"{done.stdout}{done.stderr}".lower():
        said = (done.stderr or done.stdout).strip()[:200]
        raise _error(f"the login of {registry}: {program} fails: {said}")
    user, password = str(told.get("Username") or ""), str(told.get("Secret") or "")
    # A token without a user is for `docker` alone: nodes cannot log in with it.
    return UserLogin(user, password) if password and user != _TOKEN_USER else None


def _written(entry: Mapping[str, Any]) -> UserLogin | None:
    user, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if not password and entry.get("auth"):
        try:
            text = base64.b64decode(str(entry["auth"]), validate=True).decode()
        except ValueError:
            return None
        user, _, password = text.rstrip("\0").partition(":")
    return UserLogin(user, password) if user and password else None


def _by_host(entries: Any) -> dict[str, Any]:
    """Return *entries* by registry: people write addresses there, with scheme and path."""
    found: dict[str, Any] = {}
    for address, entry in entries.items() if isinstance(entries, dict) else ():
        host = str(address).rpartition("://")[2].partition("/")[0]
        found[DOCKER_HUB if host in _HUB else host] = entry
    return found


def _error(text: str) -> RunnerError:
    remedy = "see to `targets.kubernetes.docker_config`"
    return RunnerError(f"{text}; {remedy}", reason=Reason.SUBMIT_FAILED, retry=True)
