"""The file stream: how a run tells of its console, its numbers, and its end."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from launchyard.adapters.http.bodies import answer_json, fields, part, read_json
from launchyard.adapters.http.endpoint import Endpoint, Needs
from launchyard.adapters.http.graphql.agents import append
from launchyard.adapters.http.graphql.ask import asked
from launchyard.adapters.http.house import House
from launchyard.adapters.http.topics import log_topic
from launchyard.domain.console import Console, end, put
from launchyard.domain.documents import Json
from launchyard.domain.wire import MOST_WHOLE, WireError, from_json, to_json
from launchyard.ports.records import StoreError, Trouble
from launchyard.ports.tracking import Run, RunKey, RunNews

_CONSOLE: Final = "output.log"
_HISTORY: Final = "wandb-history.jsonl"
_EVENTS: Final = "wandb-events.jsonl"
_SUMMARY: Final = "wandb-summary.json"
_SOURCE: Final = "main"
_STAMP: Final = re.compile(r"^(ERROR )?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+ ")
_MOST_CODE: Final = 255


@dataclass(frozen=True, slots=True)
class _Lines:
    """A piece of a file that grows by lines."""

    offset: int
    content: tuple[str, ...]

    @property
    def end(self) -> int:
        """The number of lines there are with these."""
        return self.offset + len(self.content)


class StreamRoutes:
    """`file_stream`."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._store = house.store

    def endpoints(self) -> Sequence[Endpoint]:
        """Return this topic's part of the table."""
        return (
            Endpoint(
                method="POST",
                path="/files/{entity}/{project}/{run}/file_stream",
                handler=self.stream,
                does="Take what a run of a stock client tells",
                needs=Needs.WORK_OR_OWN,
            ),
        )

    async def stream(self, request: Request) -> Response:
        names = {name: part(request, name) for name in ("entity", "project")}
        key = RunKey(**names, name=part(request, "run"))
        asked(self._house, request).require_own_run(key)
        body = fields(await read_json(request, self._house.settings.json_b))
        run = self._store.run(key)
        if run is None:
            raise StoreError(f"there is no run {key.name}", Trouble.NOT_FOUND)
        files = body.get("files")
        told = files if isinstance(files, dict) else {}
        news = _news(body, told, run)
        if run.stock:
            text, console = _heard(run, _lines(told.get(_CONSOLE)), ends=news.exit_code is not None)
            await self._log(run, text)
            news = replace(news, console=to_json(console))
        after = await self._house.write(lambda: self._store.hear_run(key, news))
        if after.item:
            self._follow(after, ended=news.exit_code)
        answer: dict[str, Json] = {"exitcode": None, "limits": {}}
        return answer_json(answer | ({"stopped": True} if after.cancel else {}))

    async def _log(self, run: Run, text: str) -> None:
        """Let the console of a stock agent's job be its item's log; ours ship it themselves."""
        if text:
            data = text.encode(errors="replace")
            await append(self._house, run.item, run.attempt, _SOURCE, data)
            self._house.topics.publish(log_topic(run.item))

    def _follow(self, run: Run, ended: int | None) -> None:
        if ended is not None and run.stock:
            self._house.slot_freed(self._house.guard.place(run.item))
            if ended:
                self._house.delays.ended_badly()
        if ended is not None:
            self._house.items_changed([run.item])


def _heard(run: Run, lines: _Lines | None, *, ends: bool) -> tuple[str, Console]:
    """Return what a run's log gains by a piece of its console, and what to note of it."""
    try:
        known = from_json(Console, run.console)
    except WireError:
        known = Console()
    if known.lines != run.log_lines:  # another release counted on, or another attempt begins
        known = Console(lines=run.log_lines)
    text = ""
    if lines is not None:
        text, known = put(known, lines.offset, [_plain(line) for line in lines.content])
    if ends:
        closing, known = end(known)
        text += closing
    return text, known


def _news(body: Mapping[str, Any], told: Mapping[str, Any], run: Run) -> RunNews:
    ends = {name: lines.end for name in told if (lines := _lines(told[name])) is not None}
    return RunNews(
        log_lines=_most(ends.get(_CONSOLE), run.log_lines),
        history_lines=_most(ends.get(_HISTORY), run.history_lines),
        event_lines=_most(ends.get(_EVENTS), run.event_lines),
        summary=_summary(told.get(_SUMMARY)),
        exit_code=_code(body.get("exitcode")) if body.get("complete") is True else None,
    )


def _code(given: object) -> int:
    """Return an exit code; what is none counts as a failure."""
    whole = isinstance(given, int) and not isinstance(given, bool)
    return given if isinstance(given, int) and whole and abs(given) <= _MOST_CODE else 1


def _most(end: int | None, known: int) -> int | None:
    return None if end is None else max(end, known)


def _lines(piece: object) -> _Lines | None:
    """Return a piece of a file, unless it is empty or has another form."""
    if not isinstance(piece, dict):
        return None
    offset, content = piece.get("offset"), piece.get("content")
    if not isinstance(offset, int) or not isinstance(content, list) or not content:
        return None
    if not 0 <= offset < MOST_WHOLE or not all(isinstance(line, str) for line in content):
        return None
    return _Lines(offset, tuple(content))


def _summary(piece: object) -> Json:
    lines = _lines(piece)
    if lines is None:
        return None
    try:
        found: Json = json.loads(lines.content[-1])
    except (ValueError, RecursionError):
        return None
    return found


def _plain(line: str) -> str:
    """Return a line of a console without the time that clients put before it."""
    return _STAMP.sub("", line).rstrip("\n")
