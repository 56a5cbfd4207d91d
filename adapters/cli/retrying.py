"""`retry`, `duplicate` and `dead-letters list|replay`: once more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import click

from launchyard.adapters.cli.output import (
    ago,
    json_option,
    print_json,
    print_table,
    state_of,
)
from launchyard.adapters.cli.session import Session, connected, short
from launchyard.domain.reason import FailureClass, Reason
from launchyard.ports.again import Letters
from launchyard.ports.records import ItemView

_PAGE = 500


@click.command()
@connected(entity=False)
@click.argument("items", nargs=-1, required=True)
@json_option
def retry(session: Session, *, items: Sequence[str], as_json: bool) -> None:
    """Try ITEMS again that have ended, as their next attempt and with fresh budgets.

    One that waits for its moment, such as after a failure, goes at once. Its place in line and
    its secrets stay its own.
    """
    _told([session.operator.retry(session.item(item)) for item in items], as_json=as_json)


@click.command()
@connected(entity=False)
@click.argument("item")
@json_option
def duplicate(session: Session, *, item: str, as_json: bool) -> None:
    """Put a new item with the launch of ITEM on the same queue.

    Named secrets are looked up anew. Values that came with the launch are copied for the person
    who launched it, as long as they are kept; else the command says so and copies nothing.
    """
    made = session.operator.duplicate(session.item(item))
    if as_json:
        print_json(made)
        return
    click.echo(f"launched {short(made.id)} on {made.entity}/{made.queue}", err=True)
    click.echo(made.id)


@click.group("dead-letters")
def dead_letters() -> None:
    """List and replay jobs that failed and are not tried again by themselves."""


def _which(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose dead letters."""
    classes = click.Choice([one.value for one in FailureClass])
    reasons = click.Choice([one.value for one in Reason])
    by_class = click.option(
        "--class", "classes", multiple=True, type=classes, help="Only such failures; may repeat."
    )
    by_reason = click.option(
        "--reason", "reasons", multiple=True, type=reasons, help="Only this one; may repeat."
    )
    return by_class(by_reason(command))


@dead_letters.command("list")
@connected(queue=True)
@_which
@click.option("-n", "--most", type=click.IntRange(1, _PAGE), default=50, help="How many; 50.")
@json_option
def list_(
    session: Session, *, classes: Sequence[str], reasons: Sequence[str], most: int, as_json: bool
) -> None:
    """List the dead letters of a queue, the newest first."""
    wanted = replace(_letters(session, classes, reasons), most=most)
    found = session.operator.dead_letters(wanted)
    if as_json:
        print_json(found)
        return
    rows = [
        (
            short(one.id),
            state_of(one),
            one.dead,
            one.reason,
            "" if one.exit_code is None else one.exit_code,
            one.attempt,
            one.name,
            ago(one.enqueued_ms),
        )
        for one in found
    ]
    heads = ("ID", "STATE", "CLASS", "REASON", "EXIT", "ATTEMPT", "NAME", "AGE")
    print_table(heads, rows, f"{wanted.entity}/{wanted.queue} has no dead letter")


@dead_letters.command()
@connected(queue=True)
@_which
@click.option("--all", "everything", is_flag=True, help="Every dead letter of the queue.")
@click.argument("items", nargs=-1)
@json_option
def replay(
    session: Session,
    *,
    classes: Sequence[str],
    reasons: Sequence[str],
    everything: bool,
    items: Sequence[str],
    as_json: bool,
) -> None:
    """Try dead letters again: ITEMS, those of a --class or --reason, or --all of the queue."""
    if bool(items) + bool(classes or reasons) + everything != 1:
        raise click.UsageError("name ITEMS, or choose by --class and --reason, or take --all")
    wanted = _letters(session, classes, reasons)
    done: list[str] = []
    if items:
        chosen = tuple(session.item(item) for item in items)
        done += session.operator.replay(replace(wanted, items=chosen))
    else:
        # Page by page, so that no call holds up the server for long.
        while page := session.operator.replay(replace(wanted, most=_PAGE)):
            done += page
            if len(page) < _PAGE:
                break
    if as_json:
        print_json({"items": done})
    else:
        click.echo(f"{len(done)} item{'s' * (len(done) != 1)} wait{'s' * (len(done) == 1)} again")


def _letters(session: Session, classes: Sequence[str], reasons: Sequence[str]) -> Letters:
    return Letters(
        entity=session.entity,
        queue=session.queue,
        classes=tuple(FailureClass(one) for one in classes),
        reasons=tuple(Reason(one) for one in reasons),
    )


def _told(items: Sequence[ItemView], *, as_json: bool) -> None:
    if as_json:
        print_json(items)
        return
    for item in items:
        click.echo(f"{short(item.id)} {state_of(item)} for attempt {item.attempt}")
