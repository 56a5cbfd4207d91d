"""The pages that are made from the code; `python -m tests.architecture.write_docs` writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

from launchyard.domain.attempt import ENDS, MOVES
from launchyard.domain.item import ITEM_MOVES, ItemState
from launchyard.domain.reason import CLASS_OF
from launchyard.ports.events import EVENTS
from launchyard.ports.families import AGENT_FAMILIES, COMMON_FAMILIES, SERVER_FAMILIES, VALUES
from launchyard.ports.metrics import Family, Kind

S = TypeVar("S", bound=StrEnum)

DOCS: Final = Path(__file__).parents[2] / "docs"
_MADE: Final = "<!-- Made from the code by `make docs`; edit the code. -->\n"


def metrics_page() -> str:
    """Return the page of every metric."""
    agent = [family for family in AGENT_FAMILIES if family not in COMMON_FAMILIES]
    server = [family for family in SERVER_FAMILIES if family not in COMMON_FAMILIES]
    return f"""# Metrics
{_MADE}
Agent and server each have a `/metrics` page for Prometheus: the agent on its operations port
(9460), the server on its own. Scrape every process directly, never through a load balancer. The
names of items, runs and users are in no label; a queue beyond the first 200 is shown as
`_overflow`, a value that is on no list as `other`.

The numbers of an agent's worker processes are in its own page: counters go on where they were when
one is started again, gauges of a dead one are gone. Histograms have `_bucket`, `_sum` and `_count`.

## Agent and server
{_table(COMMON_FAMILIES)}
## Agent
{_table(agent)}
## Server
{_table(server)}
## Values of labels
| metric | label | values |
| --- | --- | --- |
{_values()}"""


def states_page() -> str:
    """Return the page of the two state machines and the reasons."""
    waits = {(ItemState.CLAIMED, ItemState.QUEUED): "released or expired"}
    again = {(ItemState.DONE, ItemState.QUEUED): "next attempt"}
    return f"""# The states of a job
{_MADE}
An **item** is a request on a queue, as the server keeps it. An **attempt** is one run of it.

## Item
{_diagram(ITEM_MOVES, frozenset(), waits | again)}
{_moves(ITEM_MOVES)}
## Attempt
Ends are final. News may overtake each other, so whatever lies further along the arrows is taken at
once: a job that is first heard of when it has ended goes from submitting to its end.

{_diagram(MOVES, ENDS, {})}
{_moves(MOVES)}
## Why an attempt ended
Each end has one of these reasons; its class says who has to act.

| reason | class |
| --- | --- |
{_lines(f"| {reason} | {whose} |" for reason, whose in CLASS_OF.items())}"""


def events_page() -> str:
    """Return the page of every event of an agent's log."""
    return f"""# The agent's log
{_MADE}
`--log-format console` writes lines for people, `json` one object a line, to standard error or to
`--log-file`. Every object has `ts` (UTC), `level`, `logger`, `process` (main, or the worker
process) and `message`, and with `error` the trace of an exception. A line of ours has `event`, one
of the names below, and beside it the fields that the sentence names; lines without `event` are of
libraries. Names and fields stay from release to release, sentences may change.

What looks like a key, a token or a password is shown as `***`, in every field and in both formats.
`log_level` sets the least serious level; SIGHUP changes it for the main process.

| event | level | message | what to make of it |
| --- | --- | --- | --- |
{_lines(f"| `{e.name}` | {e.level.name.lower()} | {e.text} | {e.doc} |" for e in EVENTS)}
The server's log has three events, `request`, `clock_set` and `server_stood`: see
[operations](operations.md#the-servers-log).
"""


def decisions_page() -> str:
    """Return the index of the decisions."""
    files = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    titles = ((file.name, file.read_text(encoding="utf-8").splitlines()[0]) for file in files)
    rows = _lines(f"- [{title.removeprefix('# ')}]({name})" for name, title in titles)
    return f"""# Decisions
{_MADE}
What a newcomer would be tempted to undo, and why it is as it is.

{rows}"""


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "decisions/README.md": decisions_page,
    "events.md": events_page,
    "metrics.md": metrics_page,
    "states.md": states_page,
}


def _table(families: Sequence[Family]) -> str:
    rows = (
        f"| `launchyard_{family.name}{'_total' if family.kind is Kind.COUNTER else ''}` |"
        f" {family.kind} | {', '.join(family.labels) or '–'} | {family.help} |"
        for family in families
    )
    return f"| name | type | labels | what it tells |\n| --- | --- | --- | --- |\n{_lines(rows)}"


def _values() -> str:
    return _lines(
        f"| {name} | {label} | {', '.join(values)} |"
        for name, labels in VALUES.items()
        for label, values in labels.items()
    )


def _diagram(
    moves: Mapping[S, frozenset[S]], ends: frozenset[S], words: Mapping[tuple[S, S], str]
) -> str:
    start = next(iter(moves))
    arrows = (
        f"    {old} --> {new}{f': {words[old, new]}' if (old, new) in words else ''}"
        for old, new in _pairs(moves)
    )
    finals = (f"    {state} --> [*]" for state in moves if state in ends)
    body = _lines((f"    [*] --> {start}", *arrows, *finals))
    return f"```mermaid\nstateDiagram-v2\n{body}```\n"


def _moves(moves: Mapping[S, frozenset[S]]) -> str:
    rows = (
        f"| {old} | {', '.join(state for state in moves if state in news) or 'nothing: an end'} |"
        for old, news in moves.items()
    )
    return f"| from | to |\n| --- | --- |\n{_lines(rows)}"


def _pairs(moves: Mapping[S, frozenset[S]]) -> Iterator[tuple[S, S]]:
    """Yield the moves in the table's order, since sets have none."""
    yield from ((old, new) for old, news in moves.items() for new in moves if new in news)


def _lines(lines: Sequence[str] | Iterator[str] | tuple[str, ...]) -> str:
    return "".join(f"{line}\n" for line in lines)


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
