"""Popped items whose launch names a job: what the job says is put in before anything is planned."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from launchyard.adapters.wandb import operations as op
from launchyard.adapters.wandb.artifacts import Access
from launchyard.adapters.wandb.book import Held
from launchyard.adapters.wandb.crew import Crew
from launchyard.adapters.wandb.jobs import Jobs
from launchyard.adapters.wandb.line import Line, now_ms
from launchyard.domain.documents import Json
from launchyard.domain.reason import Reason
from launchyard.domain.wandb_items import LEASE_MS
from launchyard.ports import events
from launchyard.ports.launch_server import ServerError
from launchyard.ports.source import SourceError

_STAGE: Final = "agent"
_SIDE_BY_SIDE: Final = 4
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Reading:
    """An item whose job is read; once it is, `spec` has what the job says."""

    item: Held
    spec: Mapping[str, Json] | None = None


class JobIntake:
    """Completes popped items; one whose job cannot be read ends, or goes back to its queue.

    Jobs are read side by side, aside from the claim, and each within a time that ends well before
    the item's lease: no slow one holds up another, and none is run that is no longer ours. *ready*
    is called when one has been read. Thread-safe.
    """

    def __init__(self, line: Line, ready: Callable[[], None]) -> None:
        self._line, self._ready = line, ready
        given, quiet = line.settings, line.graphql.quiet
        self._jobs = Jobs(Access(base_url=given.base_url, key=given.key, quiet=quiet))
        self._crew = Crew("wandb-read", _SIDE_BY_SIDE)
        self._lock = threading.Lock()
        self._reading: dict[str, _Reading] = {}

    def begin(self, popped: Sequence[Held]) -> list[Held]:
        """Return the items that name no job; begin to read the jobs of the others."""
        deadline_s = time.monotonic() + self._line.settings.job_read_s
        plain = []
        for item in popped:
            if not item.spec.get("job"):
                plain.append(item)
                continue
            with self._lock:
                self._reading[item.item] = _Reading(item)
            self._crew.start(partial(self._read, item, deadline_s))
        return plain

    def held(self) -> tuple[Held, ...]:
        """Return the items whose jobs are read, and those that nobody took yet."""
        with self._lock:
            return tuple(one.item for one in self._reading.values())

    def take(self, most: int) -> list[Held]:
        """Return items whose jobs have been read; what is too old may be another's by now."""
        oldest = now_ms() - LEASE_MS
        with self._lock:
            read = [one for one in self._reading.values() if one.spec is not None]
            late = [one for one in read if one.item.popped_ms < oldest]
            taken = [one for one in read if one.item.popped_ms >= oldest][:most]
            for one in (*late, *taken):
                del self._reading[one.item.item]
        for one in late:
            self._line.keys.pop(one.item.item, None)
        return [replace(one.item, spec=dict(one.spec or {})) for one in taken]

    def close(self) -> None:
        """Let go of the threads; what is still read goes back when its lease ends."""
        self._crew.close()

    def _read(self, item: Held, deadline_s: float) -> None:
        try:
            spec = self._jobs.completed(item.spec, deadline_s, self._line.closed.is_set)
        except SourceError as e:
            self._drop(item, e)
        except Exception as e:  # noqa: BLE001 - a mistake of ours is not to hold a slot for ever
            text = f"the job could not be read: {type(e).__name__}"
            self._drop(item, SourceError(text, reason=Reason.SOURCE_UNREACHABLE, retry=True))
        else:
            with self._lock:
                self._reading[item.item].spec = spec
        self._ready()

    def _drop(self, item: Held, error: SourceError) -> None:
        """Fail an item that no other try would help; the others return when their lease ends."""
        with self._lock:
            del self._reading[item.item]
        self._line.keys.pop(item.item, None)
        events.JOB_UNREAD.log(_log, item=item.item, error=error)
        if not error.retry:
            note = op.Note(item=item.item, message=str(error), stage=_STAGE)
            # Where this fails, too, the lease ends and the item is looked at again.
            with contextlib.suppress(ServerError):
                self._line.ask(op.notes([note]))
