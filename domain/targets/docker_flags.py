"""The named arguments of `docker run`: what each takes, where the engine wants it, who may say it.

A queue may use every one of them. A launch may use those alone that are not `guarded`: a guarded
one gives a container power over its machine or its neighbours, or takes a fence away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from launchyard.domain.targets import docker_values as read
from launchyard.domain.targets.docker_devices import devices
from launchyard.domain.targets.docker_mounts import mounts
from launchyard.domain.targets.docker_networks import network
from launchyard.domain.targets.docker_ports import exposed, ports
from launchyard.domain.targets.docker_values import Read

HOST: Final = "HostConfig"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One argument; `place` is its path in the engine's request, none where the planner sees to it.

    `short` are further names that docker knows it by.
    """

    name: str
    read: Read
    place: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    guarded: bool = False

    @property
    def spellings(self) -> tuple[str, ...]:
        """Return every key under which people may write it."""
        bare = dict.fromkeys((self.name, self.name.replace("-", "_"), *self.short))
        dashed = [f"{'-' if len(name) == 1 else '--'}{name}" for name in bare]
        return (*bare, *dashed)


def _open(name: str, reader: Read, *place: str, short: tuple[str, ...] = ()) -> Flag:
    return Flag(name=name, read=reader, place=place, short=short)


def _guarded(name: str, reader: Read, *place: str, short: tuple[str, ...] = ()) -> Flag:
    return Flag(name=name, read=reader, place=place, short=short, guarded=True)


_LARGEST: Final = 2**63 - 1
_ANY: Final = read.whole(0, _LARGEST)
_RATE: Final = read.per_device("Rate", _ANY)
_RATE_B: Final = read.per_device("Rate", read.size())

FLAGS: Final = (
    _open("blkio-weight", read.whole(0, 1000), HOST, "BlkioWeight"),
    _open("cpu-period", _ANY, HOST, "CpuPeriod"),
    _open("cpu-quota", read.whole(-1, _LARGEST), HOST, "CpuQuota"),
    _open("cpu-shares", _ANY, HOST, "CpuShares", short=("c",)),
    _open("cpus", read.cpus, HOST, "NanoCpus"),
    _open("cpuset-cpus", read.text, HOST, "CpusetCpus"),
    _open("cpuset-mems", read.text, HOST, "CpusetMems"),
    _open("domainname", read.text, "Domainname"),
    _open("entrypoint", read.texts),
    _open("env", read.environment, short=("e",)),
    _open("expose", exposed, "ExposedPorts"),
    _open("gpus", read.gpus, HOST, "DeviceRequests"),
    _open("health-cmd", read.text),
    _open("health-interval", read.span, "Healthcheck", "Interval"),
    _open("health-retries", _ANY, "Healthcheck", "Retries"),
    _open("health-start-interval", read.span, "Healthcheck", "StartInterval"),
    _open("health-start-period", read.span, "Healthcheck", "StartPeriod"),
    _open("health-timeout", read.span, "Healthcheck", "Timeout"),
    _open("hostname", read.text, "Hostname", short=("h",)),
    _open("init", read.flag, HOST, "Init"),
    _open("label", read.pairs, "Labels", short=("l",)),
    _open("memory", read.size(), HOST, "Memory", short=("m",)),
    _open("memory-reservation", read.size(), HOST, "MemoryReservation"),
    _open("memory-swap", read.size(unlimited=True), HOST, "MemorySwap"),
    _open("memory-swappiness", read.whole(-1, 100), HOST, "MemorySwappiness"),
    _open("name", read.text),
    _open("no-healthcheck", read.flag),
    _open("pids-limit", read.whole(-1, _LARGEST), HOST, "PidsLimit"),
    _open("platform", read.text),
    _open("pull", read.choice("missing", "always", "never")),
    _open("rm", read.flag),
    _open("shm-size", read.size(), HOST, "ShmSize"),
    _open("stop-signal", read.text, "StopSignal"),
    _open("stop-timeout", read.whole(0, 86400)),
    _open("tmpfs", read.tmpfs, HOST, "Tmpfs"),
    _open("ulimit", read.ulimits, HOST, "Ulimits"),
    _open("workdir", read.text, "WorkingDir", short=("w",)),
    _guarded("add-host", read.texts, HOST, "ExtraHosts"),
    _guarded("annotation", read.pairs, HOST, "Annotations"),
    _guarded(
        "blkio-weight-device",
        read.per_device("Weight", read.whole(0, 1000)),
        HOST,
        "BlkioWeightDevice",
    ),
    _guarded("cap-add", read.texts, HOST, "CapAdd"),
    _guarded("cap-drop", read.texts, HOST, "CapDrop"),
    _guarded("cgroup-parent", read.text, HOST, "CgroupParent"),
    _guarded("cgroupns", read.choice("host", "private"), HOST, "CgroupnsMode"),
    _guarded("cpu-rt-period", _ANY, HOST, "CpuRealtimePeriod"),
    _guarded("cpu-rt-runtime", _ANY, HOST, "CpuRealtimeRuntime"),
    _guarded("device", devices),
    _guarded("device-cgroup-rule", read.texts, HOST, "DeviceCgroupRules"),
    _guarded("device-read-bps", _RATE_B, HOST, "BlkioDeviceReadBps"),
    _guarded("device-read-iops", _RATE, HOST, "BlkioDeviceReadIOps"),
    _guarded("device-write-bps", _RATE_B, HOST, "BlkioDeviceWriteBps"),
    _guarded("device-write-iops", _RATE, HOST, "BlkioDeviceWriteIOps"),
    _guarded("dns", read.texts, HOST, "Dns"),
    _guarded("dns-option", read.texts, HOST, "DnsOptions", short=("dns-opt",)),
    _guarded("dns-search", read.texts, HOST, "DnsSearch"),
    _guarded("group-add", read.texts, HOST, "GroupAdd"),
    _guarded("ip", read.text),
    _guarded("ip6", read.text),
    _guarded("ipc", read.text, HOST, "IpcMode"),
    _guarded("isolation", read.text, HOST, "Isolation"),
    _guarded("link", read.texts, HOST, "Links"),
    _guarded("link-local-ip", read.texts),
    _guarded("log-driver", read.text, HOST, "LogConfig", "Type"),
    _guarded("log-opt", read.pairs, HOST, "LogConfig", "Config"),
    _guarded("mac-address", read.text),
    _guarded("mount", mounts, HOST, "Mounts"),
    _guarded("network", network, HOST, "NetworkMode", short=("net",)),
    _guarded("network-alias", read.texts, short=("net-alias",)),
    _guarded("oom-kill-disable", read.flag, HOST, "OomKillDisable"),
    _guarded("oom-score-adj", read.whole(-1000, 1000), HOST, "OomScoreAdj"),
    _guarded("pid", read.text, HOST, "PidMode"),
    _guarded("privileged", read.flag, HOST, "Privileged"),
    _guarded("publish", ports, HOST, "PortBindings", short=("p",)),
    _guarded("publish-all", read.flag, HOST, "PublishAllPorts", short=("P",)),
    _guarded("read-only", read.flag, HOST, "ReadonlyRootfs"),
    _guarded("runtime", read.text, HOST, "Runtime"),
    _guarded("security-opt", read.texts, HOST, "SecurityOpt"),
    _guarded("storage-opt", read.pairs, HOST, "StorageOpt"),
    _guarded("sysctl", read.pairs, HOST, "Sysctls"),
    _guarded("user", read.text, "User", short=("u",)),
    _guarded("userns", read.text, HOST, "UsernsMode"),
    _guarded("uts", read.text, HOST, "UTSMode"),
    _guarded("volume", read.volumes, short=("v",)),
    _guarded("volume-driver", read.text, HOST, "VolumeDriver"),
    _guarded("volumes-from", read.texts, HOST, "VolumesFrom"),
)
BY_SPELLING: Final[Mapping[str, Flag]] = {
    spelling: entry for entry in FLAGS for spelling in entry.spellings
}
"""Each accepted key with its argument; there is no other, so that none gets past a guard."""

ELSEWHERE: Final = {
    "attach": "its outputs are its log",
    "cidfile": "the agent keeps the container's id",
    "command": "docker run has no such argument; use `overrides.args` of a launch",
    "cpu": "docker run has no such argument; use `cpus`",
    "cpu-count": "it is for Windows; use `cpus`",
    "cpu-percent": "it is for Windows; use `cpus`",
    "detach": "a job always runs by itself",
    "detach-keys": "nobody is attached to a job",
    "disable-content-trust": "the agent checks no signatures; name an image by its digest",
    "env-file": "the file would be the agent's; write the variables as `env`",
    "image": "a launch names its image: `launchyard launch -d IMAGE`",
    "interactive": "nobody can type into a job",
    "io-maxbandwidth": "it is for Windows; use `device-read-bps` and `device-write-bps`",
    "io-maxiops": "it is for Windows; use `device-read-iops` and `device-write-iops`",
    "kernel-memory": "engines have given it up; use `memory`",
    "label-file": "the file would be the agent's; write the labels as `label`",
    "quiet": "there is nothing to be quiet about",
    "restart": "an attempt runs once; let the queue retry",
    "sig-proxy": "nobody is attached to a job",
    "tty": "a job has no terminal",
    "use-api-socket": "it hands out the agent's own logins; mount the socket as a `volume`",
}
"""What docker knows, or people think it does, and this target has not, with what to do instead."""
