"""`logs`: a job's log, whole or as it comes."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator

import click

from launchyard.adapters.cli.codes import Code
from launchyard.adapters.cli.ends import of_end
from launchyard.adapters.cli.follow import detached, follow
from launchyard.adapters.cli.live import JsonView, PlainView, view_for
from launchyard.adapters.cli.output import json_option, print_line
from launchyard.adapters.cli.session import Session, connected
from launchyard.domain.item import ItemState
from launchyard.domain.wire import to_json
from launchyard.ports.operator import LogAddress, LogText
from launchyard.ports.records import ItemView


@click.command()
@connected(entity=False)
@click.argument("item")
@click.option("-f", "--follow", "following", is_flag=True, help="Stay until the job's end.")
@click.option("--attempt", type=click.IntRange(1), help="An earlier attempt; else the latest.")
@click.option("--source", help="One source alone: build, agent, or the job's own.")
@json_option
def logs(
    session: Session,
    *,
    item: str,
    following: bool,
    attempt: int | None,
    source: str | None,
    as_json: bool,
) -> int:
    """Print the log of ITEM: an id, its beginning or end, or @last.

    With -f the exit code tells how the job ended; Ctrl-C detaches and leaves the job alone.
    """
    found, _ = session.operator.item(session.item(item))
    address = LogAddress(item=found.id, attempt=attempt or 0, source=source or "")
    over = found.state is ItemState.DONE and found.logs_complete
    if following and not over and not attempt and not source:
        return follow(session.operator, found, view_for(session.environment, as_json=as_json))
    if following and not over:
        try:
            for chunk in session.operator.follow_logs(address):
                _print(chunk, as_json=as_json)
        except KeyboardInterrupt:
            return detached(found, *_flags(attempt, source))
    elif as_json and over:
        for chunk in session.operator.follow_logs(address):
            _print(chunk, as_json=True)
    elif as_json:
        text = b"".join(session.operator.logs(address))
        shown = text.decode(errors="replace")
        _print(LogText(source=source or "", start=0, to=len(text), text=shown), as_json=True)
    else:
        for piece in session.operator.logs(address):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    if not following or attempt:
        return Code.OK
    return _tell_end(found if over else session.operator.item(found.id)[0], as_json=as_json)


def _flags(attempt: int | None, source: str | None) -> Iterator[str]:
    if attempt:
        yield f"--attempt {attempt}"
    if source:
        yield f"--source {shlex.quote(source)}"


def _tell_end(item: ItemView, *, as_json: bool) -> int:
    """Say how *item* ended, if it has; return the exit code."""
    if item.state is not ItemState.DONE:
        return Code.OK
    (JsonView() if as_json else PlainView()).close(item)
    return of_end(item.attempt_state)


def _print(chunk: object, *, as_json: bool) -> None:
    document = to_json(chunk)
    if isinstance(document, dict):
        if as_json:
            print_line({"event": "log", **document})
        else:
            click.echo(document.get("text"), nl=False)
