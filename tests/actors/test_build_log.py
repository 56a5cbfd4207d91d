"""How a build's output gets to a server that is slow, silent, away or unwilling."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO

import pytest

from launchyard.actors.build_host import BuildHost, BuildHostParts
from launchyard.actors.build_log import BuildLog, BuildLogRules
from launchyard.actors.messages import BuildFailed, CancelBuild, Ref
from launchyard.adapters.prometheus.metrics import PrometheusMetrics
from launchyard.adapters.system.clock import SystemClock
from launchyard.domain.reason import Reason
from launchyard.ports.builder import BuildError, BuildRequest, Built
from launchyard.ports.launch_server import LogCursorError, ServerError
from tests.actors.test_build_host import Ears, wish

LIMIT_S = 120.0


@dataclass
class Shelf:
    """`AttemptFiles` with one log; `fail` holds what the next calls come to, None is a lost answer.

    While `shut` is set a call does not come back.
    """

    stored: bytearray = field(default_factory=bytearray)
    fail: list[ServerError | None] = field(default_factory=list)
    shut: bool = False
    open: threading.Event = field(default_factory=threading.Event)
    came: SimpleQueue[bytes] = field(default_factory=SimpleQueue)

    def append_log(self, item: str, attempt: int, source: str, start: int, data: bytes) -> int:
        assert (item, attempt, source) == ("a", 1, "build")
        self.came.put(data)
        if self.shut:
            self.open.wait(LIMIT_S)
        error = self.fail.pop(0) if self.fail else ()
        if isinstance(error, ServerError):
            raise error
        if start != len(self.stored):
            raise LogCursorError(len(self.stored))
        self.stored += data
        if error is None:
            raise ServerError("the answer was lost", retry=True)
        return len(self.stored)

    def put_output(self, item: str, attempt: int, path: str, file: BinaryIO) -> None:
        raise AssertionError(path)

    def open_archive(self, sha256: str) -> BinaryIO:
        raise AssertionError(sha256)


def build_log(shelf: Shelf, **rules: Any) -> BuildLog:
    """Return a log that is sent to *shelf*."""
    how = BuildLogRules(**{"every_s": 0.01, **rules})
    return BuildLog(shelf, PrometheusMetrics(), Ref("a", 1), how)


def away() -> ServerError:
    """Return what a call to a server comes to that is away."""
    return ServerError("away", retry=True)


def test_all_arrives_once_and_in_order_whatever_calls_come_to() -> None:
    """Failures are repeated, and of a lost answer nothing is doubled."""
    shelf = Shelf(fail=[away(), None, None, away(), away()])
    log = build_log(shelf)
    for number in range(100):
        log.write(f"line {number}\n".encode())
    log.write(b"and an end")
    assert log.close() == ""
    assert bytes(shelf.stored).split(b"\n") == [
        *(f"line {number}".encode() for number in range(100)),
        b"and an end",
    ]


def test_lines_are_sent_whole_until_the_end() -> None:
    """The server hides secrets piece by piece: half of one would be shown."""
    shelf = Shelf()
    log = build_log(shelf)
    log.write(b"one\nhal")
    assert shelf.came.get(timeout=LIMIT_S) == b"one\n"
    log.write(b"f\n")
    assert shelf.came.get(timeout=LIMIT_S) == b"half\n"
    assert log.close() == ""


def test_another_try_goes_on_where_the_one_before_ended() -> None:
    """The server tells where that is."""
    shelf = Shelf(stored=bytearray(b"the first try\n"))
    log = build_log(shelf)
    log.write(b"the second\n")
    assert log.close() == ""
    assert shelf.stored == b"the first try\nthe second\n"


def test_a_server_that_does_not_answer_holds_up_no_write() -> None:
    """And the end waits for it for a bounded time only, then says what is missing."""
    shelf = Shelf(shut=True)
    log = build_log(shelf, close_s=0.05)
    log.write(b"x" * 10 + b"\n")
    shelf.came.get(timeout=LIMIT_S)
    for _ in range(100):
        log.write(b"y\n")  # comes back while the server does not
    assert "the last 211 bytes" in log.close()
    shelf.open.set()


def test_a_refusal_is_told_at_the_end() -> None:
    """It is not repeated; what comes later is missing, too."""
    shelf = Shelf(fail=[ServerError("no such attempt", retry=False)])
    log = build_log(shelf)
    log.write(b"x\n")
    shelf.came.get(timeout=LIMIT_S)
    missing = log.close()
    assert "the last 2 bytes" in missing
    assert missing.endswith("no such attempt")
    assert shelf.came.empty()


def test_a_full_log_is_no_fault() -> None:
    """The server marks where its quota cut it."""

    class Full(Shelf):
        def append_log(self, *_: Any) -> int:
            raise LogCursorError(7, full=True)

    log = build_log(Full())
    log.write(b"x\n")
    assert log.close() == ""


def test_what_does_not_fit_is_marked_in_its_place() -> None:
    """A build goes on for long while the server is away."""
    shelf = Shelf(shut=True)
    log = build_log(shelf, most_waiting_b=100)
    log.write(b"before\n")
    shelf.came.get(timeout=LIMIT_S)
    log.write(b"z" * 101)
    shelf.shut = False
    shelf.open.set()
    assert log.close() == ""
    first, empty, mark, end = bytes(shelf.stored).split(b"\n")
    assert (first, empty, end) == (b"before", b"", b"")
    assert mark == b"[101 bytes are missing here: the server was away]"


class Talker:
    """A builder that talks, until it is to stop; then it fails."""

    def build(
        self, request: BuildRequest, log: Callable[[bytes], None], cancelled: Callable[[], bool]
    ) -> Built:
        stop = threading.Event()
        while not cancelled():
            log(b"still here\n")
            stop.wait(0.01)
        raise BuildError("stopped", reason=Reason.CANCELLED)


@pytest.mark.parametrize("shut", [True, False])
def test_a_build_is_stopped_while_the_server_is_silent(tmp_path: Path, shut: bool) -> None:
    """And its end says that its log is not complete."""
    ears, shelf = Ears(), Shelf(shut=shut)
    parts = BuildHostParts(
        builders={"talker": Talker()},
        fetchers={},
        files=shelf,
        clock=SystemClock(),
        metrics=PrometheusMetrics(),
        log=BuildLogRules(every_s=0.01, close_s=0.05 if shut else LIMIT_S),
    )
    host = BuildHost(parts, ears).start()
    host.handle([wish("a", "talker", tmp_path / "a")])
    shelf.came.get(timeout=LIMIT_S)
    host.handle([CancelBuild(Ref("a", 1))])
    end = ears.said.get(timeout=LIMIT_S)
    assert isinstance(end, BuildFailed)
    assert end.reason is Reason.CANCELLED
    assert ("bytes of the build's log" in end.detail) is shut
    assert bytes(shelf.stored).endswith(b"stopped\n") is not shut
    shelf.open.set()
    host.crew.stop(LIMIT_S)
