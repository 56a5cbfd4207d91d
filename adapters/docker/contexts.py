"""Docker's contexts: the engine that `docker` itself would take, read without it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_NO_CONTEXT: Final = frozenset({"", "default"})
_REMEDY: Final = "set `host` below `targets.local-container`, or `docker context use default`"


def current_host(environment: Mapping[str, str]) -> str:
    """Return the address in docker's current context, nothing where there is none.

    Raises:
        ValueError: it is none that we can use; the message says how to go on.
    """
    folder = _folder(environment)
    name = environment.get("DOCKER_CONTEXT") or (_chosen(folder) if folder else "")
    if name in _NO_CONTEXT or folder is None:
        return ""
    # Docker names the folders of contexts so.
    key = hashlib.sha256(name.encode()).hexdigest()
    file = folder / "contexts" / "meta" / key / "meta.json"
    endpoint = _part(_part(_read(file), "Endpoints"), "docker")
    host = endpoint.get("Host")
    if not isinstance(host, str) or not host:
        raise ValueError(f"docker's context `{name}` names no engine in {file}: {_REMEDY}")
    if endpoint.get("SkipTLSVerify") or (folder / "contexts" / "tls" / key / "docker").exists():
        remedy = "set `host` and `certificates` below `targets.local-container`"
        raise ValueError(f"docker's context `{name}` speaks TLS, which is not taken over: {remedy}")
    return host


def _folder(environment: Mapping[str, str]) -> Path | None:
    if told := environment.get("DOCKER_CONFIG"):
        return Path(told)
    home = environment.get("HOME")
    return Path(home) / ".docker" if home else None


def _chosen(folder: Path) -> str:
    return str(_read(folder / "config.json").get("currentContext") or "")


def _read(file: Path) -> Mapping[str, Any]:
    """Return what is in *file*; nothing where there is none."""
    try:
        found = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as e:
        text = f"{file} cannot be read ({e}), so docker's context is unknown"
        raise ValueError(f"{text}: {_REMEDY}") from None
    return found if isinstance(found, dict) else {}


def _part(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = found.get(key)
    return inner if isinstance(inner, dict) else {}
