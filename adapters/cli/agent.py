"""`agent`: be an agent, with the flags of `wandb launch-agent`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import click

from launchyard.adapters.cli.codes import Code
from launchyard.adapters.cli.config import print_problems
from launchyard.adapters.cli.contexts import Asked, Context, plugin_key
from launchyard.adapters.cli.errors import CommandError
from launchyard.adapters.cli.session import Session
from launchyard.adapters.cli.wandb import wandb_context, wandb_key_file
from launchyard.domain.config.model import AgentConfig
from launchyard.domain.documents import Json
from launchyard.domain.server_address import OURS, dialect
from launchyard.domain.wandb_address import WORD, is_wandb
from launchyard.ports.programs import AgentStart, ConfigRequest, ProgramError, Programs

_OPEN: Final = ("server", "entity", "queues")
"""What may be left open by the configuration, and is then filled in from elsewhere."""


@click.command()
@click.option("-q", "--queue", "queues", multiple=True, help="Queue to serve; may be repeated.")
@click.option("-e", "--entity", help="Team or person whose queues they are.")
@click.option("-j", "--max-jobs", type=int, help="Jobs at a time; -1 for no limit.")
@click.option("-c", "--config", "file", default="", metavar="FILE", help="Configuration file.")
@click.option("-v", "--verbose", count=True, help="Tell more; -vv tells all.")
@click.option("-l", "--log-file", default="", metavar="FILE", help="Write the log here; - prints.")
@click.option("--log-format", help="console or json.")
@click.option("--log-level", help="debug, info, warning or error.")
@click.option(
    "--server", metavar="URL", help="Server; else configuration, LAUNCHYARD_SERVER, login."
)
@click.option("--key-file", default="", metavar="FILE", help="File with the key.")
@click.option("--name", help="Name that stays over restarts; else the host's.")
@click.option("--state-dir", metavar="DIR", help="Journal and jobs; else below XDG_STATE_HOME.")
@click.option(
    "--operations-port",
    type=click.IntRange(0, 65535),
    help="Port of metrics, health and status; 0 takes a free one.",
)
@click.option("--rebuild-journal", is_flag=True, help="Set a damaged journal aside and begin anew.")
@click.pass_obj
def agent(  # each is one option of the command
    session: Session,
    *,
    queues: Sequence[str],
    entity: str | None,
    max_jobs: int | None,
    file: str,
    verbose: int,
    log_file: str,
    log_format: str | None,
    log_level: str | None,
    server: str | None,
    key_file: str,
    name: str | None,
    state_dir: str | None,
    operations_port: int | None,
    rebuild_journal: bool,
) -> int:
    """Be an agent until it is drained: take jobs from queues and run them.

    Flags are stronger than LAUNCHYARD_AGENT_ variables, those stronger than the file. The first
    Ctrl-C or SIGTERM drains: running jobs are handed over or left alone, see docs/cli.md.
    """
    flags: dict[str, Json] = {
        "--queue": list(queues),
        "--entity": entity,
        "--max-jobs": max_jobs,
        "--verbose": verbose,
        "--log-format": log_format,
        "--log-level": log_level,
        "--server": server,
        "--name": name,
        "--state-dir": state_dir,
    }
    request = ConfigRequest(file=file, flags=flags)
    checked = session.programs.check_config(request)
    print_problems(checked)
    if checked.config is None:
        return Code.CONFIG
    first = checked.config
    named = first.server or session.environment.get("LAUNCHYARD_SERVER", "")
    context = wandb_context(named, key_file, session.environment, session.contexts.current())
    if dialect(named) not in {OURS, WORD}:
        context = Context(url=named, key=plugin_key(key_file, session.environment))
    config = _elsewhere(first, context) if context else _placed(session, first, key_file)
    context = context or session.context
    start = AgentStart(
        config=config,
        server=context.url,
        key=context.key,
        key_file=wandb_key_file(key_file, session.environment) if is_wandb(context.url) else "",
        log_file=log_file,
        operations_port=operations_port,
        rebuild_journal=rebuild_journal,
        reload=lambda: _read_again(session.programs, request, first, config),
    )
    return session.programs.run_agent(start)


def _placed(session: Session, config: AgentConfig, key_file: str) -> AgentConfig:
    """Fill in what the configuration leaves open: server, entity and queue."""
    session.asked = Asked(server=config.server or "", key_file=key_file, entity=config.entity or "")
    context = session.context
    queues = config.queues or tuple(filter(None, [context.queue]))
    if not queues:
        raise _no_queue()
    return replace(config, server=context.url, entity=session.entity, queues=queues)


def _elsewhere(config: AgentConfig, context: Context) -> AgentConfig:
    """Fill in the server; the entity that is left open is the key's owner's, whom it knows."""
    if not config.queues:
        raise _no_queue()
    return replace(config, server=context.url)


def _no_queue() -> CommandError:
    return CommandError(
        "the agent has no queue",
        "no -q, no `queues` in its configuration, and none in the context",
        "name one: `launchyard agent -q NAME`",
        code=Code.CONFIG,
    )


def _read_again(
    programs: Programs, request: ConfigRequest, first: AgentConfig, placed: AgentConfig
) -> AgentConfig:
    """Return the configuration as it is now, for SIGHUP.

    What it leaves open as it did at the start, when it was *first* read, stays as it was *placed*.
    """
    checked = programs.check_config(request)
    read = checked.config
    if read is None:
        told = "; ".join(problem.text.replace("\n", " ") for problem in checked.errors)
        raise ProgramError(told, code=Code.CONFIG)
    same: dict[str, Any] = {
        name: getattr(placed, name) for name in _OPEN if getattr(read, name) == getattr(first, name)
    }
    return replace(read, **same)
