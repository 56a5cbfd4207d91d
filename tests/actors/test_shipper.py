"""How logs are cut into chunks: never within a line that is still being written."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from launchyard.actors.messages import Ref
from launchyard.actors.shipper import LogShipper, whole_lines
from launchyard.adapters.prometheus.metrics import PrometheusMetrics
from launchyard.adapters.system.clock import SystemClock
from launchyard.ports.runner import Handle, LogSlice
from tests.programs import until

LIMIT_S = 120.0
REF, HANDLE = Ref("item", 1), Handle(scope="host:here", name="ly-item-a1", uid="1")


@dataclass
class GrowingLog:
    """A runner of one job; each look at it finds its log as the script has it next."""

    script: Sequence[bytes]
    looks: int = 0

    def __getattr__(self, name: str) -> Any:
        if name == "tell_logs":  # what it can be asked for, and does not have
            raise AttributeError(name)
        raise AssertionError(f"the shipper has no business with {name}")

    def log_sources(self, handle: Handle) -> Sequence[str]:
        self.looks += 1
        return ("out",)

    def read_log(self, handle: Handle, source: str, start: int, most_b: int) -> LogSlice:
        now = self.script[min(self.looks, len(self.script)) - 1]
        data = now[start : start + most_b]
        end = start + len(data) == len(self.script[-1])
        return LogSlice(source=source, start=start, to=start + len(data), data=data, end=end)

    def outputs(self, handle: Handle) -> Sequence[str]:
        return ()

    def output_root(self, handle: Handle) -> str:
        return ""


@dataclass
class Chunks:
    """`AttemptFiles` that keeps what arrives, and says so."""

    wanted: int
    data: list[bytes] = field(default_factory=list)
    enough: threading.Event = field(default_factory=threading.Event)

    def append_log(self, item: str, attempt: int, source: str, start: int, data: bytes) -> int:
        assert start == sum(map(len, self.data))
        self.data.append(data)
        if len(self.data) >= self.wanted:
            self.enough.set()
        return start + len(data)

    def put_output(self, item: str, attempt: int, path: str, file: BinaryIO) -> None:
        raise AssertionError(path)

    def open_archive(self, sha256: str) -> BinaryIO:
        raise AssertionError(sha256)


def shipped(script: Sequence[bytes], wanted: int) -> list[bytes]:
    """Ship a log that grows by *script*; return the first *wanted* chunks."""
    files = Chunks(wanted)
    runner: Any = GrowingLog(script)
    shipper = LogShipper(runner, files, SystemClock(), PrometheusMetrics(), lambda *_: None)
    shipper.start()
    shipper.follow(REF, HANDLE, {})
    assert files.enough.wait(LIMIT_S)
    shipper.drop(REF)
    return files.data


def test_a_line_is_shipped_when_it_is_whole() -> None:
    """A secret that is written in two pieces arrives in one, where it can be hidden."""
    looks = [b"begun\nse", b"begun\nsecr", b"begun\nsecret\n"]
    assert shipped(looks, 2) == [b"begun\n", b"secret\n"]


def test_a_prompt_is_shipped_when_it_has_stopped_to_grow() -> None:
    """Somebody may look at it and wait."""
    looks = [b"epoch 1\rep", b"epoch 1\repoch 2: go on? ", b"epoch 1\repoch 2: go on? "]
    assert shipped(looks, 2) == [b"epoch 1\r", b"epoch 2: go on? "]


def test_the_end_ships_what_is_there() -> None:
    """A last line needs no end; and all is told of once."""
    files, over = Chunks(1), threading.Event()
    runner: Any = GrowingLog([b"one\ntwo"])
    shipper = LogShipper(runner, files, SystemClock(), PrometheusMetrics(), lambda *_: over.set())
    shipper.start()
    shipper.end(REF, HANDLE, {})
    assert over.wait(LIMIT_S)
    assert files.data == [b"one\ntwo"]


@dataclass
class TellingLogs:
    """A runner of many jobs that says when their logs go on; it counts how often it is asked."""

    logs: dict[Handle, bytes] = field(default_factory=dict)
    over: set[Handle] = field(default_factory=set)
    asked: dict[Handle, int] = field(default_factory=dict)
    changed: Any = None

    def tell_logs(self, changed: Any) -> None:
        self.changed = changed

    def log_sources(self, handle: Handle) -> Sequence[str]:
        self.asked[handle] = self.asked.get(handle, 0) + 1
        return ("out",)

    def read_log(self, handle: Handle, source: str, start: int, most_b: int) -> LogSlice:
        data = self.logs.get(handle, b"")[start : start + most_b]
        end = handle in self.over and not data
        return LogSlice(source=source, start=start, to=start + len(data), data=data, end=end)

    def outputs(self, handle: Handle) -> Sequence[str]:
        return ()

    def output_root(self, handle: Handle) -> str:
        return ""


def test_who_tells_is_not_asked() -> None:
    """A thousand silent logs are looked at once each; the one that went on is, when it is told."""
    runner, files = TellingLogs(), Chunks(1)
    whole: Any = runner
    shipper = LogShipper(whole, files, SystemClock(), PrometheusMetrics(), lambda *_: None)
    shipper.start()
    handles = [Handle(scope="k8s:c/n", name=f"ly-{n}-a1", uid=str(n)) for n in range(1000)]
    for n, handle in enumerate(handles):
        shipper.follow(Ref(f"item-{n}", 1), handle, {})
    until(lambda: len(runner.asked) == len(handles), "a look at each")
    runner.logs[handles[500]] = b"a line\n"
    runner.changed(handles[500])
    assert files.enough.wait(LIMIT_S)
    assert files.data == [b"a line\n"]
    del runner.asked[handles[500]]
    assert set(runner.asked.values()) == {1}


def test_the_end_of_a_log_is_waited_for() -> None:
    """The job is over, its last lines are not here yet: it is done when its runner has them."""
    runner, files, over = TellingLogs(), Chunks(1), threading.Event()
    whole: Any = runner
    shipper = LogShipper(whole, files, SystemClock(), PrometheusMetrics(), lambda *_: over.set())
    shipper.start()
    shipper.end(REF, HANDLE, {})
    until(lambda: bool(runner.asked), "a look")
    assert not shipper.is_quiet(REF, HANDLE)
    runner.logs[HANDLE] = b"the last"
    runner.changed(HANDLE)
    assert files.enough.wait(LIMIT_S)
    assert not over.is_set()
    runner.over.add(HANDLE)
    runner.changed(HANDLE)
    assert over.wait(LIMIT_S)
    assert files.data == [b"the last"]


def test_a_line_longer_than_a_chunk_is_cut() -> None:
    """It must not wait for an end that may never come."""
    assert whole_lines(b"xxxx", 4) == b"xxxx"
    assert whole_lines(b"x\nxx", 4) == b"x\n"
    assert whole_lines(b"xx", 4) == b""
