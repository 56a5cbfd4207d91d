"""What commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import click

from launchyard.domain.wire import to_json
from launchyard.ports.records import ItemView

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86400
_KIB: Final = 1024

json_option: Callable[..., Any] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for programs."
)


def print_json(value: object) -> None:
    """Print *value* as one indented document."""
    click.echo(json.dumps(to_json(value), indent=2, ensure_ascii=False))


def print_line(value: object) -> None:
    """Print *value* as one line of NDJSON, at once."""
    click.echo(json.dumps(to_json(value), ensure_ascii=False, separators=(",", ":")))


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """Print *rows* in columns as wide as they need; say *empty* when there are none."""
    texts = [[str(cell) for cell in row] for row in rows]
    if not texts:
        click.echo(empty, err=True)
        return
    table = [list(heads), *texts]
    widths = [max(len(row[column]) for row in table) for column in range(len(heads))]
    for number, row in enumerate(table):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        line = "  ".join(cells).rstrip()
        click.echo(click.style(line, bold=True) if number == 0 else line)


def print_pairs(pairs: Iterable[tuple[str, object]]) -> None:
    """Print names and values, values in one column; empty values are left out."""
    kept = [(name, str(value)) for name, value in pairs if value not in {"", None}]
    width = max((len(name) for name, _ in kept), default=0)
    for name, value in kept:
        lines = value.splitlines() or [""]
        click.echo(f"{click.style(name.ljust(width), bold=True)}  {lines[0]}")
        for line in lines[1:]:
            click.echo(f"{' ' * width}  {line}")


def duration(seconds: float) -> str:
    """Return a length of time in at most two units: `4.2 s`, `3 min 20 s`, `5 h 2 min`, `3 d`."""
    if seconds < _MINUTE:
        return f"{max(seconds, 0):.1f} s"
    whole = int(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def ago(moment_ms: int) -> str:
    """Return how long ago a moment was, by this machine's clock."""
    return duration(max(time.time() - moment_ms / 1000, 0))


def clock_time(moment_ms: int | None) -> str:
    """Return a moment by this machine's clock, with how far away it is; empty for none."""
    if moment_ms is None:
        return ""
    shown = datetime.fromtimestamp(moment_ms / 1000, UTC).astimezone()
    left = duration(max(moment_ms / 1000 - time.time(), 0))
    return f"{shown.isoformat(' ', 'seconds')} (in {left})"


def size(count_b: int) -> str:
    """Return a number of bytes in the largest unit that leaves it 1 or more."""
    value = float(count_b)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < _KIB:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= _KIB
    return f"{value:.1f} TiB"


def state_of(item: ItemView) -> str:
    """Return where an item stands in one word: its attempt's state, unless it only waits."""
    if item.cancel and item.state.value != "done":
        return "cancelling"
    if item.state.value == "queued" or item.attempt_state is None:
        return "cancelled" if item.state.value == "done" else item.state.value
    return item.attempt_state.value
