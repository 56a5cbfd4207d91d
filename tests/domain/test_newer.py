"""Words of a newer peer: none of them breaks an older one, and slips of people stay errors."""

from __future__ import annotations

import pytest

from launchyard.domain.attempt import AttemptState
from launchyard.domain.documents import Json
from launchyard.domain.exchange import (
    Answer,
    ClaimAnswer,
    Command,
    CommandKind,
    Fact,
    HeartbeatAnswer,
    LeaseRef,
    ReclaimAnswer,
    ReclaimVerdict,
    Release,
    Report,
    Verdict,
)
from launchyard.domain.wire import WireError, from_json

LEASE: dict[str, Json] = {"item": "i", "attempt": 1, "token": "0.1"}


def test_unknown_commands_are_skipped() -> None:
    """The others of the same answer count."""
    commands: list[Json] = [{"kind": "dance", "tempo": 3}, {"kind": "drain"}, {"kind": "sing"}]
    wanted = (Command(kind=CommandKind.DRAIN),)
    assert from_json(ClaimAnswer, {"commands": commands}).commands == wanted
    assert from_json(HeartbeatAnswer, {"ttl_s": 45, "commands": commands}).commands == wanted


def test_a_command_that_is_broken_is_none_that_is_new() -> None:
    """What no release would say is still an error, with its place."""
    with pytest.raises(WireError, match=r"commands\[1\]"):
        from_json(ClaimAnswer, {"commands": [{"kind": "drain"}, {"kind": 7}]})
    with pytest.raises(WireError, match=r"commands\[0\].attempt"):
        from_json(ClaimAnswer, {"commands": [{"kind": "cancel", "attempt": "one"}]})


def test_unknown_verdicts_take_nothing() -> None:
    """A report counts as refused, an attempt as another's: an older agent then does nothing."""
    assert from_json(Answer, {"verdict": "perhaps"}).verdict is Verdict.REFUSED
    answer = from_json(ReclaimAnswer, {"verdict": "half", "token": "1.1"})
    assert answer.verdict is ReclaimVerdict.SUPERSEDED


def test_unknown_facts_keep_their_number() -> None:
    """A batch of a newer agent is taken: what is not understood is a note, or has no reason."""
    fact = from_json(Fact, {"at_ms": 1, "state": "hibernating"})
    assert fact == Fact(at_ms=1)
    fact = from_json(Fact, {"at_ms": 1, "state": "failed", "reason": "solar_flare", "exit_code": 3})
    assert fact == Fact(at_ms=1, state=AttemptState.FAILED, exit_code=3)
    report = from_json(Report, {"lease": LEASE, "seq": 4, "fact": {"at_ms": 1, "reason": "odd"}})
    assert report.seq == 4


def test_where_a_word_is_needed_an_unknown_one_is_refused() -> None:
    """A state that must be known to act on it, and everything that is no text."""
    for state in ("hibernating", None, 3):
        with pytest.raises(WireError, match=r"state: must be one of"):
            from_json(Release, {"lease": LEASE, "state": state})
    with pytest.raises(WireError, match=r"state: must be one of"):
        from_json(Fact, {"at_ms": 1, "state": 3})
    assert from_json(LeaseRef, LEASE).attempt == 1
