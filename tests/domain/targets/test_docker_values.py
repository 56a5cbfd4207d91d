"""The words of `docker run` that take some reading, as the engine gets them."""

from __future__ import annotations

import pytest

from launchyard.domain.config.problem import DocumentError
from launchyard.domain.config.schema import RefusedError
from launchyard.domain.documents import Json
from launchyard.domain.environment import JobFacts
from launchyard.domain.spec import Docker, LaunchSpec
from launchyard.domain.targets.docker import DockerDefaults, plan_docker
from launchyard.domain.targets.docker_config import read_settings
from launchyard.domain.targets.docker_flags import BY_SPELLING
from launchyard.domain.targets.docker_mounts import mounts
from launchyard.domain.targets.docker_networks import network
from launchyard.domain.targets.docker_ports import exposed, ports

MAC = "02:42:0a:00:00:05"
BIND = "type=bind,source=/a,target=/b"


def request(config: Json) -> dict[str, Json]:
    """Return the request for a container on a queue with *config*."""
    spec = LaunchSpec(docker=Docker(image="a"))
    facts = JobFacts(item="i", attempt=1, queue="q", entity="t", run_id="r", spec=spec)
    return dict(plan_docker(spec, config, facts, DockerDefaults()).request)


@pytest.mark.parametrize(
    ("said", "more"),
    [
        (f"{BIND},ro", {"ReadOnly": True}),
        (f"{BIND},readonly=false", {"ReadOnly": False}),
        (f"{BIND},bind-propagation=rslave", {"BindOptions": {"Propagation": "rslave"}}),
        (f"{BIND},bind-nonrecursive", {"BindOptions": {"NonRecursive": True}}),
        (f"{BIND},bind-recursive=enabled", {"BindOptions": {}}),
        (f"{BIND},bind-recursive=disabled", {"BindOptions": {"NonRecursive": True}}),
        (
            f"{BIND},bind-propagation=rprivate,bind-recursive=readonly",
            {"BindOptions": {"Propagation": "rprivate", "ReadOnlyForceRecursive": True}},
        ),
        (f"{BIND},bind-recursive=writable", {"BindOptions": {"ReadOnlyNonRecursive": True}}),
    ],
)
def test_what_is_said_of_a_folder_that_is_mounted(said: str, more: dict[str, Json]) -> None:
    """As the command line of docker takes it."""
    assert mounts(said) == [{"Type": "bind", "Source": "/a", "Target": "/b"} | more]


def test_what_is_said_of_volumes_and_memory() -> None:
    """Options of a driver may be many, and hold commas in quotes."""
    share = 'src=nas,dst=/b,volume-driver=local,volume-opt=type=nfs,"volume-opt=o=addr=1,rw"'
    driver = {"Name": "local", "Options": {"type": "nfs", "o": "addr=1,rw"}}
    options = {"DriverConfig": driver, "NoCopy": True, "Labels": {"a": "1"}}
    assert mounts([f"{share},volume-nocopy,volume-label=a=1"]) == [
        {"Type": "volume", "Source": "nas", "Target": "/b", "VolumeOptions": options}
    ]
    assert mounts("src=nas,dst=/b,volume-subpath=mine") == [
        {
            "Type": "volume",
            "Source": "nas",
            "Target": "/b",
            "VolumeOptions": {"Subpath": "mine"},
        }
    ]
    assert mounts("type=image,source=team/data:1,target=/d,image-subpath=small") == [
        {
            "Type": "image",
            "Source": "team/data:1",
            "Target": "/d",
            "ImageOptions": {"Subpath": "small"},
        }
    ]
    assert mounts("type=tmpfs,target=/t,tmpfs-size=1g,tmpfs-mode=1777") == [
        {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 1024**3, "Mode": 0o1777}}
    ]


@pytest.mark.parametrize(
    "said",
    [
        "type=bind,source=/a",
        "type=npipe,source=/a,target=/b",
        f"{BIND},tmpfs-size=1g",
        f"{BIND},bind-propagation=all",
        f"{BIND},bind-recursive=perhaps",
        f"{BIND},image-subpath=small",
        f"{BIND},speed=high",
        f"{BIND},ro=perhaps",
        "type=tmpfs,target=/t,tmpfs-mode=99",
    ],
)
def test_a_mount_that_docker_would_not_take_is_refused(said: str) -> None:
    """Before an engine is asked."""
    with pytest.raises(RefusedError):
        mounts(said)


def test_ranges_of_ports_are_taken_apart() -> None:
    """One for one; or of several outside the engine chooses one for a port inside."""
    assert ports("8000-8001:80-81") == {
        "80/tcp": [{"HostIp": "", "HostPort": "8000"}],
        "81/tcp": [{"HostIp": "", "HostPort": "8001"}],
    }
    assert ports(["127.0.0.1:8000-8010:80/udp", "[::1]::80/udp"]) == {
        "80/udp": [
            {"HostIp": "127.0.0.1", "HostPort": "8000-8010"},
            {"HostIp": "::1", "HostPort": ""},
        ]
    }
    assert ports([80, "81-82"]) == {
        f"{port}/tcp": [{"HostIp": "", "HostPort": ""}] for port in (80, 81, 82)
    }
    assert exposed(["8000-8001", "53/udp"]) == {"8000/tcp": {}, "8001/tcp": {}, "53/udp": {}}
    for wrong in ("8000-8002:80-81", "9-1:80", "0:80", "80:65536", "x:80", "80/ip", "a:1:2"):
        with pytest.raises(RefusedError):
            ports(wrong)
    with pytest.raises(RefusedError):
        exposed("65000-70000")


def test_gpus_of_a_driver_are_one() -> None:
    """As with docker: where neither a number nor a device is named."""
    host = request({"gpus": 'driver=nvidia,"options=a=1,b=2"'})["HostConfig"]
    assert isinstance(host, dict)
    assert host["DeviceRequests"] == [
        {
            "Driver": "nvidia",
            "Capabilities": [["gpu"]],
            "Options": {"a": "1", "b": "2"},
            "Count": 1,
        }
    ]


def test_devices_have_names_of_their_own_too() -> None:
    """Those of CDI are asked for beside GPUs, as docker does; nodes stay what they were."""
    said: Json = ["nvidia.com/gpu=0", "/dev/fuse", "vendor.com/net-card=eth0:1", "/dev/a:r"]
    host = request({"gpus": 1, "device": said})["HostConfig"]
    assert isinstance(host, dict)
    asked = host["DeviceRequests"]
    assert isinstance(asked, list)
    assert asked[1:] == [
        {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=0", "vendor.com/net-card=eth0:1"]}
    ]
    assert host["Devices"] == [
        {"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"},
        {"PathOnHost": "/dev/a", "PathInContainer": "/dev/a", "CgroupPermissions": "r"},
    ]
    plain = request({"device": "/dev/fuse"})["HostConfig"]
    assert isinstance(plain, dict)
    assert "DeviceRequests" not in plain
    for wrong in ("gpu=0", "nvidia.com/gpu", "nvidia.com/gpu=", "nvidia.com/gpu=a/b", "sda"):
        assert read_settings({"device": wrong})[1], wrong


def test_limits_of_devices_name_them() -> None:
    """A path and an amount, in docker's words; they are the queue's to set."""
    host = request(
        {
            "device-read-bps": "/dev/sda:1m",
            "device-write-iops": ["/dev/sda:100", "/dev/sdb:200"],
            "blkio-weight-device": "/dev/sda:300",
            "cpu-rt-runtime": 950000,
        }
    )["HostConfig"]
    assert isinstance(host, dict)
    assert host["BlkioDeviceReadBps"] == [{"Path": "/dev/sda", "Rate": 1024**2}]
    assert host["BlkioDeviceWriteIOps"] == [
        {"Path": "/dev/sda", "Rate": 100},
        {"Path": "/dev/sdb", "Rate": 200},
    ]
    assert host["BlkioWeightDevice"] == [{"Path": "/dev/sda", "Weight": 300}]
    assert host["CpuRealtimeRuntime"] == 950000
    for name in ("device-write-bps", "device-read-iops", "cpu-rt-period", "ip", "link-local-ip"):
        assert BY_SPELLING[name].guarded
    for wrong in ("sda:1m", "/dev/sda", "/dev/sda:fast"):
        assert read_settings({"device-read-bps": wrong})[1], wrong


def test_addresses_are_of_a_network() -> None:
    """They stand with the name of the network, beside what the container is called there."""
    said: dict[str, Json] = {"ip": "10.0.0.5", "ip6": "fd::5", "link-local-ip": "169.254.0.5"}
    asked = request({"network": "lab", "network-alias": "db", **said})["NetworkingConfig"]
    own = {"IPv4Address": "10.0.0.5", "IPv6Address": "fd::5", "LinkLocalIPs": ["169.254.0.5"]}
    assert asked == {"EndpointsConfig": {"lab": {"IPAMConfig": own, "Aliases": ["db"]}}}
    with pytest.raises(DocumentError, match="that is not the default"):
        request(said)
    mac: dict[str, Json] = {"mac-address": MAC}
    asked = request({"network": "lab", **mac})
    assert "MacAddress" not in asked
    assert asked["NetworkingConfig"] == {"EndpointsConfig": {"lab": {"MacAddress": MAC}}}
    assert request(mac)["NetworkingConfig"] == {"EndpointsConfig": {"default": {"MacAddress": MAC}}}


def test_a_network_may_say_all_that_is_its_own() -> None:
    """Docker's long form is what its words are as arguments, and two that it alone has."""
    words = "name=lab,alias=db,alias=store,ip=10.0.0.5,driver-opt=a.b=c,driver-opt=d=1"
    asked = request({"network": f"{words},gw-priority=5,mac-address={MAC}"})
    endpoint = {
        "IPAMConfig": {"IPv4Address": "10.0.0.5"},
        "Aliases": ["db", "store"],
        "MacAddress": MAC,
        "DriverOpts": {"a.b": "c", "d": "1"},
        "GwPriority": 5,
    }
    assert asked["NetworkingConfig"] == {"EndpointsConfig": {"lab": endpoint}}
    host = asked["HostConfig"]
    assert isinstance(host, dict)
    assert host["NetworkMode"] == "lab"
    with pytest.raises(DocumentError, match="says `ip`, which is an argument here as well"):
        request({"network": "name=lab,ip=10.0.0.5", "ip": "10.0.0.6"})


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("alias=db", "say which network"),
        ("name=lab,allias=db", "alias"),
        ("name=lab,alias", ""),
        ("name=lab,name=lab", ""),
        ("name=lab,driver-opt=a", ""),
        ("name=lab,gw-priority=high", ""),
    ],
)
def test_a_network_that_docker_would_not_take_is_refused(wrong: str, hint: str) -> None:
    """With the words that there are."""
    with pytest.raises(RefusedError) as caught:
        network(wrong)
    assert hint in caught.value.hint
    assert read_settings({"network": wrong})[1]
