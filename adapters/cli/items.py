"""`ps`, `show`, `why` and `cancel`: looking at jobs and ending them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import click

from launchyard.adapters.cli.output import (
    ago,
    clock_time,
    duration,
    json_option,
    print_json,
    print_pairs,
    print_table,
    state_of,
)
from launchyard.adapters.cli.session import Session, connected, short
from launchyard.adapters.cli.stages import stages_of
from launchyard.domain.documents import Json
from launchyard.domain.item import ItemState
from launchyard.domain.priority import Priority
from launchyard.domain.why import WaitReason
from launchyard.domain.wire import to_json
from launchyard.ports.records import ItemFilter, ItemView

_OPEN: Final = (ItemState.QUEUED, ItemState.CLAIMED, ItemState.LAUNCHING, ItemState.LAUNCHED)
_WAITS: Final[Mapping[str, str]] = {WaitReason.NOT_WAITING.value: ""}
"""What `ps` says in place of a reason."""


@click.command()
@connected(queue=True)
@click.option("-a", "--all", "everything", is_flag=True, help="Ended jobs too.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in ItemState]),
    help="Only jobs that stand so; may be repeated.",
)
@click.option("-n", "--most", type=click.IntRange(1, 500), default=50, help="How many; 50.")
@json_option
def ps(
    session: Session, *, everything: bool, states: Sequence[str], most: int, as_json: bool
) -> None:
    """List what waits, runs and has ended."""
    chosen = tuple(ItemState(state) for state in states)
    wanted = ItemFilter(
        entity=session.context.entity,
        queue=session.asked.queue,
        states=chosen or (() if everything else _OPEN),
        most=most,
    )
    items = session.operator.items(wanted)
    if as_json:
        print_json(items)
        return
    rows = [
        (
            short(item.id),
            state_of(item),
            _WAITS.get(item.waits, item.waits),
            f"{item.entity}/{item.queue}",
            item.name,
            item.agent_name or item.agent,
            ago(item.enqueued_ms),
        )
        for item in items
    ]
    empty = "nothing" if everything or chosen else "nothing waits or runs; --all lists the rest"
    print_table(("ID", "STATE", "WAITS", "QUEUE", "NAME", "AGENT", "AGE"), rows, empty)


@click.command()
@connected(entity=False)
@click.argument("item")
@json_option
def show(session: Session, *, item: str, as_json: bool) -> None:
    """Show all that is known of ITEM: an id, its beginning or end, or @last."""
    found, earlier = session.operator.item(session.item(item))
    if as_json:
        print_json({**_object(to_json(found)), "attempts": to_json(earlier)})
        return
    print_pairs(
        [
            ("id", found.id),
            ("name", found.name),
            ("state", state_of(found)),
            ("reason", found.reason if found.reason != "completed" else ""),
            ("detail", found.detail),
            ("exit code", found.exit_code),
            ("queue", f"{found.entity}/{found.queue} ({found.resource})"),
            ("priority", Priority(found.priority).word),
            ("submitter", found.submitter),
            ("run", found.run_id),
            ("agent", found.agent_name or found.agent),
            ("place", " ".join(filter(None, (found.place_scope, found.place_name)))),
            ("attempt", found.attempt),
            ("retries", found.retries or ""),
            ("not before", clock_time(found.not_before_ms)),
            ("dead letter", f"{found.dead} failure" if found.dead else ""),
            ("age", ago(found.enqueued_ms)),
            ("stages", _stages(found)),
            ("command", _command(found.spec)),
            ("earlier", "\n".join(_earlier(one) for one in earlier)),
        ]
    )


@click.command()
@connected(entity=False)
@click.argument("item")
@json_option
def why(session: Session, *, item: str, as_json: bool) -> None:
    """Say why ITEM waits, and what would let it go on."""
    found = session.operator.why(session.item(item))
    if as_json:
        print_json(found)
        return
    click.echo(found.text)
    if found.position > 1:
        click.echo(f"It is number {found.position} in line.")


@click.command()
@connected(entity=False)
@click.argument("items", nargs=-1, required=True)
@json_option
def cancel(session: Session, *, items: Sequence[str], as_json: bool) -> None:
    """End ITEMS: at once where they wait, by a polite signal first where they run."""
    done = [session.operator.cancel(session.item(item)) for item in items]
    if as_json:
        print_json(done)
        return
    for item in done:
        click.echo(f"{short(item.id)} {state_of(item)}")


def _stages(item: ItemView) -> str:
    return "\n".join(
        f"{stage.name:<9} {duration((stage.ended_ms - stage.began_ms) / 1000):>10}"
        for stage in stages_of(item)
        if stage.ended_ms is not None
    )


def _earlier(item: ItemView) -> str:
    code = f" ({item.exit_code})" if item.exit_code is not None else ""
    where = f" on {item.agent_name}" if item.agent_name else ""
    told = f"attempt {item.attempt}: {state_of(item)} {item.reason}{code}{where} {item.detail}"
    return told.rstrip()


def _command(spec: Json) -> str:
    overrides = _object(_object(spec).get("overrides"))
    words = [*_list(overrides.get("entry_point")), *_list(overrides.get("args"))]
    return " ".join(str(word) for word in words)


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
