"""Which sources of attempts that never began are taken away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from launchyard.actors.leftovers import discard_source
from launchyard.actors.messages import Discard, ToHost
from launchyard.domain.attempt import AttemptState
from launchyard.domain.attempts import Attempt, Product
from launchyard.domain.exchange import ItemGrant, Place
from launchyard.domain.item import ItemState
from launchyard.domain.lease import Token
from launchyard.domain.spec import GitSource, NoSource, Source
from launchyard.ports.target import BuildJob, Planned

S = AttemptState
GIT = GitSource("https://git.example/x.git")
FOUND = Place(scope="k8s:x", name="ly-a-a1", uid="u")
GRANT = ItemGrant(
    item="i",
    attempt=1,
    token=Token(0, 1),
    entity="team",
    queue="q",
    resource="kubernetes",
    spec={},
    queue_config={},
    submitter="",
    run_id="",
    enqueued_at_ms=0,
    state=ItemState.CLAIMED,
    attempt_state=S.CLAIMED,
)
ENDED = Attempt(
    grant=GRANT, token=Token(0, 1), state=S.CANCELLED, since_ms=0, product=Product(folder="/c/x")
)


@pytest.mark.parametrize(
    ("row", "source", "goes"),
    [
        (ENDED, GIT, True),
        (replace(ENDED, state=S.REJECTED), GIT, True),
        (replace(ENDED, place=replace(FOUND, uid="")), GIT, True),
        (replace(ENDED, place=replace(FOUND, uid=""), state=S.FAILED), GIT, False),
        (replace(ENDED, place=FOUND), GIT, False),
        (replace(ENDED, product=None), GIT, False),
        (ENDED, NoSource(), False),
    ],
)
def test_only_what_nothing_can_run_in_is_taken_away(
    row: Attempt, source: Source, *, goes: bool
) -> None:
    """A failed submit may have arrived unheard of; a target removes what it runs by itself."""
    sent: list[ToHost] = []
    plan = Planned(plan=None, build=BuildJob(source=source, into="/c/ly-a-a1"))
    discard_source(row, lambda _row: plan, sent.append)
    assert sent == ([Discard("/c/ly-a-a1")] if goes else [])


def test_an_attempt_that_cannot_be_planned_any_more_is_let_be() -> None:
    """Its end is on record, and goes on."""

    def planned(row: Attempt) -> Planned:
        raise KeyError(row.item)

    sent: list[ToHost] = []
    discard_source(ENDED, planned, sent.append)
    assert sent == []
