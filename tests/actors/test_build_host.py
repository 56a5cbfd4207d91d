"""What a build host counts, and what a builder that cannot be made costs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import cast

import pytest

from launchyard.actors.build_host import BuildHost, BuildHostParts
from launchyard.actors.child import Channel
from launchyard.actors.messages import Build, BuildDone, BuildFailed, FromHost, Ref
from launchyard.adapters.prometheus.metrics import PrometheusMetrics
from launchyard.adapters.system.clock import SystemClock
from launchyard.bootstrap.hosts import BuildHostSpec, HostSettings, build_host
from launchyard.bootstrap.logs import LogSettings
from launchyard.domain.reason import Reason
from launchyard.domain.spec import NoSource
from launchyard.ports.builder import BuildRequest, Built
from launchyard.ports.families import BUILDS_IN_PROGRESS
from launchyard.ports.target import BuildJob
from tests.actors.hosts import FolderFiles
from tests.adapters.client.scripted import problem, scripted
from tests.plugins import kit

LIMIT_S = 120.0
BROKEN = """
@hookimpl
def builders():
    return [builder("oven")]
"""


class Ears(Channel):
    """The link's end in a worker process, with the other end in a queue."""

    def __init__(self) -> None:
        self.said: SimpleQueue[FromHost] = SimpleQueue()

    def send(self, *messages: FromHost) -> None:
        for message in messages:
            self.said.put(message)


class Oven:
    """A builder that tells when a build begins, and ends it when it is let."""

    def __init__(self) -> None:
        self.begun: SimpleQueue[str] = SimpleQueue()
        self.go = {name: threading.Event() for name in "ab"}

    def build(
        self, request: BuildRequest, log: Callable[[bytes], None], cancelled: Callable[[], bool]
    ) -> Built:
        self.begun.put(request.name)
        assert self.go[request.name].wait(LIMIT_S)
        return Built(cache="miss")


def wish(name: str, builder: str, into: Path) -> Build:
    """Return a build without a source."""
    request = BuildRequest(name=name, source="", requirements=("x",))
    job = BuildJob(source=NoSource(), into=str(into), builder=builder, request=request)
    return Build(Ref(name, 1), job)


def in_progress(metrics: PrometheusMetrics) -> Mapping[str, float]:
    """Return the gauge by builder."""
    found = [one for one in metrics.snapshot() if one.family == BUILDS_IN_PROGRESS]
    return {one.labels["builder"]: one.value for one in found}


def test_two_builds_at_once_count_as_two(tmp_path: Path) -> None:
    """The end of one leaves the other counted."""
    oven, ears, metrics = Oven(), Ears(), PrometheusMetrics()
    parts = BuildHostParts(
        builders={"oven": oven},
        fetchers={},
        files=FolderFiles(str(tmp_path)),
        clock=SystemClock(),
        metrics=metrics,
    )
    host = BuildHost(parts, ears).start()
    host.handle([wish(name, "oven", tmp_path / name) for name in "ab"])
    assert {oven.begun.get(timeout=LIMIT_S) for _ in "ab"} == {"a", "b"}
    assert in_progress(metrics) == {"oven": 2}
    for name, left in (("a", 1), ("b", 0)):
        oven.go[name].set()
        end = ears.said.get(timeout=LIMIT_S)
        assert isinstance(end, BuildDone)
        assert (end.ref.item, in_progress(metrics)) == (name, {"oven": left})
    host.crew.stop(LIMIT_S)


def test_a_builder_that_cannot_be_made_costs_its_own_builds_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They fail with what its maker said, and the host goes on."""
    monkeypatch.syspath_prepend(tmp_path / "site")
    kit.install(tmp_path / "site", "bakery", BROKEN)
    ears = Ears()
    with scripted(lambda _: problem(404, "no such attempt")) as server:
        common = HostSettings(
            role="build",
            server=server.url,
            key="k",
            log=LogSettings(process="build", file=str(tmp_path / "log")),
        )
        host = build_host(BuildHostSpec(common=common, folder=str(tmp_path / "build")), ears)
        host.handle([wish("a", "oven", tmp_path / "a")])
        end = cast("BuildFailed", ears.said.get(timeout=LIMIT_S))
        assert (end.ref.item, end.reason, end.retry) == ("a", Reason.BUILDER_MISSING, False)
        said, _, log = end.detail.partition("; ")
        assert said == "this agent's `oven` cannot be used: ValueError: no such disk"
        assert log.startswith("the last")
        host.handle([wish("b", "stove", tmp_path / "b")])
        end = cast("BuildFailed", ears.said.get(timeout=LIMIT_S))
        assert "has no builder stove; it has venv" in end.detail
        host.crew.stop(LIMIT_S)
