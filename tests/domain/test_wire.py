"""The codec between values and JSON: what comes back, and what is refused and where."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchyard.domain.attempt import AttemptState
from launchyard.domain.documents import Json
from launchyard.domain.exchange import (
    AgentGrant,
    AgentHello,
    Caller,
    ClaimAnswer,
    ClaimRequest,
    Command,
    CommandKind,
    Fact,
    ItemGrant,
    LeaseRef,
    Place,
    ReclaimAnswer,
    ReclaimVerdict,
    Report,
)
from launchyard.domain.item import ItemState
from launchyard.domain.lease import Token
from launchyard.domain.reason import Reason
from launchyard.domain.wire import MOST_WHOLE, WireError, from_json, to_json

GRANT = ItemGrant(
    item="i1",
    attempt=1,
    token=Token(0, 3),
    entity="team",
    queue="default",
    resource="local-process",
    spec={"overrides": {"args": ["a", "b"]}, "extra": None},
    queue_config={"env": {"A": "1"}},
    submitter="ada",
    run_id="r1",
    enqueued_at_ms=1_700_000_000_000,
    state=ItemState.LAUNCHED,
    attempt_state=AttemptState.RUNNING,
    place=Place(scope="host:a", name="ly-a", uid="7"),
    log_cursors={"job": 10},
    secrets={"A": "x"},
)
VALUES = [
    GRANT,
    replace(GRANT, place=None),
    AgentGrant(agent="a", epoch=2, ttl_s=45.0, installation="x", leases=(GRANT,)),
    ClaimRequest(caller=Caller(agent="a", epoch=1), claim_id="c", queues=("q",), free=3),
    ClaimAnswer(items=(GRANT,), commands=(Command(kind=CommandKind.DRAIN),)),
    Report(
        lease=LeaseRef(item="i", attempt=1, token=Token(1, 2)),
        seq=1,
        fact=Fact(at_ms=1, state=AttemptState.FAILED, reason=Reason.EXIT_CODE, exit_code=3),
    ),
    ReclaimAnswer(verdict=ReclaimVerdict.GRANTED, token=Token(0, 1), seq=4),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_comes_back_through_text(value: object) -> None:
    """What is written, dumped, loaded and read is equal to what was there before."""
    assert from_json(type(value), json.loads(json.dumps(to_json(value)))) == value


def test_the_written_form_is_plain() -> None:
    """Tokens are text, enumerations their value, and nothing else than JSON types is left."""
    written = to_json(GRANT)
    assert isinstance(written, dict)
    assert [written["token"], written["attempt"]] == ["0.3", 1]
    assert type(written["state"]) is str
    assert written["log_cursors"] == {"job": 10}


def test_lists_and_mappings_of_values_are_written_too() -> None:
    """A batch needs no wrapper of its own."""
    place = Place(scope="s", name="n")
    flat = {"scope": "s", "name": "n", "uid": ""}
    assert to_json({"answers": (place, place)}) == {"answers": [flat, flat]}


def test_unknown_fields_are_ignored_and_absent_ones_take_their_default() -> None:
    """Agent and server may be one release apart."""
    assert from_json(Place, {"scope": "s", "name": "n", "later": 1}) == Place(scope="s", name="n")


FACT: dict[str, Json] = {"at_ms": 1}
LEASE: dict[str, Json] = {"item": "i", "attempt": 1, "token": "0.1"}


@pytest.mark.parametrize(
    ("kind", "document", "path", "part"),
    [
        (Place, [], (), "an object, not a list"),
        (Place, {"scope": "s"}, ("name",), "is missing"),
        (Place, {"scope": 1, "name": "n"}, ("scope",), "a text, not a number"),
        (Place, {"scope": None, "name": "n"}, ("scope",), "not null"),
        (Report, {"lease": {**LEASE, "attempt": True}, "seq": 1, "fact": FACT}, None, "whole"),
        (LeaseRef, {**LEASE, "attempt": 2**63}, ("attempt",), "too large"),
        (LeaseRef, {**LEASE, "attempt": 1.5}, ("attempt",), "whole number"),
        (LeaseRef, {**LEASE, "token": "7"}, ("token",), '"0.3"'),
        (LeaseRef, {**LEASE, "token": 7}, ("token",), '"0.3"'),
        (Fact, {**FACT, "state": 7}, ("state",), "claimed, preparing"),
        (Fact, {**FACT, "suspended": 1}, ("suspended",), "true or false"),
        (ClaimAnswer, {"commands": [{"kind": "drain"}, {}]}, ("commands", 1, "kind"), "missing"),
        (AgentHello, {"queues": "q"}, ("queues",), "a list, not a text"),
    ],
)
def test_a_refusal_says_where_and_what(
    kind: type, document: Json, path: tuple[str | int, ...] | None, part: str
) -> None:
    """The path leads to the first wrong place; the message says what belongs there."""
    with pytest.raises(WireError) as caught:
        from_json(kind, document)
    assert part in str(caught.value)
    assert path is None or caught.value.path == path


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 10**400, "1", True, None])
def test_a_number_must_be_finite(bad: object) -> None:
    """Neither not-a-number nor infinity, which Python's JSON reader lets through."""
    base = {"agent": "a", "epoch": 1, "ttl_s": bad, "installation": "x"}
    with pytest.raises(WireError, match="ttl_s"):
        from_json(AgentGrant, base)


def test_a_whole_number_may_stand_for_a_number() -> None:
    """JSON writers drop `.0`."""
    base = {"agent": "a", "epoch": MOST_WHOLE, "ttl_s": 45, "installation": "x"}
    assert from_json(AgentGrant, base).ttl_s == 45.0


def test_a_type_without_a_form_is_a_bug_that_shows() -> None:
    """Bytes do not travel as JSON: the class is refused, not the value."""

    @dataclass(frozen=True, slots=True)
    class Odd:
        data: complex

    with pytest.raises(TypeError, match="no form"):
        to_json(Odd(1j))


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["item", "lease", "fact", "seq", "token", "attempt", "at_ms", "state"]),
            inner,
            max_size=5,
        )
    ),
)


@given(JUNK)
def test_junk_is_refused_by_the_one_error(document: object) -> None:
    """Whatever comes in, a report or a `WireError` comes out."""
    try:
        report = from_json(Report, document)
    except WireError:
        return
    assert isinstance(report, Report)


def test_an_answer_of_ten_items_is_cheap() -> None:
    """In calls, as time depends on the machine: the codec is to be no part of a claim's cost."""
    answer = ClaimAnswer(items=(GRANT,) * 10)
    from_json(ClaimAnswer, to_json(answer))
    calls = count()
    sys.setprofile(lambda _frame, event, _arg: next(calls) if event == "call" else None)
    try:
        from_json(ClaimAnswer, to_json(answer))
    finally:
        sys.setprofile(None)
    assert next(calls) < 1000  # 616 when this was written
