"""The log of a job that is alone: nobody else's turn wakes the one who looks."""

from __future__ import annotations

from typing import Any

from launchyard.actors.shipper import LogShipper
from launchyard.adapters.prometheus.metrics import PrometheusMetrics
from launchyard.adapters.system.clock import SystemClock
from tests.actors.test_shipper import HANDLE, LIMIT_S, REF, Chunks, TellingLogs
from tests.programs import until


def test_a_lone_log_that_goes_on_is_looked_at_soon() -> None:
    """It was silent when first looked at, and is told of again while the looker sleeps."""
    runner, files = TellingLogs(), Chunks(1)
    whole: Any = runner
    shipper = LogShipper(whole, files, SystemClock(), PrometheusMetrics(), lambda *_: None)
    shipper.start()
    shipper.follow(REF, HANDLE, {})
    until(lambda: bool(runner.asked), "a look")
    until(lambda: _sleeps(shipper), "that it sleeps for long")
    runner.logs[HANDLE] = b"a line\n"
    runner.changed(HANDLE)
    assert files.enough.wait(LIMIT_S)
    assert files.data == [b"a line\n"]


def _sleeps(shipper: LogShipper) -> bool:
    with shipper._changed:
        first = shipper._rota.first()
        return first is not None and first.due > shipper._clock.boottime() + 60
