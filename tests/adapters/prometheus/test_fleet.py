"""The numbers of several processes, as one."""

from __future__ import annotations

from collections.abc import Callable

from launchyard.adapters.prometheus.fleet import Fleet
from launchyard.adapters.prometheus.metrics import MetricsConfig, PrometheusMetrics
from launchyard.ports import families
from launchyard.ports.metrics import Snapshot


def child(shipped: int, depth: int) -> Snapshot:
    """Return the snapshot of a host that has shipped so many bytes and has so long a mailbox."""
    metrics = PrometheusMetrics(MetricsConfig(process="run-local"))
    metrics.count(families.LOG_BYTES_SHIPPED, by=shipped)
    metrics.gauge(families.ACTOR_MAILBOX_DEPTH, depth, {"actor": "launcher"})
    metrics.observe(families.CLAIM_DURATION, 1)
    return metrics.snapshot()


def find(fleet: Fleet, name: str, suffix: str = "") -> dict[tuple[str, ...], float]:
    """Return the merged samples of one name by the values of their labels."""
    return {
        tuple(sorted(s.labels.values())): s.value
        for s in fleet.snapshot()
        if s.family.name == name and s.suffix == suffix
    }


def fleet(clock: Callable[[], float] = lambda: 0.0) -> Fleet:
    """Return a fleet whose own process has shipped 1 byte."""
    own = PrometheusMetrics()
    own.count(families.LOG_BYTES_SHIPPED)
    return Fleet(own, clock)


def test_counters_of_children_are_added() -> None:
    """What the processes count of one thing is one number."""
    numbers = fleet()
    numbers.heard("run-local", 1, child(10, 3))
    numbers.heard("build", 1, child(100, 0))
    assert find(numbers, "log_bytes_shipped", "_total") == {(): 111}
    assert find(numbers, "claim_duration_seconds", "_count") == {(): 2}


def test_a_newer_snapshot_replaces_the_one_before() -> None:
    """A child's numbers are not added to its own."""
    numbers = fleet()
    numbers.heard("run-local", 1, child(10, 3))
    numbers.heard("run-local", 1, child(12, 4))
    assert find(numbers, "log_bytes_shipped", "_total") == {(): 13}
    assert find(numbers, "actor_mailbox_depth") == {("launcher", "run-local"): 4}


def test_counters_never_go_back() -> None:
    """A child that begins anew begins at zero, and the sum goes on from where it was."""
    numbers = fleet()
    numbers.heard("run-local", 1, child(10, 3))
    numbers.ended("run-local")
    assert find(numbers, "log_bytes_shipped", "_total") == {(): 11}
    numbers.heard("run-local", 2, child(0, 0))
    assert find(numbers, "log_bytes_shipped", "_total") == {(): 11}
    numbers.heard("run-local", 3, child(5, 0))
    assert find(numbers, "log_bytes_shipped", "_total") == {(): 16}


def test_gauges_of_dead_children_are_gone() -> None:
    """A mailbox that no longer exists has no depth, and a dead process no memory."""
    numbers = fleet()
    numbers.heard("run-local", 1, child(10, 3))
    numbers.ended("run-local")
    numbers.ended("run-local")
    assert find(numbers, "actor_mailbox_depth") == {}
    assert set(find(numbers, "process_resident_memory_bytes")) == {("main",)}
    assert find(numbers, "supervisor_snapshot_age_seconds") == {}


def test_a_late_word_of_a_dead_generation_is_not_counted_twice() -> None:
    """What overtakes the news of a restart changes nothing."""
    numbers = fleet()
    numbers.heard("run-local", 2, child(10, 3))
    numbers.heard("run-local", 1, child(70, 9))
    assert find(numbers, "log_bytes_shipped", "_total") == {(): 11}
    numbers.ended("run-local")
    numbers.heard("run-local", 2, child(10, 3))
    assert find(numbers, "log_bytes_shipped", "_total") == {(): 11}


def test_a_silent_child_shows_its_age() -> None:
    """The numbers of a child that hangs stay, and say how old they are."""
    now = [100.0]
    numbers = fleet(lambda: now[0])
    numbers.heard("run-local", 1, child(10, 3))
    now[0] = 107.5
    assert find(numbers, "supervisor_snapshot_age_seconds") == {("run-local",): 7.5}
