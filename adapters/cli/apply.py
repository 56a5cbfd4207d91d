"""`queue apply`, and what `queue show --yaml` prints for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Final

import click

from launchyard.adapters.cli.codes import Code
from launchyard.adapters.cli.errors import CommandError
from launchyard.adapters.cli.output import json_option, print_json
from launchyard.adapters.cli.session import Session, connected
from launchyard.adapters.cli.texts import text_of
from launchyard.domain.config.suggest import did_you_mean
from launchyard.domain.differences import Difference, differences
from launchyard.domain.documents import Json, dotted
from launchyard.domain.wire import to_json
from launchyard.ports.records import Queue

_NOT_SAID: Final = frozenset({"entity", "created_ms"})
_KNOWN: Final = tuple(field.name for field in fields(Queue) if field.name not in _NOT_SAID)
_LIST: Final = "queues"


@dataclass(frozen=True, slots=True)
class Step:
    """What applying a document to one queue does."""

    entity: str
    name: str
    document: Json
    is_new: bool
    changes: Sequence[Difference]

    @property
    def does(self) -> str:
        """Return what happens to the queue, in one word."""
        return "make" if self.is_new else "change" if self.changes else "same"


@click.command()
@connected()
@click.option("-f", "--file", required=True, metavar="FILE|-", help="Queues, in YAML or JSON.")
@click.option("--dry-run", is_flag=True, help="Only show what would change; then 9 if anything.")
@json_option
def apply(session: Session, *, file: str, dry_run: bool, as_json: bool) -> int:
    """Make queues, or change them to what FILE says; the same again changes nothing.

    FILE has one queue, or a list of them under `queues`. A setting that is left out gets its
    default, but for `paused`, which stays. All queues are checked before the first is changed.
    """
    steps = [_step(session, document) for document in _read(session, file)]
    for step in steps:
        if not as_json:
            _show(step, dry_run=dry_run)
        if step.does != "same" and not dry_run:
            session.operator.put_queue(step.entity, step.document)
    if as_json:
        print_json([_document(step) for step in steps])
    return Code.DIFFERS if dry_run and any(step.does != "same" for step in steps) else Code.OK


def settings_of(queue: Queue) -> dict[str, Json]:
    """Return a queue as a file describes it: what is not its default, in the usual order."""
    plain = Queue(entity="", name="", resource="", config=None)
    said = [key for key in _KNOWN if getattr(queue, key) != getattr(plain, key)]
    return {key: to_json(getattr(queue, key)) for key in said}


def _read(session: Session, file: str) -> Iterator[dict[str, Json]]:
    """Give each queue of *file*, in its order."""
    text = text_of(file)
    name = "stdin" if file == "-" else file
    found = session.programs.read_document(text, name).value
    listed = found.get(_LIST) if isinstance(found, dict) and _LIST in found else found
    documents = listed if isinstance(listed, list) else [listed]
    for number, document in enumerate(documents):
        where = f"{_LIST}[{number}]" if isinstance(listed, list) else ""
        yield _checked(document, name, where)


def _checked(document: Json, file: str, where: str) -> dict[str, Json]:
    at = f"{file}: {where}" if where else file
    if not isinstance(document, dict) or not isinstance(document.get("name"), str):
        hint = "give each queue a `name` and a `resource`"
        raise CommandError(f"{at} is no queue", "it has no `name`", hint, code=Code.CONFIG)
    for key in document:
        if key not in (*_KNOWN, "entity"):
            why = did_you_mean(key, _KNOWN) or f"a queue has {', '.join(_KNOWN)}"
            raise CommandError(f"{at}: a queue has no `{key}`", why, code=Code.CONFIG)
    return document


def _step(session: Session, document: dict[str, Json]) -> Step:
    wanted = dict(document)
    entity = str(wanted.pop("entity", None) or session.entity)
    name = str(wanted["name"])
    planned = session.operator.put_queue(entity, wanted, dry_run=True)
    known = {view.queue.name: view.queue for view in session.operator.queues(entity)}
    before = known.get(name)
    old = settings_of(before) if before else {}
    return Step(entity, name, wanted, before is None, differences(old, settings_of(planned)))


def _document(step: Step) -> dict[str, Json]:
    changes: list[Json] = [
        {"path": dotted(one.path), "old": one.old, "new": one.new} for one in step.changes
    ]
    return {"entity": step.entity, "name": step.name, "does": step.does, "changes": changes}


def _show(step: Step, *, dry_run: bool) -> None:
    now = {"make": "is being made", "change": "is being changed", "same": "is as the file says"}
    would = {**now, "make": "would be made", "change": "would be changed"}
    click.echo(f"{step.entity}/{step.name} {(would if dry_run else now)[step.does]}")
    for change in step.changes:
        click.echo(f"  {change.text}")
