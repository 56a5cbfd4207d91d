"""Every queue of an agent gets its turn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from launchyard.domain.rotation import after_claim

QUEUES = st.lists(st.sampled_from("abcdef"), min_size=1, unique=True).map(tuple)


def test_a_queue_that_was_served_steps_behind_the_others() -> None:
    """Those that were not keep their order."""
    assert after_claim(("a", "b", "c"), {"a"}) == ("b", "c", "a")
    assert after_claim(("a", "b", "c"), ()) == ("a", "b", "c")


@given(QUEUES, st.sets(st.sampled_from("abcdefx")))
def test_no_queue_is_lost_or_doubled(order: tuple[str, ...], served: set[str]) -> None:
    """Only the order changes."""
    assert sorted(after_claim(order, served)) == sorted(order)


@given(QUEUES, st.data())
def test_no_ready_queue_waits_for_more_claims_than_there_are_others(
    order: tuple[str, ...], data: st.DataObject
) -> None:
    """A claim of one slot serves the first ready queue; one that stays ready gets its turn."""
    patient = data.draw(st.sampled_from(order))
    waited = 0
    while True:
        others = data.draw(st.sets(st.sampled_from(order)))
        ready = [queue for queue in order if queue in others | {patient}]
        if ready[0] == patient:
            break
        order = after_claim(order, {ready[0]})
        waited += 1
    assert waited <= len(order) - 1
