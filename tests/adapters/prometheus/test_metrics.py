"""Counting: what is counted is shown, once, under labels that stay few."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Mapping

import pytest

from launchyard.adapters.prometheus.exposition import Exposition, MetricsError
from launchyard.adapters.prometheus.fleet import Fleet
from launchyard.adapters.prometheus.metrics import MetricsConfig, PrometheusMetrics
from launchyard.ports import families
from launchyard.ports.metrics import Snapshot


def shown(metrics: PrometheusMetrics) -> str:
    """Return what a scrape of *metrics* would read."""
    return Exposition(Fleet(metrics), {}).render()[0].decode()


def values(snapshot: Snapshot, name: str) -> Mapping[tuple[str, ...], float]:
    """Return the samples of one family by the values of their labels."""
    return {tuple(s.labels.values()): s.value for s in snapshot if s.family.name == name}


def test_counters_add_up_and_gauges_are_set() -> None:
    """A counter gets its suffix, a gauge keeps its name."""
    metrics = PrometheusMetrics()
    for _ in range(3):
        metrics.count(families.CLAIMS, {"result": "empty"})
    metrics.gauge(families.OUTBOX_DEPTH, 5)
    metrics.gauge(families.OUTBOX_DEPTH, 2)
    text = shown(metrics)
    assert 'launchyard_claims_total{result="empty"} 3.0\n' in text
    assert "launchyard_outbox_depth 2.0\n" in text


def test_buckets_hold_what_is_below_them() -> None:
    """A value that equals a bound belongs to it; the last bucket holds everything."""
    metrics = PrometheusMetrics()
    for value in (0.001, 1, 99):
        metrics.observe(families.CLAIM_DURATION, value)
    text = shown(metrics)
    assert 'launchyard_claim_duration_seconds_bucket{le="0.005"} 1.0\n' in text
    assert 'launchyard_claim_duration_seconds_bucket{le="1.0"} 2.0\n' in text
    assert 'launchyard_claim_duration_seconds_bucket{le="+Inf"} 3.0\n' in text
    assert "launchyard_claim_duration_seconds_count 3.0\n" in text
    assert "launchyard_claim_duration_seconds_sum 100.001\n" in text


def test_strange_queues_overflow() -> None:
    """However many queues there are, their number of series is bounded and none is lost."""
    metrics = PrometheusMetrics(MetricsConfig(cap=2))
    for number in range(5):
        metrics.count(families.ITEMS_CLAIMED, {"queue": f"q{number}"})
    metrics.gauge(families.LEASES_HELD, 1, {"queue": "q4"})
    snapshot = metrics.snapshot()
    assert values(snapshot, "items_claimed") == {("q0",): 1, ("q1",): 1, ("_overflow",): 3}
    assert values(snapshot, "leases_held") == {("_overflow",): 1}


def test_a_value_off_the_list_is_other() -> None:
    """A reason that this release does not know makes no new series."""
    metrics = PrometheusMetrics()
    metrics.count(families.CLAIMS, {"result": "invented", "item": "0190"})
    metrics.count(families.CLAIMS)
    assert values(metrics.snapshot(), "claims") == {("other",): 2}


def test_foreseeable_series_start_at_zero() -> None:
    """The first failure is a step from 0 to 1, which `rate()` and alerts see."""
    metrics = PrometheusMetrics()
    metrics.prepare(families.AGENT_FAMILIES, queues=("gpu",), targets=("local-process",))
    snapshot = metrics.snapshot()
    finished = values(snapshot, "jobs_finished")
    assert finished["gpu", "local-process", "failed", "exit_code"] == 0
    assert finished["gpu", "local-process", "lost", "host_lost"] == 0
    assert len(finished) == len(families.VALUES["jobs_finished"]["reason"])
    assert set(values(snapshot, "claims")) == {("claimed",), ("empty",), ("error",)}


def test_every_family_is_described() -> None:
    """Also those that nothing was counted of yet show name, help and type."""
    metrics = PrometheusMetrics()
    metrics.prepare((*families.AGENT_FAMILIES, *families.SERVER_FAMILIES))
    text = shown(metrics)
    for family in (*families.AGENT_FAMILIES, *families.SERVER_FAMILIES):
        assert f"# HELP launchyard_{family.name}" in text


def test_memory_and_time_of_the_process_are_told() -> None:
    """A process says what it costs, under its own name."""
    snapshot = PrometheusMetrics(MetricsConfig(process="run-local")).snapshot()
    assert values(snapshot, "process_resident_memory_bytes")["run-local",] > 1_000_000
    assert values(snapshot, "process_cpu_seconds")["run-local",] > 0


def test_a_forgotten_series_is_gone() -> None:
    """A queue that was deleted leaves no number behind."""
    metrics = PrometheusMetrics()
    labels = {"entity": "team", "queue": "old"}
    metrics.gauge(families.QUEUE_PAUSED, 1, labels)
    metrics.forget(families.QUEUE_PAUSED, labels)
    metrics.forget(families.QUEUE_PAUSED, labels)
    assert values(metrics.snapshot(), "queue_paused") == {}


def test_snapshots_travel() -> None:
    """A snapshot is the same after a pickle to another process."""
    metrics = PrometheusMetrics()
    metrics.observe(families.CLAIM_DURATION, 1)
    snapshot = metrics.snapshot()
    assert pickle.loads(pickle.dumps(snapshot)) == snapshot  # noqa: S301 - our own bytes


def test_threads_lose_nothing() -> None:
    """Eight threads that count at once count everything."""
    metrics = PrometheusMetrics()

    def work() -> None:
        for _ in range(1000):
            metrics.count(families.LOG_SHIP_ERRORS)
            metrics.observe(families.CLAIM_DURATION, 0.1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values(metrics.snapshot(), "log_ship_errors") == {(): 8000}
    assert "launchyard_claim_duration_seconds_count 8000.0\n" in shown(metrics)


@pytest.mark.parametrize("name", ["PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"])
def test_the_librarys_own_multiprocess_mode_is_refused(name: str) -> None:
    """Where it is switched on the numbers would be wrong, so nothing starts."""
    with pytest.raises(MetricsError, match="Unset PROMETHEUS_MULTIPROC_DIR"):
        Exposition(Fleet(PrometheusMetrics()), {name: "/tmp/shared"})  # noqa: S108


def test_counting_loads_no_library() -> None:
    """A child process counts without the memory and the time that the library costs."""
    code = (
        "import sys; from launchyard.adapters.prometheus.metrics import PrometheusMetrics as P;"
        "P().snapshot(); sys.exit('prometheus_client' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_newer_reader_gets_the_newer_format() -> None:
    """Prometheus asks for OpenMetrics and gets it, ended as that format wants."""
    exposition = Exposition(Fleet(PrometheusMetrics()), {})
    body, content_type = exposition.render("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
