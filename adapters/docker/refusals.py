"""Why an engine does not begin a container, judged by its words: a mistake holds up nobody else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from launchyard.adapters.docker.client import BROKEN, Engine, EngineError
from launchyard.domain.documents import Json
from launchyard.domain.reason import Reason
from launchyard.domain.targets.docker_flags import HOST
from launchyard.ports.runner import RunnerError

_OWN: Final = ("containerd.sock", "connection error: desc", "deadline exceeded")
"""Words of an engine that has trouble of its own."""

_MISTAKES: Final = (
    "security-opt",
    "seccomp profile",
    "storage-opt",
    "unknown option",
    "is not a directory",
    "invalid mode",
    "unable to find user",
    "unable to find group",
    "gathering device information",
    "invalid mac address",
    "device driver",
    "cdi device",
    "oci runtime create failed",
    "port is already allocated",
)
"""Words about what a launch asks for that engines tell of as if they themselves had failed."""

_LOG, _VOLUME = "Log", "Volume"


def reason_of(said: str) -> Reason:
    """Return why a container could not be started, by the engine's words."""
    low = said.lower()
    if "no space left" in low:
        return Reason.DISK_FULL
    if any(word in low for word in _OWN):
        return Reason.TARGET_UNREACHABLE
    if "executable file not found" in low or (
        "exec" in low and ("no such file" in low or "permission denied" in low)
    ):
        return Reason.COMMAND_NOT_FOUND
    if any(word in low for word in _MISTAKES):
        return Reason.CONTAINER_CONFIG
    return Reason.SUBMIT_FAILED


def words_of(said: str) -> str:
    """Return the engine's words about a failed start, with what to do where that is known."""
    if 'device driver "cdi"' in said:
        remedy = 'have `"features": {"cdi": true}` in its daemon.json, from Docker 25 on'
        return f"{said}; this engine knows no devices by their CDI names: {remedy}"
    if "device driver" in said and "gpu" in said:
        return f"{said}; this engine has no driver for GPUs: install NVIDIA's container toolkit"
    return said


def not_started(error: EngineError) -> RunnerError:
    """Return what is wrong where an engine says that it cannot start a container."""
    reason = reason_of(str(error))
    if reason is Reason.SUBMIT_FAILED and error.status < BROKEN:
        reason = Reason.CONTAINER_CONFIG
    retry = reason is Reason.TARGET_UNREACHABLE
    return RunnerError(words_of(str(error)), reason=reason, retry=retry)


def not_created(error: EngineError, request: Mapping[str, Json], engine: Engine) -> RunnerError:
    """Return what is wrong where an engine does not create what *request* describes.

    It looks for a driver that it does not have for 15 s, longer than we wait for any answer: where
    none came, it is asked which ones it has.
    """
    if not error.status:
        for kind, name, words in _drivers(request):
            has = engine.plugins(kind)
            if name not in has:
                text = f"the engine found no {words} driver `{name}`; it has {', '.join(has)}"
                return RunnerError(text, reason=Reason.CONTAINER_CONFIG)
        return error
    if error.status >= BROKEN and reason_of(str(error)) is not Reason.CONTAINER_CONFIG:
        return error
    return RunnerError(str(error), reason=Reason.CONTAINER_CONFIG)


def _drivers(request: Mapping[str, Json]) -> Iterator[tuple[str, str, str]]:
    """Yield each driver that is asked for: the engine's kind, its name, and our words."""
    host = _mapping(request.get(HOST))
    mounts = host.get("Mounts")
    options = [
        _mapping(_mapping(mount).get("VolumeOptions"))
        for mount in (mounts if isinstance(mounts, list) else [])
    ]
    named = [(_LOG, _mapping(host.get("LogConfig")).get("Type"), "log")]
    named += [(_VOLUME, host.get("VolumeDriver"), "volume")]
    named += [(_VOLUME, _mapping(one.get("DriverConfig")).get("Name"), "volume") for one in options]
    for kind, name, words in named:
        if isinstance(name, str) and name:
            yield kind, name, words


def _mapping(value: object) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}
