"""A docker daemon of a test's own: nothing on it is shared, nothing of it stays."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from tests.programs import until

# Debian's client, whichever other one comes first on PATH.
DOCKER = "/usr/bin/docker"
_STARTS = 3


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
    with _bridge() as (bridge, gateway), (folder / "dockerd.log").open("ab") as log:
        docker = Docker(folder / "docker.sock", gateway, folder / "dockerd.log")
        words = [
            "/usr/sbin/dockerd",
            f"--host=unix://{docker.socket}",
            f"--data-root={folder / 'data'}",
            f"--exec-root={folder / 'exec'}",
            f"--pidfile={folder / 'dockerd.pid'}",
            # Its own bridge: without one it would take away the one of another daemon here.
            f"--bridge={bridge}",
            "--iptables=false",
            "--ip6tables=false",
            "--ip-masq=false",
        ]
        process = _start(words, docker, log)
        try:
            yield docker
        finally:
            _stop(process, folder)


def _start(words: list[str], docker: Docker, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the daemon, which gives up when its own helper is not there within 15 s: then again."""
    for _ in range(_STARTS):
        process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
        ready = partial(_is_up_or_over, process, docker)
        until(ready, "dockerd")
        if process.poll() is None:
            return process
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    raise AssertionError(docker.log.read_text()[-2000:])


def _is_up_or_over(process: subprocess.Popen[bytes], docker: Docker) -> bool:
    return process.poll() is not None or (docker.socket.exists() and docker.is_ready())


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


def _stop(process: subprocess.Popen[bytes], folder: Path) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(str(folder))), reverse=True):
        subprocess.run(["umount", "-l", mount], check=False, capture_output=True)
    shutil.rmtree(folder / "data", ignore_errors=True)
