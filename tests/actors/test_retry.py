"""What an agent does with the next attempt of an item that it has just seen fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from launchyard.domain.attempt import ENDS, AttemptState
from launchyard.domain.exchange import Answer, Reclaim, ReclaimAnswer, ReclaimVerdict, Report
from launchyard.domain.item import ItemState
from launchyard.domain.reports import Record, judge_report
from tests.actors.items import Item
from tests.actors.kit import Bench, runs_of, until
from tests.actors.server import ScriptedServer

S = AttemptState


class RetryingServer(ScriptedServer):
    """Puts what failed back at once, as its next attempt, and knows what it was told before."""

    def __init__(self) -> None:
        super().__init__()
        self.past: dict[tuple[str, int], Record] = {}
        self.complete: set[tuple[str, int]] = set()

    def _take(self, one: Item, report: Report) -> None:
        super()._take(one, report)
        grant = one.grant
        if report.fact.logs_complete:
            self.complete.add((grant.item, grant.attempt))
        if grant.attempt_state in ENDS and grant.attempt_state is not S.SUCCEEDED:
            self.past[grant.item, grant.attempt] = one.record()
            one.place, one.holder = None, ""
            one.grant = replace(
                grant,
                attempt=grant.attempt + 1,
                state=ItemState.QUEUED,
                attempt_state=S.CLAIMED,
                token=grant.token.following(0),
            )

    def _report(self, report: Report) -> Answer:
        key = (report.lease.item, report.lease.attempt)
        if key not in self.past:
            return super()._report(report)
        answer = judge_report(self.past[key], report)
        self.past[key] = replace(self.past[key], seq=max(self.past[key].seq, answer.seq))
        if report.fact.logs_complete:
            self.complete.add(key)
        return answer

    def reclaim(self, reclaim: Reclaim) -> ReclaimAnswer:
        if (reclaim.item, reclaim.attempt) in self.past:
            return ReclaimAnswer(verdict=ReclaimVerdict.OVER)
        return super().reclaim(reclaim)


@pytest.fixture
def server() -> RetryingServer:
    """Return a server that tries again."""
    return RetryingServer()


def test_the_next_attempt_waits_for_the_last_one_to_be_told(
    tmp_path: Path, server: RetryingServer
) -> None:
    """Its long log comes to the end and its folder is removed, then the item is run again."""
    marker = tmp_path / "m"
    script = (
        f"echo ran >>{marker}; head -c 1500000 /dev/zero | tr '\\0' x; "
        f"test $(grep -c ran {marker}) -eq 3"
    )
    server.enqueue("a", "/bin/sh", "-c", script)
    bench = Bench(tmp_path, server)
    with bench.running(max_jobs=1):
        last = server.wait(
            lambda: [f for f in server.items["a"].ends if f.state is S.SUCCEEDED], "the end"
        )
        assert last
        server.wait(lambda: len(server.complete) == 3, "all logs")
        until(lambda: not list((tmp_path / "local").glob("*/ly-*")), "removed folders")
    assert runs_of(marker) == 3
    assert [fact.state for fact in server.items["a"].ends] == [S.FAILED, S.FAILED, S.SUCCEEDED]
    for attempt in (1, 2, 3):
        log = tmp_path / "files" / f"a-{attempt}-main.log"
        assert log.stat().st_size == 1_500_000
