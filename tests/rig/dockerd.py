"""A docker daemon of a test's own: nothing on it is shared, nothing of it stays."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.programs import LIMIT_S, until

# Debian's client, whichever other one comes first on PATH.
DOCKER = "/usr/bin/docker"
_CONTAINERD = "/usr/bin/containerd"


@dataclass(frozen=True)
class Docker:
    """A running daemon; `gateway` is this machine's address as containers see it."""

    socket: Path
    gateway: str
    log: Path

    def run(self, *words: str, check: bool = True, **more: object) -> str:
        """Run a docker command and return what it printed, its errors too when it fails."""
        done = subprocess.run(
            [DOCKER, "-H", f"unix://{self.socket}", *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
            env={**os.environ, "DOCKER_BUILDKIT": "0"},
            **more,  # type: ignore[call-overload]
        )
        assert done.returncode == 0 or not check, f"docker {words}: {done.stdout}{done.stderr}"
        return str(done.stdout).strip()

    def is_ready(self) -> bool:
        """Tell whether it answers."""
        words = [DOCKER, "-H", f"unix://{self.socket}", "version"]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def docker_daemon(folder: Path) -> Iterator[Docker]:
    """Run a daemon with everything of its own below *folder*, its network bridge included."""
    with (
        _bridge() as (bridge, gateway),
        (folder / "dockerd.log").open("ab") as log,
        _containerd(folder, log) as containerd,
    ):
        docker = Docker(folder / "docker.sock", gateway, folder / "dockerd.log")
        words = [
            "/usr/sbin/dockerd",
            f"--host=unix://{docker.socket}",
            f"--containerd={containerd}",
            f"--data-root={folder / 'data'}",
            f"--exec-root={folder / 'exec'}",
            f"--pidfile={folder / 'dockerd.pid'}",
            # Its own bridge: without one it would take away the one of another daemon here.
            f"--bridge={bridge}",
            "--iptables=false",
            "--ip6tables=false",
            "--ip-masq=false",
            # As on most machines, only sooner: no job's log may be shortened by it.
            "--log-opt=max-size=10k",
            "--log-opt=max-file=3",
        ]
        process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
        try:
            _wait(process, docker, docker.is_ready)
            yield docker
        finally:
            _end(process)
            _clear(folder)


@contextlib.contextmanager
def _containerd(folder: Path, log: IO[bytes]) -> Iterator[Path]:
    """Run the daemon's helper, for which it waits 15 s only when it starts it itself."""
    docker = Docker(folder / "containerd.sock", "", folder / "dockerd.log")
    config = folder / "containerd.toml"
    config.write_text(
        f"""version = 2
root = "{folder / "data" / "containerd"}"
state = "{folder / "exec" / "containerd"}"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{docker.socket}"
"""
    )
    words = [_CONTAINERD, "--config", str(config)]
    process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait(process, docker, lambda: True)
        yield docker.socket
    finally:
        _end(process)


def _wait(process: subprocess.Popen[bytes], docker: Docker, ready: Callable[[], bool]) -> None:
    until(
        lambda: process.poll() is not None or (docker.socket.exists() and ready()),
        lambda: docker.log.read_text()[-2000:],
    )
    assert process.poll() is None, docker.log.read_text()[-2000:]


@contextlib.contextmanager
def _bridge() -> Iterator[tuple[str, str]]:
    """Make a bridge of a name that nobody has; give it with its address."""

    def ip(*words: str, check: bool = True) -> bool:
        return not subprocess.run(["ip", *words], check=check, capture_output=True).returncode

    numbers = ((os.getpid() + step) % 250 for step in range(250))
    added = (n for n in numbers if ip("link", "add", f"lytest{n}", "type", "bridge", check=False))
    number = next(added)
    name, address = f"lytest{number}", f"10.209.{number}.1"
    try:
        ip("addr", "add", f"{address}/24", "dev", name)
        ip("link", "set", name, "up")
        yield name, address
    finally:
        ip("link", "del", name)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _clear(folder: Path) -> None:
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(str(folder))), reverse=True):
        subprocess.run(["umount", "-l", mount], check=False, capture_output=True)
    shutil.rmtree(folder / "data", ignore_errors=True)
