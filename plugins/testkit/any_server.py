"""What an adapter in front of any server must do, as tests, also where nothing has a lease."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import pytest

from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import (
    AgentGrant,
    AgentHello,
    Caller,
    ClaimAnswer,
    ClaimRequest,
    Fact,
    Heartbeat,
    ItemGrant,
    Launching,
    LeaseRef,
    Place,
    Reclaim,
    ReclaimVerdict,
    Report,
    Verdict,
)
from launchyard.domain.item import ItemState
from launchyard.domain.lease import Token
from launchyard.domain.reason import Reason
from launchyard.ports.launch_server import LaunchServer, ServerError, StaleAgentError

LONG_S = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchServerCase:
    """An adapter in front of a real server, and the other side's levers.

    `hello` names an empty queue and a scope that nobody else uses. `submit` puts an item there
    and returns its id; `cancel` takes an item's id, `drain` an agent's. `silent` is an adapter
    for a server that nobody answers for.
    """

    server: LaunchServer
    silent: LaunchServer
    hello: AgentHello
    submit: Callable[[], str]
    cancel: Callable[[str], None]
    drain: Callable[[str], None]
    ids: Any = field(default_factory=count)

    def start(self, agent: str = "") -> AgentGrant:
        """Register a start of the agent."""
        return self.server.hello(replace(self.hello, agent=agent))

    def wish(self, caller: Caller, free: int = 1, wait_s: float = 0.0) -> ClaimRequest:
        """Return a new claim."""
        return ClaimRequest(
            caller=caller,
            claim_id=f"{caller.agent}-{next(self.ids)}",
            queues=self.hello.queues,
            free=free,
            wait_s=wait_s,
        )

    def claim(self, caller: Caller, free: int = 1, wait_s: float = 0.0) -> ClaimAnswer:
        """Claim."""
        return self.server.claim(self.wish(caller, free, wait_s))


class AnyServerContract(ABC):
    """Subclass it for a server without leases, pushes or commands; any other keeps more.

    That is `LaunchServerContract`. Here polls may take their time, an agent is told nothing in the
    answers of its claims, and what it gave back may come again when it likes.
    """

    @pytest.fixture
    @abstractmethod
    def case(self) -> Any:
        """Give, or yield, a `LaunchServerCase` with an empty queue."""

    def test_an_empty_claim_ends_in_time(self, case: LaunchServerCase) -> None:
        """Nothing to do is an answer, not an error."""
        caller = caller_of(case.start())
        began = time.monotonic()
        assert case.claim(caller, wait_s=0.3) == ClaimAnswer()
        assert time.monotonic() - began < LONG_S

    def test_a_grant_says_all(self, case: LaunchServerCase) -> None:
        """Spec, configuration and token come with the item."""
        item = case.submit()
        grant = self.grant(case, caller_of(case.start()))
        assert (grant.item, grant.attempt, grant.state) == (item, 1, ItemState.CLAIMED)
        assert isinstance(grant.spec, dict)
        assert grant.queue == case.hello.queues[0]

    def test_a_repeated_claim_gives_the_same(self, case: LaunchServerCase) -> None:
        """An answer that was lost can be had again."""
        for _ in range(2):
            case.submit()
        wish = case.wish(caller_of(case.start()))
        assert case.server.claim(wish) == case.server.claim(wish)

    def test_an_abort_ends_a_waiting_claim(self, case: LaunchServerCase) -> None:
        """Though it may come before the claim does; nothing stays granted."""
        caller = caller_of(case.start())
        wish = case.wish(caller, wait_s=LONG_S)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(case.server.claim, wish)
            while not waiting.done():
                case.server.abort_claim(caller, wish.claim_id)
        assert waiting.result().items == ()
        assert case.server.heartbeat(Heartbeat(caller=caller, leases=())).unlisted == ()

    def test_only_the_holder_may_launch(self, case: LaunchServerCase) -> None:
        """The write may be repeated; a stale token is told, and blocks no other element."""
        case.submit()
        caller = caller_of(case.start())
        grant = self.grant(case, caller)
        good = Launching(lease=lease_of(grant), place=self.place(case, grant))
        stale = replace(good, lease=replace(good.lease, token=Token(9, 9)))
        verdicts = [a.verdict for a in case.server.launching(caller, [stale, good, good])]
        assert verdicts == [Verdict.STALE, Verdict.TAKEN, Verdict.TAKEN]

    def test_an_empty_batch_is_answered(self, case: LaunchServerCase) -> None:
        """With nothing."""
        assert list(case.server.report(caller_of(case.start()), [])) == []

    def test_a_reclaim_after_the_end_is_over(self, case: LaunchServerCase) -> None:
        """There is nothing left to hold."""
        case.submit()
        caller = caller_of(case.start())
        grant = self.launched(case, caller)
        case.server.report(caller, [self.report(grant, 1, AttemptState.SUCCEEDED)])
        reclaim = Reclaim(caller=caller, item=grant.item, attempt=1, place=None)
        assert case.server.reclaim(reclaim).verdict is ReclaimVerdict.OVER

    def test_a_goodbye_may_be_repeated(self, case: LaunchServerCase) -> None:
        """An agent that stops says so until it is heard; then that start of it is over."""
        caller = caller_of(case.start())
        case.server.goodbye(caller)
        with suppress(StaleAgentError):
            case.server.goodbye(caller)

    def test_silence_may_be_tried_again(self, case: LaunchServerCase) -> None:
        """A server that is away raises the port's own error, soon."""
        caller = Caller(agent="a", epoch=1)
        for ask in (
            lambda: case.silent.hello(case.hello),
            lambda: case.silent.claim(case.wish(caller, wait_s=1)),
            lambda: case.silent.heartbeat(Heartbeat(caller=caller, leases=())),
        ):
            with pytest.raises(ServerError) as e:
                ask()
            assert e.value.retry

    def grant(self, case: LaunchServerCase, caller: Caller) -> ItemGrant:
        """Claim the one item that is there."""
        (found,) = case.claim(caller).items
        return found

    def launched(self, case: LaunchServerCase, caller: Caller) -> ItemGrant:
        """Claim an item and make its fenced write."""
        grant = self.grant(case, caller)
        launching = Launching(lease=lease_of(grant), place=self.place(case, grant))
        (answer,) = case.server.launching(caller, [launching])
        assert answer.verdict is Verdict.TAKEN
        return grant

    @staticmethod
    def place(case: LaunchServerCase, grant: ItemGrant) -> Place:
        """Return where an item would run."""
        return Place(scope=case.hello.scopes[0], name=f"ly-{grant.item}")

    @staticmethod
    def report(grant: ItemGrant, seq: int, state: AttemptState) -> Report:
        """Return a report of one state."""
        ends = state is AttemptState.SUCCEEDED
        fact = Fact(at_ms=1, state=state, reason=Reason.COMPLETED if ends else None)
        return Report(lease=lease_of(grant), seq=seq, fact=fact)


def caller_of(grant: AgentGrant) -> Caller:
    """Return who a registered agent speaks as."""
    return Caller(agent=grant.agent, epoch=grant.epoch)


def lease_of(grant: ItemGrant) -> LeaseRef:
    """Return a grant's lease."""
    return LeaseRef(item=grant.item, attempt=grant.attempt, token=grant.token)
