"""Read `mount` of `docker run`, whose words are many, as the engine wants it."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from typing import Final

from launchyard.domain.documents import Json
from launchyard.domain.targets.docker_values import choice, merged, pairs, refuse, size, text

_ALLOWED: Final = "as type=bind,source=/data,target=/data,readonly"
_KINDS: Final = ("bind", "volume", "tmpfs", "image")
_RECURSIVE: Final[Mapping[str, Mapping[str, Json]]] = {
    "enabled": {},
    "disabled": {"NonRecursive": True},
    "writable": {"ReadOnlyNonRecursive": True},
    "readonly": {"ReadOnlyForceRecursive": True},
}
_PLAIN: Final = {
    "target": "Target",
    "destination": "Target",
    "dst": "Target",
    "source": "Source",
    "src": "Source",
}


def mounts(raw: Json) -> Json:
    """Read mounts, as type=bind,source=/data,target=/data,readonly."""
    return [_mount(word) for word in (raw if isinstance(raw, list) else [raw])]


def _mount(word: Json) -> Json:
    mount: dict[str, Json] = {"Type": "volume"}
    given = [part.partition("=") for part in next(csv.reader([str(text(word))]))]
    kinds = [value for key, _, value in given if key == "type"]
    mount["Type"] = kind = kinds[-1] if kinds else "volume"
    for key, _, value in given:
        of = next((name for name in _KINDS if key.startswith(f"{name}-")), kind)
        if kind not in _KINDS or of != kind or (key not in _PLAIN and key not in _READ):
            raise refuse(word, _ALLOWED, _hint(key, kind))
        if key in _PLAIN:
            mount[_PLAIN[key]] = text(value)
        elif key != "type":
            place, read = _READ[key]
            merged(mount, place, read(value))
    if not str(mount.get("Target", "")).startswith("/"):
        raise refuse(word, _ALLOWED, "name a whole path as `target`")
    return mount


def _hint(key: str, kind: str) -> str:
    if kind not in _KINDS:
        return f"`type` is one of {', '.join(_KINDS)}"
    return f"`{key}` is not for a mount of the type {kind}"


def _yes(raw: Json) -> Json:
    """Read a word that says yes by being there."""
    if raw in {"", "true", "1"}:
        return True
    if raw in {"false", "0"}:
        return False
    raise refuse(raw, "true or false")


def _recursive(raw: Json) -> Json:
    """Read what becomes of the mounts below a folder, as the options of its own that say so."""
    if raw not in _RECURSIVE:
        raise refuse(raw, ", ".join(_RECURSIVE))
    return dict(_RECURSIVE[str(raw)])


def _mode(raw: Json) -> Json:
    if not re.fullmatch(r"[0-7]{1,4}", str(raw)):
        raise refuse(raw, "a mode in octal, as 1777")
    return int(str(raw), 8)


_READ: Final[Mapping[str, tuple[tuple[str, ...], Callable[[Json], Json]]]] = {
    "type": (("Type",), text),
    "readonly": (("ReadOnly",), _yes),
    "ro": (("ReadOnly",), _yes),
    "consistency": (
        ("Consistency",),
        choice("default", "consistent", "cached", "delegated"),
    ),
    "bind-propagation": (
        ("BindOptions", "Propagation"),
        choice("private", "rprivate", "shared", "rshared", "slave", "rslave"),
    ),
    "bind-nonrecursive": (("BindOptions", "NonRecursive"), _yes),
    "bind-recursive": (("BindOptions",), _recursive),
    "volume-subpath": (("VolumeOptions", "Subpath"), text),
    "image-subpath": (("ImageOptions", "Subpath"), text),
    "volume-nocopy": (("VolumeOptions", "NoCopy"), _yes),
    "volume-label": (("VolumeOptions", "Labels"), pairs),
    "volume-driver": (("VolumeOptions", "DriverConfig", "Name"), text),
    "volume-opt": (("VolumeOptions", "DriverConfig", "Options"), pairs),
    "tmpfs-size": (("TmpfsOptions", "SizeBytes"), size()),
    "tmpfs-mode": (("TmpfsOptions", "Mode"), _mode),
}
"""What else may be said of a mount, where the engine wants it, and how it is read."""
