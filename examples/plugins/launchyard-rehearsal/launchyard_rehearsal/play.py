"""A command as a play, and how far it is at a given time: pure functions of what is on record."""

from __future__ import annotations

from dataclasses import dataclass

from launchyard.domain.attempt import AttemptState
from launchyard.domain.config.problem import DocumentError, Problem
from launchyard.domain.reason import Reason
from launchyard.ports.runner import Observation

S = AttemptState
_ENDS = {Reason.RUN_TIMEOUT: S.TIMED_OUT, Reason.PREEMPTED: S.PREEMPTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """When each line is said (milliseconds after the start), when it is over, and its code."""

    lines: tuple[tuple[int, str], ...] = ()
    over_ms: int = 0
    code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A play that has begun; `stopped_ms` and `why` once somebody stopped it."""

    play: Play
    began_ms: int
    stopped_ms: int | None = None
    why: Reason = Reason.CANCELLED


def play_of(command: tuple[str, ...]) -> Play:
    """Read `print:TEXT`, `sleep:SECONDS` and `exit:CODE`.

    Raises:
        DocumentError: a word is none of them.
    """
    lines: list[tuple[int, str]] = []
    at_ms = code = 0
    for index, word in enumerate(command):
        verb, _, rest = word.partition(":")
        try:
            if verb == "print":
                lines.append((at_ms, rest))
            elif verb == "sleep":
                at_ms += round(float(rest) * 1000)
            elif verb == "exit":
                code = int(rest)
            else:
                verb = ""
        except ValueError:
            verb = ""
        if not verb:
            raise DocumentError([_odd(index, word)])
    return Play(lines=tuple(lines), over_ms=at_ms, code=code)


def standing(scene: Scene, now_ms: int) -> Observation:
    """Say how a scene stands."""
    ends_ms = scene.began_ms + scene.play.over_ms
    stopped = scene.stopped_ms is not None and scene.stopped_ms < ends_ms
    if stopped:
        return Observation(
            state=_ENDS.get(scene.why, S.CANCELLED), reason=scene.why, at_ms=scene.stopped_ms
        )
    if now_ms < ends_ms:
        return Observation(state=S.RUNNING, at_ms=scene.began_ms)
    code = scene.play.code
    state, reason = (S.FAILED, Reason.EXIT_CODE) if code else (S.SUCCEEDED, Reason.COMPLETED)
    return Observation(state=state, reason=reason, exit_code=code, at_ms=ends_ms)


def log(scene: Scene, now_ms: int) -> bytes:
    """Return all that was said by now."""
    until_ms = min(now_ms, scene.stopped_ms or now_ms) - scene.began_ms
    said = (text for at_ms, text in scene.play.lines if at_ms <= until_ms)
    return "".join(f"{text}\n" for text in said).encode()


def _odd(index: int, word: str) -> Problem:
    return Problem(
        path=("overrides", "entry_point", index),
        message=f"{word!r} cannot be played",
        allowed="print:TEXT, sleep:SECONDS, exit:CODE",
    )
