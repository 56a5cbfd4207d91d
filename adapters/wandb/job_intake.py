"""Popped items whose launch names a job: what the job says is put in before anything is planned."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import replace

from launchyard.adapters.wandb import operations as op
from launchyard.adapters.wandb.artifacts import Access
from launchyard.adapters.wandb.book import Held
from launchyard.adapters.wandb.jobs import Jobs
from launchyard.adapters.wandb.line import Line
from launchyard.ports import events
from launchyard.ports.launch_server import ServerError
from launchyard.ports.source import SourceError

_STAGE = "agent"
_log = logging.getLogger(__name__)


class JobIntake:
    """Completes popped items; one whose job cannot be read ends, or goes back to its queue."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._jobs = Jobs(Access(base_url=line.settings.base_url, key=line.settings.key))

    def ready(self, popped: Sequence[Held]) -> list[Held]:
        """Return the items that may run, each with what its job says."""
        made = (self._completed(item) for item in popped)
        return [item for item in made if item is not None]

    def _completed(self, item: Held) -> Held | None:
        try:
            spec = self._jobs.completed(item.spec, self._line.closed.is_set)
        except SourceError as e:
            self._drop(item, e)
            return None
        return replace(item, spec=dict(spec))

    def _drop(self, item: Held, error: SourceError) -> None:
        """Fail an item that no other try would help; the others return when their lease ends."""
        self._line.keys.pop(item.item, None)
        events.JOB_UNREAD.log(_log, item=item.item, error=error)
        if not error.retry:
            note = op.Note(item=item.item, message=str(error), stage=_STAGE)
            # Where this fails, too, the lease ends and the item is looked at again.
            with contextlib.suppress(ServerError):
                self._line.ask(op.notes([note]))
