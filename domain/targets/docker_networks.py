"""The long form of docker's `network`, as `name=mine,alias=trainer,ip=10.0.0.2`.

It says together what else are arguments of their own, so it is spread over those.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from typing import Final

from launchyard.domain.config.suggest import did_you_mean
from launchyard.domain.documents import Json
from launchyard.domain.targets.docker_values import refuse, text, whole

OPTIONS, PRIORITY = "network driver-opt", "network gw-priority"
"""What the long form alone can say, under names that are no argument's."""

_INTO: Final = {
    "name": "network",
    "alias": "network-alias",
    "driver-opt": OPTIONS,
    "gw-priority": PRIORITY,
    "ip": "ip",
    "ip6": "ip6",
    "link-local-ip": "link-local-ip",
    "mac-address": "mac-address",
}
_LISTS: Final = frozenset({"network-alias", "link-local-ip"})
_ALLOWED: Final = f"a name, or name=NAME with {', '.join(key for key in _INTO if key != 'name')}"


def network(raw: Json) -> Json:
    """Read a network's name, or the long form, which stays as it is until it is spread."""
    said = str(text(raw))
    if "=" in said:
        _parts(said)
    return said


def spread(flags: Mapping[str, Json]) -> tuple[dict[str, Json], tuple[str, ...]]:
    """Return *flags* with the long form spread over them, and what is said twice by that."""
    said = flags.get("network")
    if not isinstance(said, str) or "=" not in said:
        return dict(flags), ()
    parts = _parts(said)
    twice = tuple(key for key in parts if key != "network" and key in flags)
    return {**flags, **parts}, twice


def _parts(said: str) -> dict[str, Json]:
    """Return what a long form says, by the arguments that it stands for."""
    parts: dict[str, Json] = {}
    for word in next(csv.reader([said])):
        key, equals, value = word.strip().partition("=")
        into = _INTO.get(key)
        if into is None or not equals or not value:
            raise refuse(said, _ALLOWED, did_you_mean(key, tuple(_INTO)))
        if into in _LISTS:
            parts.setdefault(into, [])
            parts[into] = [*_list(parts[into]), value]
        elif into == OPTIONS:
            name, equals, option = value.partition("=")
            if not equals:
                raise refuse(said, "driver-opt=KEY=VALUE")
            known = parts.get(OPTIONS)
            parts[OPTIONS] = {**(known if isinstance(known, dict) else {}), name: option}
        elif into in parts:
            raise refuse(said, f"`{key}` once")
        else:
            parts[into] = whole(-(2**31), 2**31)(value) if into == PRIORITY else value
    if "network" not in parts:
        raise refuse(said, _ALLOWED, "say which network: name=NAME")
    return parts


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
