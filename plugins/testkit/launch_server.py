"""What every launch server adapter must do, as tests."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import (
    Caller,
    CommandKind,
    Heartbeat,
    Launching,
    Release,
    Verdict,
)
from launchyard.domain.lease import Token
from launchyard.plugins.testkit.any_server import (
    LONG_S,
    AnyServerContract,
    LaunchServerCase,
    caller_of,
    lease_of,
)
from launchyard.ports.launch_server import ServerError, StaleAgentError

__all__ = ["LaunchServerCase", "LaunchServerContract"]


class LaunchServerContract(AnyServerContract):
    """Subclass as `TestMyServer` and give it a `case` fixture.

    A server that has no leases of its own keeps `AnyServerContract`, which is less.
    """

    def test_each_start_has_a_higher_epoch(self, case: LaunchServerCase) -> None:
        """The older start is refused by an error of its own, whatever it asks."""
        first = case.start()
        second = case.start(first.agent)
        assert (second.agent, second.epoch) == (first.agent, first.epoch + 1)
        old = caller_of(first)
        for ask in (
            lambda: case.claim(old),
            lambda: case.server.heartbeat(Heartbeat(caller=old, leases=())),
        ):
            with pytest.raises(StaleAgentError):
                ask()

    def test_a_submit_wakes_a_waiting_claim(self, case: LaunchServerCase) -> None:
        """Long before the wait is over."""
        caller = caller_of(case.start())
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(case.claim, caller, 1, LONG_S)
            item = case.submit()
            answer = waiting.result(LONG_S / 2)
        assert [grant.item for grant in answer.items] == [item]

    def test_reports_are_taken_in_order(self, case: LaunchServerCase) -> None:
        """A gap is told with what is known; a repeat is taken."""
        case.submit()
        caller = caller_of(case.start())
        grant = self.launched(case, caller)
        facts = [
            self.report(grant, 2, AttemptState.RUNNING),
            self.report(grant, 1, AttemptState.PENDING),
            self.report(grant, 1, AttemptState.PENDING),
        ]
        answers = case.server.report(caller, facts)
        assert [a.verdict for a in answers] == [Verdict.GAP, Verdict.TAKEN, Verdict.TAKEN]
        assert answers[0].seq == 0

    def test_a_heartbeat_compares_the_lists(self, case: LaunchServerCase) -> None:
        """What only the server knows comes back whole; what only the agent knows is stale."""
        case.submit()
        caller = caller_of(case.start())
        grant = self.grant(case, caller)
        strange = replace(lease_of(grant), token=Token(9, 9))
        beat = case.server.heartbeat(Heartbeat(caller=caller, leases=(strange,)))
        assert beat.ttl_s > 0
        assert beat.stale == (strange,)
        assert [one.item for one in beat.unlisted] == [grant.item]
        known = Heartbeat(caller=caller, leases=(lease_of(grant),))
        assert case.server.heartbeat(known).stale == ()

    def test_a_cancel_reaches_the_holder(self, case: LaunchServerCase) -> None:
        """Even one that asks for no work; the fenced write is refused from then on."""
        item = case.submit()
        caller = caller_of(case.start())
        grant = self.grant(case, caller)
        case.cancel(item)
        (command,) = case.claim(caller, free=0, wait_s=LONG_S).commands
        assert (command.kind, command.item, command.attempt) == (CommandKind.CANCEL, item, 1)
        launching = Launching(lease=lease_of(grant), place=self.place(case, grant))
        (answer,) = case.server.launching(caller, [launching])
        assert answer.verdict is Verdict.CANCELLED

    def test_a_drain_reaches_the_agent(self, case: LaunchServerCase) -> None:
        """By its claim."""
        caller = caller_of(case.start())
        case.drain(caller.agent)
        (command,) = case.claim(caller, wait_s=LONG_S).commands
        assert command.kind is CommandKind.DRAIN

    def test_what_is_released_comes_back(self, case: LaunchServerCase) -> None:
        """Before its launch an item returns to its place, as the same attempt."""
        item = case.submit()
        caller = caller_of(case.start())
        grant = self.grant(case, caller)
        release = Release(lease=lease_of(grant), state=AttemptState.CLAIMED)
        (answer,) = case.server.release(caller, [release])
        assert answer.verdict is Verdict.TAKEN
        again = self.grant(case, caller)
        assert (again.item, again.attempt) == (item, 1)
        assert again.token > grant.token

    def test_many_threads_may_call(self, case: LaunchServerCase) -> None:
        """Each item is granted once."""
        items = {case.submit() for _ in range(12)}
        callers = [caller_of(case.start()) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(case.claim, callers * 3))
        found = [grant.item for answer in answers for grant in answer.items]
        assert sorted(found) == sorted(items)

    def test_a_goodbye_that_nobody_hears_is_an_error(self, case: LaunchServerCase) -> None:
        """It may be said again."""
        with pytest.raises(ServerError) as e:
            case.silent.goodbye(Caller(agent="a", epoch=1))
        assert e.value.retry
