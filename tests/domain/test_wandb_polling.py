"""When a W&B server is asked for work, and for how much."""

from __future__ import annotations

from dataclasses import dataclass, field

from launchyard.domain.wandb_polling import (
    HOT_S,
    MOST_POPS,
    Pace,
    after_pop,
    held,
    jittered,
    pops,
)

QUEUES = ("a", "b", "c", "d", "e")


@dataclass
class Poller:
    """Asks for as long as it is told, and notes when."""

    pace: Pace = field(default_factory=Pace)
    now: float = 1000.0
    asked: list[float] = field(default_factory=list)

    def run(self, for_s: float, jitter: float = 0.5) -> None:
        """Ask in vain until *for_s* have passed."""
        end = self.now + for_s
        while max(self.now, self.pace.next_at) < end:
            self.now = max(self.now, self.pace.next_at)
            self.asked.append(self.now)
            self.pace = jittered(after_pop(self.pace, self.now, QUEUES, ()), self.now, jitter)
        self.now = end

    def hit(self) -> None:
        """Ask, and be given an item of each queue but the last."""
        self.now = max(self.now, self.pace.next_at)
        self.asked.append(self.now)
        self.pace = after_pop(self.pace, self.now, ("a", "a"), ("a",))


def test_an_idle_server_is_asked_seldom() -> None:
    """Five queues cost one request, at most seven times a minute whatever the jitter."""
    for jitter in (0.0, 0.5, 0.999):
        poller = Poller()
        poller.run(120, jitter)
        poller.asked.clear()
        poller.run(600, jitter)
        assert 40 <= len(poller.asked) <= 95


def test_after_an_item_another_is_looked_for_at_once() -> None:
    """For thirty seconds no wait is longer than 0.8 s; then they grow again."""
    poller = Poller()
    poller.hit()
    poller.run(30, 1.0)
    gaps = [b - a for a, b in zip(poller.asked, poller.asked[1:], strict=False)]
    assert max(gaps) <= 0.8
    poller.run(120)
    assert poller.pace.next_at - poller.asked[-1] > 5


def test_a_queue_that_gave_all_it_was_asked_for_is_asked_again_at_once() -> None:
    """A backlog is fetched as fast as slots are free, and with every slot."""
    pace = after_pop(Pace(), 10.0, ("a", "b"), ("a",))
    assert pace.next_at == 10.0
    assert pops(QUEUES, 8, pace.full) == (*QUEUES, "a", "a", "a")
    assert pops(QUEUES, 2, pace.full) == ("a", "a")


def test_one_request_never_asks_for_more_than_there_are_slots() -> None:
    """And never for more than an answer should hold."""
    assert pops(QUEUES, 0, {"a"}) == ()
    assert len(pops(QUEUES, 1000, {"a", "b"})) == MOST_POPS
    assert pops((), 5, {"a"}) == ()


def test_agents_that_start_together_drift_apart() -> None:
    """Their waits differ by their own jitter, hot or idle."""
    one, two = Poller(), Poller()
    one.run(300, 0.1)
    two.run(300, 0.9)
    assert not set(one.asked[1:]) & set(two.asked[1:])


def test_a_pause_that_the_server_asks_for_is_kept() -> None:
    """No pace is faster than that."""
    assert held(Pace(next_at=5.0), 9.0).next_at == 9.0
    assert held(Pace(next_at=12.0), 9.0).next_at == 12.0


def test_the_hot_time_ends() -> None:
    """An item long ago is no reason to hurry."""
    pace = after_pop(Pace(hit_at=0.0, wait_s=4.0), HOT_S + 1, ("a",), ())
    assert pace.next_at == HOT_S + 5


def test_with_few_slots_every_queue_has_its_turn() -> None:
    """One slot asks one queue after the other."""
    turns = [pops(QUEUES, 1, (), turn)[0] for turn in range(6)]
    assert turns == [*QUEUES, "a"]
    assert pops((), 3, (), 2) == ()


def test_with_few_slots_a_backlog_is_not_forgotten() -> None:
    """Every second request goes to the queue that had more; the others still have their turns."""
    asked = [pops(QUEUES, 1, {"c"}, turn)[0] for turn in range(10)]
    assert asked[1::2] == ["c"] * 5
    assert set(asked[0::2]) == set(QUEUES)
    pace = after_pop(Pace(hit_at=9.0, full=frozenset("c")), 10.0, ("a",), ())
    assert (pace.next_at, pace.full) == (10.0, frozenset("c"))
