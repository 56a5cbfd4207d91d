"""`agents`, `drain`, `pause` and `resume`."""

from __future__ import annotations

import click

from launchyard.adapters.cli.codes import Code
from launchyard.adapters.cli.errors import CommandError
from launchyard.adapters.cli.output import ago, json_option, print_json, print_table
from launchyard.adapters.cli.session import Session, connected
from launchyard.ports.records import AgentView


@click.command()
@connected()
@json_option
def agents(session: Session, *, as_json: bool) -> None:
    """List agents, what they take, and when they were last heard of."""
    found = session.operator.agents(session.context.entity)
    if as_json:
        print_json(found)
        return
    rows = [
        (
            agent.name,
            _state(agent),
            ",".join(agent.queues),
            f"{agent.active}/{'∞' if agent.max_jobs < 0 else agent.max_jobs}",
            agent.hostname,
            agent.version,
            f"{ago(agent.seen_ms)} ago",
        )
        for agent in found
    ]
    heads = ("NAME", "STATE", "QUEUES", "JOBS", "HOST", "VERSION", "SEEN")
    print_table(heads, rows, "no agents; `launchyard agent -q QUEUE` is one")


@click.command()
@connected()
@click.argument("agent")
@json_option
def drain(session: Session, *, agent: str, as_json: bool) -> None:
    """Ask AGENT, by name or id, to take nothing new, hand over its work, and stop."""
    done = session.operator.drain(_named(session, agent).id)
    if as_json:
        print_json(done)
    else:
        click.echo(f"{done.name} drains; it has {done.active} jobs to hand over or finish")


@click.command()
@connected()
@click.argument("agent")
@json_option
def pause(session: Session, *, agent: str, as_json: bool) -> None:
    """Let AGENT, by name or id, take nothing new; what it has goes on. Outlasts its restarts."""
    done = session.operator.pause(_named(session, agent).id, paused=True)
    if as_json:
        print_json(done)
    else:
        click.echo(f"{done.name} is paused; `launchyard resume {done.name}` lets it go on")


@click.command()
@connected()
@click.argument("agent")
@json_option
def resume(session: Session, *, agent: str, as_json: bool) -> None:
    """Let AGENT, by name or id, take work again."""
    done = session.operator.pause(_named(session, agent).id, paused=False)
    if as_json:
        print_json(done)
    else:
        click.echo(f"{done.name} takes work again")


def _named(session: Session, agent: str) -> AgentView:
    """Return the agent of this name or id; of several one that is online."""
    found = [one for one in session.operator.agents(session.context.entity) if _is(one, agent)]
    online = [one for one in found if one.online] or found
    if not online:
        raise CommandError(
            f"no agent is called {agent}", "", "`launchyard agents` lists them", code=Code.NOT_FOUND
        )
    return online[0]


def _is(agent: AgentView, name: str) -> bool:
    return name in {agent.name, agent.id}


def _state(agent: AgentView) -> str:
    if not agent.online:
        return "away"
    if agent.draining:
        return "draining"
    return "paused" if agent.paused else agent.status
