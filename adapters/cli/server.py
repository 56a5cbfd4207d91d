"""`server`: be a server, and its backups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import click

from launchyard.adapters.cli.backup import backup, restore
from launchyard.adapters.cli.session import Session
from launchyard.domain.config.schema import Field, Kind, RefusedError
from launchyard.domain.config.values import parse
from launchyard.ports.housekeeping import Retention
from launchyard.ports.programs import ServerStart

_SIZE: Final = Field(key="log_quota", kind=Kind.BYTES, doc="", minimum=1)
_KEPT: Final = ("items", "archives", "runs", "artifacts", "agents")


def _kept(kind: str, usual_d: int, what: str) -> Callable[..., Any]:
    """Return the option that says how long *kind* is kept."""
    option: Callable[..., Any] = click.option(
        f"--retain-{kind}",
        type=click.FloatRange(0),
        default=float(usual_d),
        envvar=f"LAUNCHYARD_SERVER_RETAIN_{kind.upper()}",
        show_envvar=True,
        metavar="DAYS",
        help=f"{what}; {usual_d} days, 0 is for ever.",
    )
    return option


def _size(_context: click.Context, _option: click.Parameter, given: str | None) -> int | None:
    """Read a size as it is written in an agent's configuration, too."""
    if given is None:
        return None
    try:
        return int(str(parse(_SIZE, given, text=True)[0]))
    except RefusedError as error:
        raise click.BadParameter(f"{error.message}; {error.hint}") from None


@click.group(invoke_without_command=True)
@click.option(
    "--host",
    default="127.0.0.1",
    envvar="LAUNCHYARD_SERVER_HOST",
    show_envvar=True,
    help="Address to listen on; 127.0.0.1.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8630,
    envvar="LAUNCHYARD_SERVER_PORT",
    show_envvar=True,
    help="Port to listen on; 8630, 0 takes a free one.",
)
@click.option(
    "--state-dir",
    default="",
    envvar="LAUNCHYARD_SERVER_STATE_DIR",
    show_envvar=True,
    metavar="DIR",
    help="Database and files; else below XDG_DATA_HOME.",
)
@click.option(
    "--admin-key-file",
    default="",
    envvar="LAUNCHYARD_SERVER_ADMIN_KEY_FILE",
    show_envvar=True,
    metavar="FILE",
    help="Make an administrator's key here (0600) if the file is not there yet.",
)
@click.option(
    "--database",
    default="",
    envvar="LAUNCHYARD_SERVER_DATABASE",
    show_envvar=True,
    metavar="URL",
    help="Database; else SQLite in the state folder.",
)
@click.option(
    "--host-name",
    "host_names",
    multiple=True,
    metavar="NAME",
    help="Name by which clients may call it, besides its address; may be repeated.",
)
@click.option(
    "--lease-ttl",
    "lease_ttl_s",
    type=click.FloatRange(6),
    envvar="LAUNCHYARD_SERVER_LEASE_TTL",
    show_envvar=True,
    metavar="SECONDS",
    help="How long an agent's leases hold after its last heartbeat; 45.",
)
@click.option(
    "--log-format",
    type=click.Choice(["console", "json"]),
    default="console",
    envvar="LAUNCHYARD_SERVER_LOG_FORMAT",
    show_envvar=True,
    help="Lines for people, or one JSON object a line.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    envvar="LAUNCHYARD_SERVER_LOG_LEVEL",
    show_envvar=True,
    help="Least serious lines; info has people's requests, debug those of agents as well.",
)
@click.option(
    "--rate-limit",
    "rate_per_s",
    type=click.FloatRange(0),
    envvar="LAUNCHYARD_SERVER_RATE_LIMIT",
    show_envvar=True,
    metavar="PER_SECOND",
    help="Requests that one key may make a second; 200, 0 is no limit.",
)
@click.option(
    "--log-quota",
    "log_quota_b",
    envvar="LAUNCHYARD_SERVER_LOG_QUOTA",
    show_envvar=True,
    metavar="SIZE",
    callback=_size,
    help="Log that is kept of one attempt, whatever its agent and queue allow; 64MiB.",
)
@_kept("items", 90, "Items with their logs and outputs, from their end")
@_kept("archives", 30, "Code archives that no item names, from their last launch")
@_kept("runs", 90, "Runs of W&B's clients that are of no item, from when they were last heard of")
@_kept("artifacts", 90, "Artifacts that no alias, launch or job names, from their making")
@_kept("agents", 30, "Agents that no item names, from when they were last heard of")
@click.pass_context
def server(context: click.Context, /, *, host_names: Sequence[str], **given: Any) -> int:
    """Be a server until Ctrl-C or SIGTERM: queues, items, logs and keys over HTTP."""
    if context.invoked_subcommand is not None:
        return 0
    days = {f"{kind}_d": given.pop(f"retain_{kind}") for kind in _KEPT}
    start = ServerStart(host_names=tuple(host_names), retention=Retention(**days), **given)
    session: Session = context.obj
    return session.programs.run_server(start)


server.add_command(backup)
server.add_command(restore)
