"""Read the ports of `docker run`, whose ranges the engine wants port by port."""

from __future__ import annotations

import re
from typing import Final

from launchyard.domain.documents import Json
from launchyard.domain.targets.docker_values import refuse, text

_PUBLISHED: Final = "as 8080:80, 127.0.0.1:8080:80/tcp or 8000-8010:80-90"
_PORT: Final = r"[0-9]{1,5}(?:-[0-9]{1,5})?"
_SPEC: Final = re.compile(
    rf"(?:(?:(?P<ip>\[[0-9a-fA-F:.]+\]|[0-9.]*):)?(?P<out>{_PORT})?:)?"
    rf"(?P<inside>{_PORT})(?:/(?P<protocol>tcp|udp|sctp))?"
)
_LAST: Final = 65535


def ports(raw: Json) -> Json:
    """Read published ports, as 8080:80/tcp, 127.0.0.1:8080:80 or 8000-8010:80-90."""
    found: dict[str, Json] = {}
    for word in raw if isinstance(raw, list) else [raw]:
        match = _SPEC.fullmatch(str(text(word)))
        inside = _span(match["inside"]) if match else range(0)
        if match is None or not inside:
            raise refuse(word, _PUBLISHED)
        outside = match["out"] or ""
        if outside and not _span(outside):
            raise refuse(word, _PUBLISHED)
        hosts = [str(port) for port in _span(outside)] if outside else [""] * len(inside)
        if len(hosts) != len(inside):
            if len(inside) > 1:
                raise refuse(word, _PUBLISHED, "both ranges have to be of one length")
            hosts = [outside]  # the engine takes one that is free
        for port, host in zip(inside, hosts, strict=True):
            binding: Json = {"HostIp": (match["ip"] or "").strip("[]"), "HostPort": host}
            key = f"{port}/{match['protocol'] or 'tcp'}"
            before = found.get(key)
            found[key] = [*(before if isinstance(before, list) else []), binding]
    return found


def exposed(raw: Json) -> Json:
    """Read ports that are exposed, as 80, 80/udp or 8000-8010."""
    found: dict[str, Json] = {}
    for word in raw if isinstance(raw, list) else [raw]:
        span, _, protocol = str(text(word)).partition("/")
        numbers = _span(span) if re.fullmatch(_PORT, span) else range(0)
        if not numbers or protocol not in {"", "tcp", "udp", "sctp"}:
            raise refuse(word, "as 80, 80/udp or 8000-8010")
        found.update({f"{port}/{protocol or 'tcp'}": {} for port in numbers})
    return found


def _span(said: str) -> range:
    """Return the ports from the first to the last; none where these are no ports."""
    first, _, last = said.partition("-")
    low, high = int(first), int(last or first)
    return range(low, high + 1) if 0 < low <= high <= _LAST else range(0)
