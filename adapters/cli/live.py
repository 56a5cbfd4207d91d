"""How a followed job is shown: a live list on a terminal, else lines, or NDJSON on demand."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping
from typing import Final, Protocol, TextIO

import click

from launchyard.adapters.cli.output import clock_time, duration, print_line, state_of
from launchyard.adapters.cli.session import short
from launchyard.adapters.cli.stages import STAGES, stage_of, stages_of
from launchyard.domain.attempt import AttemptState
from launchyard.domain.item import ItemState
from launchyard.domain.reason import Reason
from launchyard.domain.wire import to_json
from launchyard.ports.operator import LogText
from launchyard.ports.records import ItemView

_UP: Final = "\x1b[{}A"
_CLEAR: Final = "\r\x1b[J"
_SPINNER: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_ASIDE: Final = frozenset({"build", "agent"})


class View(Protocol):
    """Shows one job while it is followed; one thread calls."""

    def item(self, item: ItemView) -> None:
        """Show that the item changed."""
        ...

    def log(self, chunk: LogText) -> None:
        """Show a piece of log."""
        ...

    def tick(self) -> None:
        """Let time be seen to pass."""
        ...

    def close(self, item: ItemView | None) -> None:
        """Show the end, or leave the screen as it is when it was not awaited."""
        ...


def view_for(environment: Mapping[str, str], *, as_json: bool) -> View:
    """Return the view that fits where the output goes."""
    if as_json:
        return JsonView()
    plain = environment.get("TERM", "dumb") == "dumb" or environment.get("CI")
    if plain or not sys.stdout.isatty() or not sys.stderr.isatty():
        return PlainView()
    return LiveView(sys.stdout, color=not environment.get("NO_COLOR"))


class JsonView:
    """One JSON object a line: `state`, `log` and `end` events."""

    def item(self, item: ItemView) -> None:
        print_line({"event": "state", "state": state_of(item), "item": _document(item)})

    def log(self, chunk: LogText) -> None:
        print_line({"event": "log", **_document(chunk)})

    def tick(self) -> None:
        """Nothing moves here."""

    def close(self, item: ItemView | None) -> None:
        if item is not None:
            print_line({"event": "end", "state": state_of(item), "item": _document(item)})


class PlainView:
    """Log text on standard output, one line per transition on standard error."""

    def __init__(self) -> None:
        self._shown = ""
        self._attempt = 0
        self._open_line = False

    def item(self, item: ItemView) -> None:
        state = state_of(item)
        if news := again(item, self._attempt):
            self._shown = ""
            click.echo(news, err=True)
        self._attempt = item.attempt
        if state != self._shown:
            self._shown = state
            since = duration((_latest(item) - item.enqueued_ms) / 1000)
            where = f" on {item.agent_name}" if state == "claimed" and item.agent_name else ""
            click.echo(f"[{since:>7}] {short(item.id)} {state}{where}", err=True)

    def log(self, chunk: LogText) -> None:
        click.echo(chunk.text, nl=False)
        self._open_line = not chunk.text.endswith("\n")

    def tick(self) -> None:
        """Nothing moves here."""

    def close(self, item: ItemView | None) -> None:
        if self._open_line:
            click.echo()
        if item is not None:
            click.echo(outcome(item), err=True)


class LiveView:
    """The stages as a list that is redrawn at the bottom; log lines scroll by above it."""

    def __init__(self, out: TextIO, *, color: bool) -> None:
        self._out = out
        self._color = color
        self._item: ItemView | None = None
        self._drawn = 0
        self._ticks = 0
        self._rest: dict[str, str] = {}

    def item(self, item: ItemView) -> None:
        news = again(item, self._item.attempt) if self._item is not None else ""
        self._item = item
        self._redraw(f"{news}\n" if news else "")

    def log(self, chunk: LogText) -> None:
        text = self._rest.pop(chunk.source, "") + chunk.text
        *lines, rest = text.split("\n")
        if rest:
            self._rest[chunk.source] = rest
        if lines:
            self._redraw("".join(f"{self._line(chunk.source, line)}\n" for line in lines))

    def tick(self) -> None:
        self._ticks += 1
        self._redraw("")

    def close(self, item: ItemView | None) -> None:
        rest = "".join(f"{self._line(source, text)}\n" for source, text in self._rest.items())
        self._rest = {}
        self._redraw(rest)
        if item is not None:
            self._out.write(f"{outcome(item)}\n")
        self._out.flush()

    def _line(self, source: str, line: str) -> str:
        # A progress bar that redraws its line shows its last state here.
        text = line.rstrip("\r").rpartition("\r")[2]
        return self._styled(f"{source} │ {text}", dim=True) if source in _ASIDE else text

    def _redraw(self, above: str) -> None:
        up = _UP.format(self._drawn) if self._drawn else ""
        lines = self._lines()
        # One write, so that a terminal never shows half of it.
        self._out.write(up + _CLEAR + above + "".join(f"{line}\n" for line in lines))
        self._out.flush()
        self._drawn = len(lines)

    def _lines(self) -> list[str]:
        if self._item is None:
            return []
        width = shutil.get_terminal_size().columns
        item, now = self._item, time.time() * 1000
        stages = {stage.name: stage for stage in stages_of(item)}
        current = STAGES[stage_of(item)]
        lines = []
        for name in STAGES:
            stage = stages.get(name)
            if stage is None:
                if STAGES.index(name) > stage_of(item):
                    lines.append(self._styled(f"  · {name}"[:width], dim=True))
                continue
            spent = duration(((stage.ended_ms or now) - stage.began_ms) / 1000)
            if name != current:
                lines.append(
                    f"  {self._styled('✔', fg='green')} {name:<9} {spent:>10}"[: width + 9]
                )
            elif name == "done":
                lines.append(f"  {self._end_mark(item)} {state_of(item)}")
            else:
                mark = _SPINNER[self._ticks % len(_SPINNER)]
                lines.append(f"  {self._styled(mark, fg='cyan')} {state_of(item):<9} {spent:>10}")
        return lines

    def _end_mark(self, item: ItemView) -> str:
        good = item.attempt_state is AttemptState.SUCCEEDED
        return self._styled("✔" if good else "✘", fg="green" if good else "red")

    def _styled(self, text: str, *, fg: str | None = None, dim: bool = False) -> str:
        return click.style(text, fg=fg, dim=dim) if self._color else text


def again(item: ItemView, before: int) -> str:
    """Return a line about an attempt that follows number *before*; nothing for the first seen."""
    if not before or item.attempt <= before:
        return ""
    moment = f"; not before {clock_time(item.not_before_ms)}" if item.not_before_ms else ""
    return f"{short(item.id)} attempt {item.attempt}: {item.detail}{moment}"


def outcome(item: ItemView) -> str:
    """Return how a job ended in a line or two, with the command that tells more."""
    state = state_of(item)
    spent = duration((_latest(item) - item.enqueued_ms) / 1000)
    first = f"{item.name or short(item.id)} {state} after {spent}"
    if item.attempt_state is AttemptState.SUCCEEDED:
        return first
    reason = "" if item.reason in {state, Reason.EXIT_CODE.value} else item.reason
    code = f"exit code {item.exit_code}" if item.exit_code is not None else ""
    said = f"{reason} ({code})" if reason and code else reason or code
    reason = f": {said}" if said else ""
    detail = f"\n  why: {item.detail}" if item.detail else ""
    return f"{first}{reason}{detail}\n  more: launchyard show {short(item.id)}"


def _latest(item: ItemView) -> int:
    ends = [at for name, at in item.times_ms.items() if item.state is ItemState.DONE or name]
    return max([item.enqueued_ms, *ends])


def _document(value: object) -> dict[str, object]:
    document = to_json(value)
    return dict(document) if isinstance(document, dict) else {}
