# ruff: noqa: D102, PLC0415 - the port documents the methods, and late imports are the point
"""What the command line is given: our programs, wired on first use.

Everything heavy is imported inside the method that needs it, so that `launchyard --help` loads
neither a server nor a client, and an agent loads no server.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from launchyard.ports.programs import (
    AgentStart,
    Backup,
    ConfigRequest,
    ProgramError,
    ServerStart,
)

if TYPE_CHECKING:
    from launchyard.domain.config.check import Checked
    from launchyard.domain.config.problem import Marked
    from launchyard.domain.documents import Json
    from launchyard.domain.review import Review, Reviewed
    from launchyard.plugins.manager import Plugins
    from launchyard.ports.archive import Contents
    from launchyard.ports.housekeeping import Gone
    from launchyard.ports.operator import Operator
    from launchyard.ports.plugins import PluginView

_CONFIG: Final = 3


class LocalPrograms:
    """`Programs` of this installation, in this process or as children of it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def operator(self, url: str, key: str) -> Operator:
        from launchyard.adapters.client.operator import RestOperator

        return RestOperator(url, key)

    def run_server(self, start: ServerStart) -> int:
        from launchyard.bootstrap.server import ServerOptions, run_server

        return run_server(
            ServerOptions(
                host=start.host,
                port=start.port,
                state_dir=start.state_dir,
                admin_key_file=start.admin_key_file,
                database=start.database,
                host_names=start.host_names,
                lease_ttl_s=start.lease_ttl_s,
                log_format=start.log_format,
                log_level=start.log_level,
                rate_per_s=start.rate_per_s,
                log_quota_b=start.log_quota_b,
                retention=start.retention,
            )
        )

    def back_up(self, file: str, state_dir: str, database: str) -> Backup:
        from launchyard.bootstrap.backup import back_up

        return back_up(file, state_dir, database)

    def restore(self, file: str, state_dir: str, database: str) -> Backup:
        from launchyard.bootstrap.backup import restore

        return restore(file, state_dir, database)

    def tidy(self, state_dir: str, *, dry_run: bool) -> Sequence[Gone]:
        from launchyard.bootstrap.tidying import tidy_of

        return tidy_of(self.check_config(ConfigRequest()).config, state_dir, dry_run=dry_run)

    def run_agent(self, start: AgentStart) -> int:
        from launchyard.bootstrap.agent import AgentOptions, run_agent

        return run_agent(
            start.config,
            AgentOptions(
                server=start.server,
                key=start.key,
                key_file=start.key_file,
                log_file=start.log_file,
                operations_port=start.operations_port,
                rebuild_journal=start.rebuild_journal,
                reload=start.reload,
            ),
        )

    def start(self, words: Sequence[str], log: str) -> Child:
        return Child([sys.executable, "-m", "launchyard", *words], log)

    def pack(self, folder: str, into: str) -> Contents:
        from launchyard.adapters.archive.archives import TarArchives
        from launchyard.domain.archive import Limits

        return TarArchives().pack(folder, into, Limits())

    def check_config(self, request: ConfigRequest) -> Checked:
        from launchyard.domain.config.check import check

        document = self._document(request)
        known = self._plugins(document, request.flags).known_types()
        return check(document, self._environment, request.flags, known)

    def config_schema(self) -> Json:
        from launchyard.domain.config.json_schema import json_schema

        return json_schema(self._plugins(self._document(ConfigRequest())).known_types())

    def review(self, review: Review) -> Reviewed:
        from launchyard.bootstrap.policy import reviewed

        return reviewed(review, self.check_config(ConfigRequest()).config)

    def plugins(self) -> Sequence[PluginView]:
        return self._plugins(self._document(ConfigRequest())).listing()

    def read_document(self, text: str, name: str) -> Marked:
        from launchyard.adapters.yaml.reader import read

        return read(text, name)

    def write_document(self, document: Json) -> str:
        from launchyard.adapters.yaml.writer import write

        return write(document)

    def _plugins(self, document: Marked, flags: Mapping[str, Json] | None = None) -> Plugins:
        """Load the plugins that the configuration admits; code of others is not even run."""
        from launchyard.domain.config.check import plugin_lists
        from launchyard.plugins.manager import Plugins, Rules

        allow, deny = plugin_lists(document, self._environment, flags or {})
        return Plugins(Rules(allow=allow, deny=deny))

    def _document(self, request: ConfigRequest) -> Marked:
        from launchyard.domain.config.problem import Marked

        file = request.file or self._usual_file()
        if not file:
            return Marked(value=None, name="no file")
        from launchyard.adapters.yaml.reader import read_on

        try:
            return read_on(Path(file).expanduser().read_text(), _shown(file))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
            raise ProgramError(
                f"the configuration {file} cannot be read",
                code=_CONFIG,
                where=(reason or "").lower(),
                remedy="name another with --config",
            ) from None

    def _usual_file(self) -> str:
        from launchyard.domain.config.keys import DEFAULT_FILES

        given = self._environment.get("XDG_CONFIG_HOME", "")
        base = given if given.startswith("/") else "~/.config"
        found = (
            *(name.replace("~/.config", base) for name in DEFAULT_FILES[:1]),
            *DEFAULT_FILES,
        )
        return next((name for name in found if Path(name).expanduser().is_file()), "")


def _shown(file: str) -> str:
    """Return how messages name *file*: as it was written, with the home folder in full."""
    return str(Path(file).expanduser())


class Child:
    """`Running`, as a child process in a session of its own."""

    def __init__(self, command: Sequence[str], log: str) -> None:
        self.log = log
        with Path(log).open("wb") as out:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def code(self) -> int | None:
        return self._process.poll()

    def stop(self, limit_s: float) -> int:
        """End it; what is still there after the limit is killed, which loses nothing."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
