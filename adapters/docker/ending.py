"""What the engine says about a container, in our words."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from launchyard.adapters.docker.refusals import reason_of, words_of
from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason
from launchyard.ports.runner import Observation

S: Final = AttemptState
UNKNOWN: Final = Observation(
    state=S.LOST, reason=Reason.HANDLE_UNKNOWN, detail="the engine has no such container"
)
_SIGNALLED: Final = 128
_NAMES: Final = {int(number): number.name for number in signal.Signals}
_NOT_FOUND: Final = {126: "could not be executed", 127: "was not found"}
_WISHED: Final = {Reason.RUN_TIMEOUT: S.TIMED_OUT, Reason.PREEMPTED: S.PREEMPTED}
_RUNS: Final = frozenset({"running", "paused", "restarting"})
_NEVER: Final = "0001-"


def state_of(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of what the engine says about a container that tells how it stands."""
    state = found.get("State")
    return state if isinstance(state, dict) else {}


def is_fresh(found: Mapping[str, Any]) -> bool:
    """Tell whether a container was created and never started."""
    state = state_of(found)
    return state.get("Status") == "created" and not state.get("Error")


def runs(found: Mapping[str, Any]) -> bool:
    """Tell whether a container runs."""
    return state_of(found).get("Status") in _RUNS


def observation(found: Mapping[str, Any], wish: Reason | None) -> Observation:
    """Return how a container stands; *wish* says why it was asked to stop, if it was."""
    state = state_of(found)
    if runs(found):
        paused = "it is paused on the engine" if state.get("Paused") else ""
        return Observation(state=S.RUNNING, detail=paused, at_ms=_ms(state.get("StartedAt")))
    if is_fresh(found) and wish is None:
        return Observation(state=S.PENDING)
    code, at_ms = state.get("ExitCode"), _ms(state.get("FinishedAt"))
    began = not str(state.get("StartedAt", _NEVER)).startswith(_NEVER)
    code = code if isinstance(code, int) and began else None
    if wish is not None:
        return _wished(wish, code=code, at_ms=at_ms)
    if not began:
        said = str(state.get("Error", ""))
        return Observation(
            state=S.FAILED, reason=reason_of(said), detail=words_of(said), at_ms=at_ms
        )
    return _ended(state, code or 0, at_ms, limited=_has_limit(found))


def _wished(wish: Reason, *, code: int | None, at_ms: int | None) -> Observation:
    preempted = wish is Reason.PREEMPTED
    return Observation(
        state=_WISHED.get(wish, S.CANCELLED),
        reason=wish,
        detail="it was stopped, for its agent had to end" if preempted else "",
        exit_code=code,
        at_ms=at_ms,
    )


def _ended(state: Mapping[str, Any], code: int, at_ms: int | None, *, limited: bool) -> Observation:
    said = str(state.get("Error") or "")
    reason, detail = Reason.EXIT_CODE, f"it ended with code {code}"
    if state.get("OOMKilled") and code:
        reason = Reason.OUT_OF_MEMORY
        detail = f"it ended with code {code}, and was killed for want of memory; raise `memory`"
    elif code == 0:
        return Observation(state=S.SUCCEEDED, reason=Reason.COMPLETED, exit_code=0, at_ms=at_ms)
    elif code in _NOT_FOUND:
        reason = Reason.COMMAND_NOT_FOUND
        detail = f"it ended with code {code}: a command {_NOT_FOUND[code]}; its log may say which"
    elif code - _SIGNALLED in _NAMES:
        reason, detail = Reason.KILLED_BY_SIGNAL, f"it was ended by {_NAMES[code - _SIGNALLED]}"
        # On cgroups 1 an engine misses the kernel's word about memory now and then.
        if limited and code - _SIGNALLED == signal.SIGKILL:
            detail += "; where nobody sent it, its `memory` may have run out"
    detail = f"{detail}: {said}" if said else detail
    return Observation(state=S.FAILED, reason=reason, detail=detail, exit_code=code, at_ms=at_ms)


def _has_limit(found: Mapping[str, Any]) -> bool:
    """Tell whether a container may have so much memory and no more."""
    return bool((found.get("HostConfig") or {}).get("Memory"))


def _ms(text: object) -> int | None:
    if not isinstance(text, str) or not text or text.startswith(_NEVER):
        return None
    return int(datetime.fromisoformat(text).timestamp() * 1000)
