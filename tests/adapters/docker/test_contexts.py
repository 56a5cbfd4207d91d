"""Which engine is meant: as `docker` itself finds it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from launchyard.adapters.docker.engine import DEFAULT, address_of

ROOTLESS = "unix:///run/user/1000/docker.sock"


def contexts(home: Path, chosen: str = "", **hosts: Any) -> dict[str, str]:
    """Write a docker configuration; return the environment that has it."""
    folder = home / ".docker"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"auths": {}, "currentContext": chosen}))
    for name, endpoint in hosts.items():
        place = folder / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
        place.mkdir(parents=True)
        told = {"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}}
        (place / "meta.json").write_text(json.dumps(told))
    return {"HOME": str(home)}


def test_the_current_context_is_docker_s(tmp_path: Path) -> None:
    """Settings, DOCKER_HOST and DOCKER_CONTEXT come before it, in this order."""
    hosts = {"rootless": {"Host": ROOTLESS}, "far": {"Host": "tcp://far:2375"}}
    known = contexts(tmp_path, "rootless", **hosts)
    assert address_of({}, known).url == ROOTLESS
    assert address_of({}, {"DOCKER_CONFIG": f"{tmp_path}/.docker"}).url == ROOTLESS
    far = {**known, "DOCKER_CONTEXT": "far"}
    assert address_of({}, far).url == "tcp://far:2375"
    assert address_of({}, {**known, "DOCKER_CONTEXT": "default"}).url == DEFAULT
    assert address_of({}, {**far, "DOCKER_HOST": "unix:///own"}).url == "unix:///own"
    assert address_of({"host": "unix:///said"}, far).url == "unix:///said"


@pytest.mark.parametrize("chosen", ["", "default"])
def test_without_one_it_is_the_usual_socket(tmp_path: Path, chosen: str) -> None:
    """Also where docker was never configured, or nobody is at home."""
    assert address_of({}, {"HOME": str(tmp_path)}).url == DEFAULT
    assert address_of({}, {}).url == DEFAULT
    assert address_of({}, contexts(tmp_path, chosen)).url == DEFAULT


def test_a_context_that_cannot_be_used_says_what_to_do(tmp_path: Path) -> None:
    """None is put in its place: the wrong engine would be worse."""
    hosts = {"far": {"Host": "ssh://far"}, "loose": {"Host": "tcp://a", "SkipTLSVerify": True}}
    known = contexts(tmp_path, "sure", sure={"Host": "tcp://sure:2376"}, **hosts)
    folder = tmp_path / ".docker"
    key = hashlib.sha256(b"sure").hexdigest()
    (folder / "contexts" / "tls" / key / "docker").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"`sure` speaks TLS.*set `host` and `certificates`"):
        address_of({}, known)
    for name, words in (("loose", "speaks TLS"), ("gone", "no engine"), ("far", "no address")):
        with pytest.raises(ValueError, match=words):
            address_of({}, {**known, "DOCKER_CONTEXT": name})
    (folder / "config.json").write_text("{")
    with pytest.raises(ValueError, match="cannot be read"):
        address_of({}, known)
