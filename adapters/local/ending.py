"""What the records of something that is over say about its end."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Final

from launchyard.adapters.local.machine import oom_kills
from launchyard.adapters.local.records import Exit, Records, Wish
from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason
from launchyard.ports.runner import Observation

_SIGNALLED: Final = 128  # a shell's word for "by signal": this and the signal's number
_NOT_RUN: Final = 125
_NOT_FOUND: Final = frozenset({126, 127})
_WISHED: Final = {
    Reason.RUN_TIMEOUT: AttemptState.TIMED_OUT,
    Reason.PREEMPTED: AttemptState.PREEMPTED,
}
_NAMES: Final = {int(number): number.name for number in signal.Signals}


def ending(records: Records, counter: Path | None, *, rebooted: bool) -> Observation:
    """Return the end of an attempt whose processes are gone; *counter* is `oom_counter`'s."""
    found = records.exit()
    if found is None or found.code is None:
        return _without_code(records, found, rebooted=rebooted)
    wish = records.wish() if found.cancelled else None
    if wish is not None:
        code = None if found.code == _NOT_RUN else found.code
        return _wished(wish, at_ms=found.at_ms, code=code)
    return _with_code(records, found, counter)


def unknown(*, rebooted: bool) -> Observation:
    """Return how a thing stands of which there are no records."""
    if rebooted:
        detail = "the machine has started anew since, and there are no records of it"
        return Observation(state=AttemptState.LOST, reason=Reason.HOST_REBOOTED, detail=detail)
    detail = "there are no records of it on this machine"
    return Observation(state=AttemptState.LOST, reason=Reason.HANDLE_UNKNOWN, detail=detail)


def _with_code(records: Records, found: Exit, counter: Path | None) -> Observation:
    code = found.code or 0
    state, reason, detail = AttemptState.FAILED, Reason.EXIT_CODE, f"it ended with code {code}"
    number = code - _SIGNALLED
    missing = _missing(records) if code in _NOT_FOUND else ""
    if code == 0:
        state, reason, detail = AttemptState.SUCCEEDED, Reason.COMPLETED, ""
    elif missing:
        reason = Reason.COMMAND_NOT_FOUND
        detail = (
            f"`{missing}` is no program in the job's folder or on its PATH;"
            " name it in full, or add what brings it to the requirements"
        )
    elif number == signal.SIGKILL and _starved(records, counter):
        reason = Reason.OUT_OF_MEMORY
        detail = "it was ended by SIGKILL, and the kernel has killed for want of memory meanwhile"
    elif number in _NAMES:
        reason, detail = Reason.KILLED_BY_SIGNAL, f"it was ended by {_NAMES[number]}"
    return Observation(state=state, reason=reason, detail=detail, exit_code=code, at_ms=found.at_ms)


def _without_code(records: Records, found: Exit | None, *, rebooted: bool) -> Observation:
    at_ms = found.at_ms if found else None
    wish = records.wish()
    reason, detail = Reason.KILLED_WITHOUT_RECORD, "its processes are gone without a record"
    if found and found.too_late:
        reason, detail = Reason.DEADLINE_PASSED, "its lease had run out when it was to start"
    elif wish is not None:
        return _wished(wish, at_ms=at_ms, code=None)
    elif rebooted:
        reason, detail = Reason.HOST_REBOOTED, "the machine has started anew while it ran"
    elif found:
        detail = "the record of its end is empty; is the disk of the state folder full?"
    return Observation(state=AttemptState.FAILED, reason=reason, detail=detail, at_ms=at_ms)


def _wished(wish: Wish, *, at_ms: int | None, code: int | None) -> Observation:
    preempted = wish.reason is Reason.PREEMPTED
    return Observation(
        state=_WISHED.get(wish.reason, AttemptState.CANCELLED),
        reason=wish.reason,
        detail="it was stopped, for its agent had to end" if preempted else "",
        exit_code=code,
        at_ms=at_ms,
    )


def _missing(records: Records) -> str:
    ownership = records.ownership()
    return ownership.missing if ownership else ""


def _starved(records: Records, counter: Path | None) -> bool:
    ownership = records.ownership()
    return ownership is not None and oom_kills(counter) > ownership.oom_kills
