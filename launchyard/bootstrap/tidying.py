"""Keeping an agent's state folder: beside the running agent, and for `launchyard gc`."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from launchyard.adapters.local.venv.sweep import VenvSweep
from launchyard.adapters.sqlite.notes import rows_of, set_asides
from launchyard.adapters.system.folder import default_state
from launchyard.domain.config.model import AgentConfig
from launchyard.ports import events
from launchyard.ports.housekeeping import Gone, Kind
from launchyard.ports.journal import JournalError
from launchyard.ports.programs import ProgramError

_EVERY_S: Final = 3600.0
_LEAVE_S: Final = 10.0
_FAILED: Final = 1
_log = logging.getLogger(__name__)


def tidy(folder: str, keep_s: float, *, dry_run: bool) -> tuple[Gone, Gone]:
    """Take away environments and journals set aside that are older than *keep_s*; 0 keeps all.

    Raises:
        JournalError: the journal cannot be read, so nobody knows what is in use.
        OSError: something cannot be read.
    """
    venvs, journals = Gone(kind=Kind.VENVS), Gone(kind=Kind.JOURNALS)
    if keep_s <= 0 or not Path(folder).is_dir():
        return venvs, journals
    now_s, used = time.time(), rows_of(folder)
    for root in Path(folder).glob("build/*/venvs"):
        sweep = VenvSweep(root=root, keep_s=keep_s, now_s=now_s, used=used)
        for old in sweep.old():
            if dry_run or sweep.take(old):
                venvs = venvs.plus(1, old.size_b)
    for path in set_asides(folder):
        found = path.stat()
        if now_s - found.st_mtime >= keep_s:
            journals = journals.plus(1, found.st_size)
            if not dry_run:
                path.unlink()
    return venvs, journals


def tidy_of(config: AgentConfig | None, state_dir: str, *, dry_run: bool) -> Sequence[Gone]:
    """Tidy the state folder of the agent that *config* describes, or another.

    Raises:
        ProgramError: it cannot be read, or there is no configuration that can be used.
    """
    if config is None:
        remedy = "see what is wrong with it: launchyard config check"
        raise ProgramError("the agent's configuration has errors", code=_FAILED, remedy=remedy)
    name = config.name or socket.gethostname()
    folder = state_dir or config.state_dir or default_state(name)
    if state_dir and not Path(state_dir).is_dir():
        remedy = "name an agent's state folder with --state-dir"
        raise ProgramError(f"there is no folder {state_dir}", code=_FAILED, remedy=remedy)
    try:
        return tidy(str(Path(folder).expanduser()), config.retention.venvs_s, dry_run=dry_run)
    except (JournalError, OSError) as error:
        raise ProgramError(f"{folder} was not tidied: {error}", code=_FAILED) from error


@contextmanager
def tidied(folder: str, keep_s: float) -> Iterator[None]:
    """Tidy *folder* every hour, in a thread of its own, until the block ends."""
    over = threading.Event()
    thread = threading.Thread(
        target=_watch, args=(folder, keep_s, over), name="tidying", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(_LEAVE_S)


def _watch(folder: str, keep_s: float, over: threading.Event) -> None:
    while not over.wait(_EVERY_S):
        try:
            for gone in tidy(folder, keep_s, dry_run=False):
                if gone.count:
                    events.TIDIED.log(_log, count=gone.count, kind=gone.kind, size_b=gone.size_b)
        except (JournalError, OSError) as error:
            events.TIDY_FAILED.log(_log, error=error)
