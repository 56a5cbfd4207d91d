"""`queue create|apply|list|show|pause|resume|delete`."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import click

from launchyard.adapters.cli.apply import apply, settings_of
from launchyard.adapters.cli.output import (
    ago,
    json_option,
    print_json,
    print_pairs,
    print_table,
)
from launchyard.adapters.cli.session import Session, connected
from launchyard.adapters.cli.texts import text_of
from launchyard.domain.config.schema import KnownTypes
from launchyard.domain.documents import Json
from launchyard.domain.priority import QueueMode
from launchyard.domain.wire import to_json
from launchyard.ports.operator import QueueView
from launchyard.ports.records import Queue, QueueChange


@click.group()
def queue() -> None:
    """Make, apply, list, pause and delete queues."""


queue.add_command(apply)


@queue.command()
@connected()
@click.argument("name")
@click.option("-r", "--resource", default="local-process", help="Target; local-process.")
@click.option("--config", "file", metavar="FILE|-", help="Its configuration, YAML or JSON.")
@click.option("--limit", type=click.IntRange(0), help="Most jobs of it at a time.")
@click.option(
    "--mode",
    type=click.Choice([mode.value for mode in QueueMode]),
    default=QueueMode.FIFO.value,
    help="Serve by age, or by priority first; fifo.",
)
@click.option("--overridable", multiple=True, metavar="PATH", help="What launches may change.")
@json_option
def create(  # each is one option of the command
    session: Session,
    *,
    name: str,
    resource: str,
    file: str | None,
    limit: int | None,
    mode: str,
    overridable: Sequence[str],
    as_json: bool,
) -> None:
    """Make the queue NAME.

    Without --overridable, launches may change everything but what the target protects.
    """
    config = _config(session, file)
    made = session.operator.add_queue(
        Queue(
            entity=session.entity,
            name=name,
            resource=resource,
            config=config,
            overridable=tuple(overridable) or None,
            limit=limit,
            mode=QueueMode(mode),
        )
    )
    if as_json:
        print_json(_document(made))
    else:
        click.echo(f"queue {made.queue.entity}/{made.queue.name} on {made.queue.resource}")
    _doubt(made.queue.resource)


def _doubt(resource: str) -> None:
    """Say so when *resource* looks misspelt: a plugin that only agents have may bring it."""
    known = (*KnownTypes().targets, "exec")
    near = get_close_matches(resource, known, 1)
    if resource not in known and near:
        click.echo(f"note: {resource} is no target of ours; did you mean `{near[0]}`?", err=True)


@queue.command("list")
@connected()
@json_option
def list_(session: Session, *, as_json: bool) -> None:
    """List the queues of an entity."""
    found = session.operator.queues(session.entity)
    if as_json:
        print_json([_document(view) for view in found])
        return
    rows = [
        (
            view.queue.name,
            view.queue.resource,
            "paused" if view.queue.paused else "open",
            view.counts.waiting if view.counts else "-",
            view.counts.active if view.counts else "-",
            "-" if view.queue.limit is None else view.queue.limit,
        )
        for view in found
    ]
    heads = ("NAME", "TARGET", "STATE", "WAITING", "ACTIVE", "LIMIT")
    print_table(heads, rows, f"{session.entity} has no queue; `launchyard queue create NAME`")


@queue.command()
@connected()
@click.argument("name")
@click.option("--yaml", "as_yaml", is_flag=True, help="As `queue apply -f` reads it.")
@json_option
def show(session: Session, *, name: str, as_yaml: bool, as_json: bool) -> None:
    """Show the queue NAME with its configuration."""
    view = session.operator.queue(session.entity, name)
    if as_json:
        print_json(_document(view))
        return
    write = session.programs.write_document
    if as_yaml:
        click.echo(write(settings_of(view.queue)), nl=False)
        return
    counts, found = view.counts, view.queue
    print_pairs(
        [
            ("name", f"{found.entity}/{found.name}"),
            ("target", found.resource),
            ("state", "paused" if found.paused else "open"),
            ("mode", found.mode.value),
            ("limit", found.limit),
            ("waiting", counts.waiting if counts else ""),
            ("active", counts.active if counts else ""),
            ("done", counts.done if counts else ""),
            ("oldest", _oldest(view)),
            ("overridable", "\n".join(found.overridable or ())),
            (
                "variables",
                write(found.template_variables).rstrip() if found.template_variables else "",
            ),
            ("config", write(found.config).rstrip()),
        ]
    )


@queue.command()
@connected()
@click.argument("name")
def pause(session: Session, *, name: str) -> None:
    """Let nothing more of the queue NAME begin; what runs goes on."""
    session.operator.change_queue(session.entity, name, QueueChange(paused=True))
    click.echo(f"{name} is paused; `launchyard queue resume {name}` lets it go on")


@queue.command()
@connected()
@click.argument("name")
def resume(session: Session, *, name: str) -> None:
    """Let the queue NAME go on."""
    session.operator.change_queue(session.entity, name, QueueChange(paused=False))
    click.echo(f"{name} goes on")


@queue.command()
@connected()
@click.argument("name")
def delete(session: Session, *, name: str) -> None:
    """Delete the queue NAME, on which nothing may wait or run."""
    session.operator.delete_queue(session.entity, name)
    click.echo(f"{name} is deleted")


def _config(session: Session, file: str | None) -> Json:
    if file is None:
        return {}
    text = text_of(file)
    # Read here already, so that slips are told with the file's name and line.
    return session.programs.read_document(text, "stdin" if file == "-" else file).value or {}


def _document(view: QueueView) -> dict[str, Json]:
    queue_part, counts = to_json(view.queue), to_json(view.counts)
    return {**(queue_part if isinstance(queue_part, dict) else {}), "counts": counts}


def _oldest(view: QueueView) -> str:
    oldest = view.counts.oldest_waiting_ms if view.counts else None
    return f"waits for {ago(oldest)}" if oldest else ""
