"""What the command line needs besides a server: our programs, files and documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from launchyard.ports.housekeeping import Gone, Retention

if TYPE_CHECKING:
    # Each program loads its own part: `launchyard --help` needs none of these.
    from launchyard.domain.config.check import Checked
    from launchyard.domain.config.model import AgentConfig
    from launchyard.domain.config.problem import Marked
    from launchyard.domain.documents import Json
    from launchyard.domain.review import Review, Reviewed
    from launchyard.ports.archive import Contents
    from launchyard.ports.operator import Operator
    from launchyard.ports.plugins import PluginView


class ProgramError(Exception):
    """A program of ours did not start or went wrong; *code* is the exit code that says which."""

    def __init__(self, message: str, *, code: int, where: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.where = where
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStart:
    """How to start a server; an empty text means the default.

    `host_names` are names that clients may call it by, besides the loopback's and `host`.
    `rate_per_s` is how many requests one key may make a second; 0 is no limit, None the default.
    `log_quota_b` is how much of an attempt's log is kept; None the default.
    """

    host: str = "127.0.0.1"
    port: int = 8630
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigRequest:
    """Which configuration to read; no file means the one that is found in the usual places.

    *flags* maps long names (`--max-jobs`) to what was given.
    """

    file: str = ""
    flags: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStart:
    """How to start an agent; *server* is where it works, whatever its configuration says.

    *key_file*, where there is one, is the file that the key came from and may be replaced in.
    *reload* reads the configuration again; it raises `ProgramError` when that is no longer valid.
    """

    config: AgentConfig
    server: str
    key: str = field(repr=False)
    key_file: str = ""
    log_file: str = ""
    operations_port: int | None = None
    rebuild_journal: bool = False
    reload: Callable[[], AgentConfig] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What a backup has in it, or what a restore brought back. `epoch` is a restore's new one."""

    file: str
    installation: str
    created_ms: int
    items: int
    blobs: int
    size_b: int
    epoch: int = 0


class Running(Protocol):
    """A program that was started beside this one."""

    @property
    def log(self) -> str:
        """The file that has what it printed."""
        ...

    def code(self) -> int | None:
        """Return its exit code, None while it runs."""
        ...

    def stop(self, limit_s: float) -> int:
        """Ask it to end; end it by force after *limit_s*. Return its exit code."""
        ...


class Programs(Protocol):
    """Starts what the command line starts, and reads what it reads."""

    def operator(self, url: str, key: str) -> Operator:
        """Return a client of the server at *url*."""
        ...

    def run_server(self, start: ServerStart) -> int:
        """Be a server until a signal; return the exit code.

        Raises:
            ProgramError: it could not start.
        """
        ...

    def back_up(self, file: str, state_dir: str, database: str) -> Backup:
        """Write all that the server of a state folder keeps to *file*, also while it runs.

        Raises:
            ProgramError: it could not; *file* is as it was.
        """
        ...

    def restore(self, file: str, state_dir: str, database: str) -> Backup:
        """Make a state folder of a backup; every token of before is stale from then on.

        *database* is what the server is to have, which can only be the folder's own.

        Raises:
            ProgramError: the backup is damaged, or of a newer release, or the folder is in use, or
                the server is to have another database.
        """
        ...

    def tidy(self, state_dir: str, *, dry_run: bool) -> Sequence[Gone]:
        """Take away what an agent's state folder has kept for too long, or only count it.

        Raises:
            ProgramError: the folder cannot be read.
        """
        ...

    def run_agent(self, start: AgentStart) -> int:
        """Be an agent until it is drained; return the exit code.

        Raises:
            ProgramError: it could not start.
        """
        ...

    def start(self, words: Sequence[str], log: str) -> Running:
        """Start `launchyard <words>` beside this program, deaf to the terminal's Ctrl-C."""
        ...

    def pack(self, folder: str, into: str) -> Contents:
        """Write a code archive of *folder*.

        Raises:
            ArchiveError: the folder cannot be packed.
        """
        ...

    def check_config(self, request: ConfigRequest) -> Checked:
        """Read and check an agent's configuration.

        Raises:
            ProgramError: the file that was named cannot be read.
        """
        ...

    def config_schema(self) -> Json:
        """Return the JSON Schema of the agent's configuration."""
        ...

    def review(self, review: Review) -> Reviewed:
        """Ask the reviewers of this installation, as its configuration sets them up."""
        ...

    def plugins(self) -> Sequence[PluginView]:
        """List the plugins of this installation."""
        ...

    def read_document(self, text: str, name: str) -> Marked:
        """Read a text in YAML or JSON.

        Raises:
            DocumentError: it is neither.
        """
        ...

    def write_document(self, document: Json) -> str:
        """Return *document* as YAML."""
        ...
