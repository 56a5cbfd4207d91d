"""`up`: a server and an agent on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import click

from launchyard.adapters.cli.folders import state_folder
from launchyard.adapters.cli.session import Session
from launchyard.adapters.cli.yard import Plan, Yard, until_signal

_LOOK_S = 0.2
_CONTEXT = "local"


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8630, help="The server's; 8630.")
@click.option(
    "--operations-port",
    type=click.IntRange(0, 65535),
    default=9460,
    help="The agent's metrics and status; 9460, 0 takes a free one.",
)
@click.option("--state-dir", metavar="DIR", help="Else below XDG_STATE_HOME.")
@click.option(
    "-j", "--max-jobs", type=click.IntRange(-1), help="Jobs at a time; else one a processor."
)
@click.pass_obj
def up(
    session: Session,
    *,
    port: int,
    operations_port: int,
    state_dir: str | None,
    max_jobs: int | None,
) -> int:
    """Start a server and an agent on this machine; Ctrl-C stops both in order.

    Afterwards `launchyard launch --dir . -- python train.py` needs no other flag. Only this
    machine can reach the server.
    """
    state = Path(state_dir).absolute() if state_dir else state_folder(session.environment)
    jobs = max_jobs if max_jobs is not None else os.cpu_count() or 1
    plan = Plan(state=state, port=port, operations_port=operations_port, max_jobs=jobs)
    yard = Yard(session.programs, plan)
    with until_signal() as asked:
        try:
            context = yard.start_server()
            operator = session.programs.operator(context.url, context.key)
            try:
                yard.start_agent(operator)
            finally:
                operator.close()
            before = session.contexts.in_use()
            session.contexts.save(_CONTEXT, context)
            _greet(plan)
            _tell_before(before)
            while not asked.wait(_LOOK_S):
                name = yard.ended()
                if name and yard.drained():
                    click.echo("\nthe agent was drained and has ended", err=True)
                    break
                if name:
                    raise yard.failed(name)
            click.echo("\nstopping: the agent hands over first, then the server", err=True)
        finally:
            yard.stop()
    click.echo("stopped", err=True)
    return 0


def _greet(plan: Plan) -> None:
    click.echo(f"server  {plan.url}")
    click.echo(f"agent   {plan.max_jobs} jobs at a time, log {plan.state / 'agent.log'}")
    click.echo("queue   default (local-process)")
    click.echo("")
    click.echo("In another terminal, in a folder with your code:")
    click.echo("  launchyard launch --dir . --follow -- python train.py")
    click.echo("")


def _tell_before(name: str) -> None:
    """Tell which login commands went to so far, with the way back; then the way out."""
    if name and name != _CONTEXT:
        click.echo(f"Commands of yours went to {name} and now come here. The way back:")
        click.echo(f"  launchyard login --use {name}")
        click.echo("")
    click.echo("Ctrl-C stops both.")
