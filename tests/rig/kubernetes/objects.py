"""What an API server does with single objects: refusals, selectors, patches."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Obj = dict[str, Any]


@dataclass(frozen=True)
class Resource:
    """A kind of object, as discovery tells of it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api(self) -> str:
        """The `apiVersion` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full(self) -> str:
        """The name that messages use."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


class RefusedError(Exception):
    """An answer that is no success; `body` is the `Status` object."""

    def __init__(self, code: int, reason: str, message: str, retry_after_s: int = 0) -> None:
        super().__init__(message)
        self.code, self.retry_after_s = code, retry_after_s
        self.body: Obj = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        }


def check_uid(options: Obj, uid: str) -> None:
    """Refuse to delete an object that is not the one that was meant."""
    wanted = (options.get("preconditions") or {}).get("uid", uid)
    if wanted != uid:
        words = f"the UID in the precondition ({wanted}) does not match the UID in record ({uid})"
        message = f"Operation cannot be fulfilled: {words}. The object might have been deleted"
        raise RefusedError(409, "Conflict", f"{message} and then recreated")


def now() -> str:
    """Return the time as API servers write it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def merged(base: Any, patch: Any) -> Any:
    """Return *base* with a JSON merge patch; `name`d members of lists are not told apart."""
    if not isinstance(patch, dict):
        return patch
    out = dict(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merged(out.get(key), value)
    return out


def selects(selector: str, labels: Mapping[str, str]) -> bool:
    """Tell whether a label selector picks an object with *labels*."""
    return all(
        _holds(part.strip(), labels)
        for part in re.findall(r"[^,(]+(?:\([^)]*\))?", selector)
        if part.strip()
    )


def _holds(part: str, labels: Mapping[str, str]) -> bool:
    if match := re.fullmatch(r"(\S+)\s+(in|notin)\s*\(([^)]*)\)", part):
        values = {value.strip() for value in match[3].split(",")}
        return (labels.get(match[1]) in values) == (match[2] == "in")
    if "!=" in part:
        key, value = part.split("!=")
        return labels.get(key.strip()) != value.strip()
    if "=" in part:
        key, value = re.split("==?", part)
        return labels.get(key.strip()) == value.strip()
    return part[1:] not in labels if part.startswith("!") else part in labels


def field_selects(selector: str, obj: Obj) -> bool:
    """Tell whether a field selector picks *obj*."""
    for part in filter(None, selector.split(",")):
        key, value = re.split("!=|==?", part)
        found: Any = obj
        for name in key.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        if ((found or "") == value) == ("!=" in part):
            return False
    return True
