"""Read `device` of `docker run`: nodes of the machine, and devices by their CDI names."""

from __future__ import annotations

import re
from typing import Final

from launchyard.domain.documents import Json
from launchyard.domain.targets.docker_values import merged, refuse, text

_ALLOWED: Final = "as /dev/fuse, /dev/sda:/dev/xvda:rw or nvidia.com/gpu=0"
_CDI: Final = re.compile(
    r"[A-Za-z](?:[\w.-]*[A-Za-z0-9])?/[A-Za-z](?:[\w-]*[A-Za-z0-9])?"
    r"=[A-Za-z0-9](?:[\w.:-]*[A-Za-z0-9])?",
    re.ASCII,
)
"""Vendor, class and name, as the Container Device Interface has them."""


def devices(raw: Json) -> Json:
    """Read devices, as /dev/fuse or /dev/sda:/dev/xvda:rw; names of CDI stay words."""
    return [_device(word) for word in (raw if isinstance(raw, list) else [raw])]


def put_devices(host: dict[str, Json], found: Json) -> None:
    """Put what `devices` read into the request's part about the machine, as docker does."""
    words = found if isinstance(found, list) else []
    if nodes := [one for one in words if isinstance(one, dict)]:
        merged(host, ("Devices",), list[Json](nodes))
    if names := [one for one in words if isinstance(one, str)]:
        before = host.get("DeviceRequests")
        ours: Json = {"Driver": "cdi", "DeviceIDs": list[Json](names)}
        merged(host, ("DeviceRequests",), [*(before if isinstance(before, list) else []), ours])


def _device(word: Json) -> Json:
    said = str(text(word))
    if _CDI.fullmatch(said):
        return said
    node, _, rest = said.partition(":")
    inside, _, rights = rest.partition(":")
    if set(inside) <= set("rwm") and not rights:
        inside, rights = "", inside
    if not node.startswith("/"):
        raise refuse(word, _ALLOWED)
    return {
        "PathOnHost": node,
        "PathInContainer": inside or node,
        "CgroupPermissions": rights or "rwm",
    }
