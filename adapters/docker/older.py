"""Requests as engines take them that are older than what we plan for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from launchyard.domain.documents import Json, copy_json
from launchyard.domain.reason import Reason
from launchyard.domain.targets.docker_flags import HOST
from launchyard.ports.runner import RunnerError

_ENDPOINTS_HAVE_IT: Final = (1, 44)
_SINCE: Final = {
    ("BindOptions", "ReadOnlyNonRecursive", "bind-recursive"): (1, 44),
    ("BindOptions", "ReadOnlyForceRecursive", "bind-recursive"): (1, 44),
    ("VolumeOptions", "Subpath", "volume-subpath"): (1, 45),
}
"""What else may be said of a mount, in docker's words at last, and the API that heeds it."""


def as_known(request: Mapping[str, Json], api: str) -> dict[str, Json]:
    """Return *request* for an engine of the API version *api*, as 1.43.

    Until 1.44 a MAC address is the container's, and one of its network's is not heeded; after that
    it is the other way round.

    Raises:
        RunnerError: the engine would not heed what keeps a mount small.
    """
    version = tuple(int(part) for part in api.split("."))
    for word, since in _mount_words(request):
        if version < since:
            needs = ".".join(map(str, since))
            text = f"`{word}` of `mount` needs an engine of the API {needs}, and this one has {api}"
            raise RunnerError(text, reason=Reason.CONTAINER_CONFIG)
    known = copy_json(dict(request))
    assert isinstance(known, dict)  # noqa: S101 - a copy is what was copied
    if version >= _ENDPOINTS_HAVE_IT:
        return known
    networking = known.get("NetworkingConfig")
    networks = networking.get("EndpointsConfig") if isinstance(networking, dict) else None
    for name, endpoint in list(networks.items()) if isinstance(networks, dict) else ():
        if isinstance(endpoint, dict) and "MacAddress" in endpoint:
            known["MacAddress"] = endpoint.pop("MacAddress")
            if not endpoint and isinstance(networks, dict):
                del networks[name]
    return known


def _mount_words(request: Mapping[str, Json]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield what mounts say that is newer than some engines, and since when engines know it."""
    host = request.get(HOST)
    mounts = host.get("Mounts") if isinstance(host, dict) else None
    for mount in mounts if isinstance(mounts, list) else ():
        for (group, key, word), since in _SINCE.items():
            options = mount.get(group) if isinstance(mount, dict) else None
            if isinstance(options, dict) and options.get(key):
                yield word, since
