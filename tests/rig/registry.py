"""A registry of images that wants a name and a password: the one that Debian brings."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.programs import free_port, until
from tests.rig.dockerd import Docker

USER, PASSWORD = "robot", "right horse"
_HASH = "$2b$05$abcdefghijklmnopqrstuuB05BVy0V7KomGh8K56xgiHLq3Wkqh46"
_UNAUTHORIZED = 401


@dataclass(frozen=True)
class ImageRegistry:
    """A running one; `address` is host and port, as they stand in names of images."""

    address: str

    def push(self, docker: Docker, image: str, name: str, folder: Path) -> str:
        """Have *image* of an engine here under *name*, and no longer there; return its name."""
        config = write_logins(folder / "pushing", auths={self.address: login()})
        there = f"{self.address}/{name}"
        docker.run("tag", image, there)
        docker.run("--config", str(config), "push", there)
        docker.run("rmi", there)
        return there


def login(password: str = PASSWORD) -> dict[str, str]:
    """Return an entry of `auths` in docker's configuration."""
    return {"auth": base64.b64encode(f"{USER}:{password}".encode()).decode()}


def write_logins(folder: Path, **config: object) -> Path:
    """Write docker's configuration into *folder*; return the folder."""
    folder.mkdir(exist_ok=True)
    folder.joinpath("config.json").write_text(json.dumps(config))
    return folder


@contextlib.contextmanager
def image_registry(folder: Path) -> Iterator[ImageRegistry]:
    """Run one whose things are below *folder*."""
    folder.mkdir(exist_ok=True)
    folder.joinpath("htpasswd").write_text(f"{USER}:{_HASH}\n")
    address = f"127.0.0.1:{free_port()}"
    config = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": address, "secret": "tests"},
        "auth": {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}},
    }
    file = folder / "config.yml"
    file.write_text(json.dumps(config))  # JSON is YAML, too
    program = shutil.which("docker-registry")
    assert program, "docker-registry is not installed"
    with (folder / "registry.log").open("ab") as log:
        process = subprocess.Popen([program, "serve", str(file)], stdout=log, stderr=log)
        try:
            until(lambda: process.poll() is not None or _answers(address), "registry")
            assert process.poll() is None, folder.joinpath("registry.log").read_text()
            yield ImageRegistry(address)
        finally:
            process.terminate()
            process.wait()


def _answers(address: str) -> bool:
    try:
        return requests.get(f"http://{address}/v2/", timeout=10).status_code == _UNAUTHORIZED
    except (requests.ConnectionError, requests.Timeout):
        return False
