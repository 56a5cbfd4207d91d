"""Requests as engines take them that are older than what we plan for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from launchyard.domain.documents import Json, copy_json

_ENDPOINTS_HAVE_IT: Final = (1, 44)


def as_known(request: Mapping[str, Json], api: str) -> dict[str, Json]:
    """Return *request* for an engine of the API version *api*, as 1.43.

    Until 1.44 a MAC address is the container's, and one of its network's is not heeded; after that
    it is the other way round.
    """
    known = copy_json(dict(request))
    assert isinstance(known, dict)  # noqa: S101 - a copy is what was copied
    if tuple(int(part) for part in api.split(".")) >= _ENDPOINTS_HAVE_IT:
        return known
    networking = known.get("NetworkingConfig")
    networks = networking.get("EndpointsConfig") if isinstance(networking, dict) else None
    for name, endpoint in list(networks.items()) if isinstance(networks, dict) else ():
        if isinstance(endpoint, dict) and "MacAddress" in endpoint:
            known["MacAddress"] = endpoint.pop("MacAddress")
            if not endpoint and isinstance(networks, dict):
                del networks[name]
    return known
