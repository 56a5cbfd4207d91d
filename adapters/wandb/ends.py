"""Reports, as a W&B server hears them: many items in each request, and only what it can keep."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import quote

from launchyard.adapters.wandb import operations as op
from launchyard.adapters.wandb import run_operations as runs
from launchyard.adapters.wandb.acks import acknowledge
from launchyard.adapters.wandb.book import Held
from launchyard.adapters.wandb.crew import Crew
from launchyard.adapters.wandb.errors_file import ErrorFiles
from launchyard.adapters.wandb.graphql import Reply
from launchyard.adapters.wandb.line import Line, checked, field_of, inner, is_passing, now_ms
from launchyard.adapters.wandb.requeue import requeue
from launchyard.domain.attempt import ENDS, AttemptState
from launchyard.domain.documents import Json
from launchyard.domain.exchange import Answer, Fact, Report, Verdict
from launchyard.domain.wandb_ends import End, Stage, Word, end_of, warning_stage
from launchyard.domain.wandb_items import LEASE_MS
from launchyard.ports.launch_server import ServerError

_CHUNK: Final = 50
_LOG_MS: Final = 500
"""How long the end of a failed job waits for the last of its log."""

_SIDE_BY_SIDE: Final = 6
"""How many addresses of their own are sent to at once: a run's stream, a file's place."""

_RUNNING: Final = "running"
_TAKEN: Final = Answer(verdict=Verdict.TAKEN)


@dataclass(frozen=True, slots=True)
class _Told:
    """An item with what the server is to hear of it."""

    held: Held
    fact: Fact
    end: End


class Ends:
    """Tells the server of warnings and ends. What was told is told once; one thread calls it."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._crew = Crew("wandb-ends", _SIDE_BY_SIDE)
        self._errors = ErrorFiles(line, self._crew)
        self._warned: set[tuple[str, str]] = set()

    def report(self, batch: Sequence[Report]) -> Sequence[Answer]:
        """Hand over *batch*; every report is answered by itself.

        Raises:
            ServerError: the server was not reached; what it heard is known and not told again.
        """
        self._line.graphql.look(op.viewer())
        self._settle(batch)
        ends: list[tuple[Held, Fact]] = []
        for report in batch:
            held = self._line.book.get(report.lease.item)
            if held is None or report.lease.attempt != 1:
                continue
            if report.fact.state in ENDS:
                ends.append((held, report.fact))
            elif report.fact.place is not None and report.fact.place != held.place:
                self._line.book.change(held.item, place=report.fact.place)
        self._warn(batch)
        refused = self._tell(self._judged(ends))
        self._tidy(batch, refused)
        return [_answer(refused.get(report.lease.item)) for report in batch]

    def close(self) -> None:
        """Let go of the threads."""
        self._crew.close()

    def _settle(self, batch: Sequence[Report]) -> None:
        """See whose the items are that ended before their ack, where it may be another's by now."""
        late = now_ms() - LEASE_MS
        over = {report.lease.item for report in batch if report.fact.state in ENDS}
        unsure = [h for h in map(self._line.book.get, over) if h is not None and not h.acked]
        acknowledge(self._line, [held for held in unsure if held.popped_ms <= late])

    def _warn(self, batch: Sequence[Report]) -> None:
        """Pass on what targets complain of while jobs wait or run: once per item and words."""
        new: dict[tuple[str, str], op.Note] = {}
        for report in batch:
            item, fact = report.lease.item, report.fact
            held = self._line.book.get(item)
            quiet = not fact.detail or fact.state in ENDS | {AttemptState.CANCELLING}
            if held is None or quiet or (item, fact.detail) in self._warned:
                continue
            stage = warning_stage(fact, held.resource)
            new[item, fact.detail] = op.Note(
                item=item, message=fact.detail, stage=stage, failed=False
            )
        if new:
            self._line.ask(op.notes(list(new.values())))
            self._warned |= set(new)

    def _judged(self, ends: Sequence[tuple[Held, Fact]]) -> list[_Told]:
        """Ask how the runs stand, all at once, and say what is told of each end."""
        told = []
        for at in range(0, len(ends), _CHUNK):
            part = ends[at : at + _CHUNK]
            refs = [runs.RunRef(h.entity, h.project, h.run_id) for h, _ in part]
            reply = checked(self._line.ask(runs.runs(refs, "state")), len(refs))
            for number, (held, fact) in enumerate(part):
                state = inner(field_of(reply, number), "run", "state")
                known = state if isinstance(state, str) and not _ours(held, state) else ""
                told.append(_Told(held, fact, end_of(fact, known, held.resumes)))
        return told

    def _tell(self, told: Sequence[_Told]) -> dict[str, str]:
        """Carry out what was decided; return what the server refused, by item."""
        refused = self._note([t for t in told if t.end.word in {Word.FAIL, Word.WARN}])
        refused |= self._finish([t for t in told if t.end.word is Word.FINISH])
        for one in told:
            if one.end.word is Word.REQUEUE:
                trouble = requeue(self._line, one.held)
                if trouble:
                    end = End(Word.FAIL, Stage.RUN, trouble)
                    refused |= self._note([_Told(one.held, one.fact, end)])
        return refused

    def _note(self, told: Sequence[_Told]) -> dict[str, str]:
        if not told:
            return {}
        self._wait_for_logs(told)
        files = self._errors.put(
            {t.held.item: (t.end.word is Word.FAIL, t.end.message) for t in told}
        )
        refused: dict[str, str] = {}
        for part in _parts(told):
            notes = [
                op.Note(
                    item=t.held.item,
                    message=t.end.message,
                    stage=t.end.stage.value,
                    files=files.get(t.held.item, ()),
                    failed=t.end.word is Word.FAIL,
                )
                for t in part
            ]
            refused |= _refused(self._line.ask(op.notes(notes)), part)
        return refused

    def _wait_for_logs(self, told: Iterable[_Told]) -> None:
        """Let the log of a job that has just failed arrive, which takes a moment."""
        late = [t.fact.at_ms for t in told if not t.fact.logs_complete]
        wait_ms = min(_LOG_MS, max(late, default=0) + _LOG_MS - now_ms())
        if wait_ms > 0:
            self._line.closed.wait(wait_ms / 1000)

    def _finish(self, told: Sequence[_Told]) -> dict[str, str]:
        """Make the run that a job did without, and end it well: so the item is done."""
        refused: dict[str, str] = {}
        for one in told:
            self._line.book.change(one.held.item, finishing=True)
        for part in _parts(told):
            made = [
                (
                    runs.RunRef(t.held.entity, t.held.project, t.held.run_id),
                    _origin(self._line, t.held),
                )
                for t in part
            ]
            wrong = _refused(self._line.ask(runs.upsert_runs(made)), part)
            good = [one.held for one in part if one.held.item not in wrong]
            self._crew.each([partial(self._end_run, held) for held in good])
            refused |= wrong
        return refused

    def _end_run(self, held: Held) -> None:
        steps = (held.entity, held.project, held.run_id)
        where = "/".join(quote(step, safe="") for step in steps)
        url = f"{self._line.graphql.url}/files/{where}/file_stream"
        data = json.dumps({"files": {}, "complete": True, "exitcode": 0}).encode()
        try:
            self._line.graphql.send("POST", url, data)
        except ServerError as e:
            raise ServerError(str(e), retry=True, remedy=e.remedy) from None

    def _tidy(self, batch: Sequence[Report], refused: Mapping[str, str]) -> None:
        """Forget the items that are done with, and the logs that are complete."""
        line = self._line
        for report in batch:
            item = report.lease.item
            if item in refused:
                continue
            if report.fact.state in ENDS:
                line.book.drop(item)
                line.keys.pop(item, None)
                self._warned = {pair for pair in self._warned if pair[0] != item}
            if report.fact.logs_complete:
                line.tails.drop(item, report.lease.attempt)


def _ours(held: Held, state: str) -> bool:
    """Tell whether a run is one that we made and did not end: an answer of the server was lost."""
    return held.finishing and state == _RUNNING


def _origin(line: Line, held: Held) -> dict[str, Json]:
    """Return what ties a run to its item: what W&B's client writes into a run's configuration."""
    value: dict[str, Json] = {
        "launch_trace_id": held.item,
        "launch_queue_name": held.queue,
        "launch_queue_entity": line.entity,
    }
    return {"_wandb": {"value": value}}


def _parts(told: Sequence[_Told]) -> Iterable[Sequence[_Told]]:
    return (told[at : at + _CHUNK] for at in range(0, len(told), _CHUNK))


def _refused(reply: Reply, part: Sequence[_Told]) -> dict[str, str]:
    """Return which items the server refused; if it was all of them, it may only be unwell.

    Raises:
        ServerError: then.
    """
    found = {
        one.held.item: reply.errors[op.alias(number)]
        for number, one in enumerate(part)
        if op.alias(number) in reply.errors
    }
    if len(found) == len(part) and any(map(is_passing, found.values())):
        raise ServerError(next(iter(found.values())), retry=True)
    return found


def _answer(refusal: str | None) -> Answer:
    return _TAKEN if refusal is None else Answer(verdict=Verdict.REFUSED, detail=refusal)
