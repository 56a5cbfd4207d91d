"""What the server says when time did not count in which agents could not be heard."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from launchyard.adapters.http.house import House
from launchyard.adapters.sql.store import open_store
from launchyard.plugins.testkit.store_world import MovableClock
from launchyard.ports.families import LEASE_GRACES
from launchyard.ports.metrics import Family
from tests.adapters.http.table import table

HOUR_S = 3600


@dataclass
class Counts:
    """Metrics that remember what was counted, and tell of it."""

    told: Callable[[], None]
    causes: list[str] = field(default_factory=list)

    def count(self, family: Family, labels: dict[str, str], by: float = 1) -> None:
        assert (family, by) == (LEASE_GRACES, 1)
        self.causes.append(labels["cause"])
        self.told()


@pytest.mark.parametrize(
    ("moved_s", "said"),
    [
        ((HOUR_S, 0), ("clock", "clock_set", "set by +3600 s")),
        ((-HOUR_S, 0), ("clock", "clock_set", "set by -3600 s")),
        ((HOUR_S, HOUR_S), ("stall", "server_stood", "stood still for ")),
    ],
)
def test_a_clock_that_jumps_is_told(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    moved_s: tuple[int, int],
    said: tuple[str, str, str],
) -> None:
    """Once, in a line with a name and in a number; the start of a server is no jump."""
    cause, event, part = said
    with caplog.at_level(logging.WARNING, "launchyard.http"):
        causes = asyncio.run(_scan(f"sqlite:///{tmp_path / 'db'}", *moved_s))
    [line] = caplog.records
    assert part in line.getMessage()
    assert "every lease got a full term" in line.getMessage()
    fields = cast("Any", line).fields
    assert fields["event"] == event
    assert abs(fields["seconds"]) > HOUR_S - 60
    assert causes == [cause]


async def _scan(url: str, wall_s: int, boot_s: int) -> list[str]:
    """Let a server scan, move its clocks, and let it scan until it has counted that."""
    clock, told = MovableClock(), asyncio.Event()
    store = open_store(url, clock)
    counts = Counts(told.set)
    services = replace(table().services, store=store, clock=clock, metrics=cast("Any", counts))
    house = House(services)
    store.expire()
    clock.wall_ms += wall_s * 1000
    clock.boot_s += boot_s
    scans = asyncio.create_task(house.expire_for_ever())
    async with asyncio.timeout(60):
        await told.wait()
    scans.cancel()
    house.close()
    store.close()
    return counts.causes
