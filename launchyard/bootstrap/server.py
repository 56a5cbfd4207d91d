"""Wire a server and run it."""

from __future__ import annotations

import fcntl
import logging
import os
import platform
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from launchyard.adapters.archive.archives import TarArchives
from launchyard.adapters.cryptography.keys import KeysError, parse_keys, read_or_make
from launchyard.adapters.cryptography.vault import AesVault
from launchyard.adapters.http.directory import make_key
from launchyard.adapters.http.grants import reseal
from launchyard.adapters.http.guard import digest_of
from launchyard.adapters.http.limits import Rates
from launchyard.adapters.http.serve import Address, PortTakenError, listen, serve
from launchyard.adapters.http.services import HttpSettings, Services
from launchyard.adapters.local.blobs import FolderBlobs
from launchyard.adapters.prometheus.exposition import Exposition, MetricsError
from launchyard.adapters.prometheus.fleet import Fleet
from launchyard.adapters.prometheus.metrics import PrometheusMetrics
from launchyard.adapters.prometheus.usage import usage
from launchyard.adapters.sql.settings import StoreSettings
from launchyard.adapters.sql.store import open_store
from launchyard.adapters.system.clock import SystemClock
from launchyard.adapters.yaml.reader import read
from launchyard.bootstrap.logs import LogSettings, set_up
from launchyard.domain.rights import KEY_PATTERN, Role
from launchyard.domain.targets.known import known_targets
from launchyard.ports.families import (
    BUILD_INFO,
    CPU,
    MEMORY,
    PROCESS_STATE,
    PROCESS_STATES,
    SERVER_FAMILIES,
)
from launchyard.ports.housekeeping import Retention
from launchyard.ports.programs import ProgramError
from launchyard.ports.records import KeyRecord, StoreError
from launchyard.ports.store import Store

PORT: Final = 8630
EXIT_FAILED: Final = 1
EXIT_IN_USE: Final = 6
ADMIN: Final = "admin"
_LOG: Final = logging.getLogger("launchyard.server")
DATABASE: Final = "launchyard.db"
SECRETS_KEY: Final = "LAUNCHYARD_SERVER_SECRETS_KEY"
_SECRETS_KEYS: Final = "secrets.keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How to start a server; an empty text means the default.

    `state_dir` holds the database and the bytes. `admin_key_file` is made with a new
    administrator's key when it is not there. `host_names` are names that clients may call this
    server by, besides the loopback's and `host`.
    """

    host: str = "127.0.0.1"
    port: int = PORT
    state_dir: str = ""
    admin_key_file: str = ""
    database: str = ""
    host_names: tuple[str, ...] = ()
    lease_ttl_s: float | None = None
    log_format: str = "console"
    log_level: str = "info"
    rate_per_s: float | None = None
    log_quota_b: int | None = None
    retention: Retention = field(default_factory=Retention)


def run_server(options: ServerOptions) -> int:
    """Be a server until SIGTERM or SIGINT; return the exit code.

    Raises:
        ProgramError: it could not start.
    """
    # Nothing is done to loggers that whoever started this program has set up already.
    if not logging.getLogger().handlers:
        set_up(LogSettings(level=options.log_level, format=options.log_format, process="server"))
    sock = _listen(options)
    with closing(sock), _locked(_state_folder(options)) as state:
        try:
            with closing(_open(options, state)) as store:
                if options.admin_key_file:
                    bootstrap_admin(store, Path(options.admin_key_file))
                services = _services(options, state, store)
                served = serve(services, sock, lambda: _announce(sock))
        except (StoreError, MetricsError, KeysError) as error:
            raise ProgramError(str(error), code=EXIT_FAILED) from error
    return 0 if served else EXIT_FAILED


def bootstrap_admin(store: Store, path: Path) -> None:
    """Make sure that the key in *path* administers this server; make file and key if need be.

    The file is its owner's alone, and the key is printed nowhere.

    Raises:
        ProgramError: the file cannot be made or read, or holds no key.
    """
    try:
        key = _read_or_make(path)
    except OSError as error:
        what = f"the administrator's key cannot be kept in {path}: {error.strerror}"
        raise ProgramError(what, code=EXIT_FAILED, remedy="name another file") from error
    if not KEY_PATTERN.fullmatch(key):
        remedy = "remove the file, and a new key will be made"
        raise ProgramError(f"{path} holds no key", code=EXIT_FAILED, remedy=remedy)
    digest = digest_of(key)
    if store.principal(digest) is None:
        record = KeyRecord(
            id=f"key-{digest[:16]}",
            user=ADMIN,
            entity="",
            role=Role.ADMIN,
            label="made at the server's start",
            digest=digest,
        )
        store.add_key(record)


def _read_or_make(path: Path) -> str:
    """Return the key in the file; a new file appears whole or not at all."""
    if path.exists():
        path.chmod(0o600)
        return path.read_text("ascii", errors="replace").strip()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = make_key()
    handle, under_way = tempfile.mkstemp(prefix=".key-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{key}\n")
        Path(under_way).replace(path)
    except BaseException:
        Path(under_way).unlink(missing_ok=True)
        raise
    return key


def _listen(options: ServerOptions) -> socket.socket:
    try:
        return listen(Address(host=options.host, port=options.port))
    except PortTakenError as error:
        remedy = "stop what listens there, or choose another port with --port"
        raise ProgramError(str(error), code=EXIT_IN_USE, remedy=remedy) from error


def server_folder(state_dir: str) -> Path:
    """Return where a server keeps its state; nothing says the usual place."""
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(state_dir or Path(base, "launchyard", "server")).expanduser().absolute()


def _state_folder(options: ServerOptions) -> Path:
    state = server_folder(options.state_dir)
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        (state / "uploads").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        what = f"the state folder {state} cannot be used: {error.strerror}"
        remedy = "choose another with --state-dir"
        raise ProgramError(what, code=EXIT_FAILED, remedy=remedy) from error
    return state


@contextmanager
def _locked(state: Path) -> Iterator[Path]:
    """Hold the folder for this process: bytes in a folder serve one server."""
    with (state / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            what = f"another server uses the state folder {state}"
            remedy = "stop it, or choose another folder with --state-dir"
            raise ProgramError(what, code=EXIT_IN_USE, remedy=remedy) from None
        yield state


def _open(options: ServerOptions, state: Path) -> Store:
    settings = StoreSettings()
    if options.lease_ttl_s is not None:
        settings = replace(settings, ttl_s=options.lease_ttl_s)
    if options.log_quota_b is not None:
        settings = replace(settings, log_quota_b=options.log_quota_b)
    url = options.database or f"sqlite:///{state / DATABASE}"
    return open_store(url, SystemClock(), settings)


def _services(options: ServerOptions, state: Path, store: Store) -> Services:
    metrics = PrometheusMetrics()
    metrics.prepare(SERVER_FAMILIES)
    python = platform.python_version()
    release = version("launchyard")
    labels = {"component": "server", "version": release, "python": python}
    metrics.gauge(BUILD_INFO, 1, labels)
    for state_name in PROCESS_STATES:
        is_now = state_name == "running"
        metrics.gauge(PROCESS_STATE, is_now, {"component": "server", "state": state_name})
    exposition = Exposition(Fleet(metrics), os.environ, _Usage(metrics).refresh)
    vault = _vault(state)
    reseal(store, vault)
    return Services(
        store=store,
        vault=vault,
        blobs=FolderBlobs(state / "blobs"),
        archives=TarArchives(),
        clock=SystemClock(),
        metrics=metrics,
        settings=HttpSettings(
            version=release,
            scratch=str(state / "uploads"),
            hosts=(options.host, *options.host_names),
            any_address=not _is_loopback(options.host),
            rates=_rates(options.rate_per_s),
            retention=options.retention,
        ),
        read_text=read,
        render=exposition.render,
        targets=known_targets(),
    )


def _rates(per_s: float | None) -> Rates:
    """Return the limits of callers; a rate of 0 switches them off, for strangers too."""
    rates = Rates()
    if per_s is None:
        return rates
    if not per_s:
        return replace(rates, key_per_s=0, stranger_per_s=0)
    return replace(rates, key_per_s=per_s, key_burst=max(10 * per_s, 10))


def _vault(state: Path) -> AesVault:
    """Return the vault of secrets, whose keys are in a variable or in the state folder."""
    if given := os.environ.get(SECRETS_KEY):
        return AesVault(parse_keys(given, SECRETS_KEY))
    path = state / _SECRETS_KEYS
    try:
        return AesVault(read_or_make(path))
    except OSError as error:
        what = f"the keys of secrets cannot be kept in {path}: {error.strerror}"
        raise ProgramError(what, code=EXIT_FAILED, remedy=f"or set {SECRETS_KEY}") from error


class _Usage:
    """Keeps the numbers of this process up to date."""

    def __init__(self, metrics: PrometheusMetrics) -> None:
        self._metrics = metrics
        self._cpu_s = 0.0

    def refresh(self) -> None:
        """Look at the process; processor time is a counter, so only what is new is added."""
        now = usage()
        self._metrics.gauge(MEMORY, now.memory_b)
        self._metrics.count(CPU, by=max(now.cpu_s - self._cpu_s, 0.0))
        self._cpu_s = max(now.cpu_s, self._cpu_s)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _announce(sock: socket.socket) -> None:
    host, port = sock.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    # For whoever started it on port 0, and for people: the one line that says where it is.
    sys.stdout.write(f"Launchyard's server is at http://{shown}:{port}\n")
    sys.stdout.flush()
    _LOG.info("listening on %s port %d", host, port)
