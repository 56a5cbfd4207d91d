"""What jobs cost a cluster: requests, by verb and kind; and that no end of a log is lost for it."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, BinaryIO

import pytest

from launchyard.actors.messages import Ref
from launchyard.actors.shipper import LogShipper
from launchyard.adapters.kubernetes.runner import KubernetesRunner
from launchyard.adapters.kubernetes.tail import Container, Tail
from launchyard.adapters.prometheus.metrics import PrometheusMetrics
from launchyard.adapters.system.clock import SystemClock
from launchyard.domain.attempt import ENDS, AttemptState
from launchyard.ports.runner import Handle
from tests.adapters.kubernetes.jobs import LIMIT_S, end_of, launch
from tests.rig.kubernetes.standin import Kubernetes

LARGE_B = 100_000


class Logs:
    """Keeps what is shipped, as a server does."""

    def __init__(self) -> None:
        self.texts: dict[str, bytes] = defaultdict(bytes)
        self.over: set[str] = set()
        self.changed = threading.Condition()

    def append_log(self, item: str, _attempt: int, _source: str, start: int, data: bytes) -> int:
        """Take a chunk."""
        assert start == len(self.texts[item])
        self.texts[item] += data
        return start + len(data)

    def put_output(self, item: str, attempt: int, path: str, file: BinaryIO) -> None:
        """Refuse an output: there are none."""
        raise AssertionError

    def open_archive(self, sha256: str) -> BinaryIO:
        """Refuse an archive: there are none."""
        raise AssertionError

    def end(self, ref: Ref, missing: str) -> None:
        """Note the end of a log."""
        with self.changed:
            assert not missing
            self.over.add(ref.item)
            self.changed.notify_all()


def run_all(runner: KubernetesRunner, scripts: dict[str, str]) -> dict[str, bytes]:
    """Bring jobs with secrets to their ends as a run host does; return their logs."""
    logs, watch = Logs(), runner.watch()
    shipper = LogShipper(runner, logs, SystemClock(), PrometheusMetrics(), logs.end)
    shipper.start()
    left: dict[Handle, str] = {}
    for name, script in scripts.items():
        handle = runner.submit(launch(script, secrets={"WORD": "x"}))
        left[handle] = name
        watch.add(handle)
        shipper.follow(Ref(name, 1), handle, {})
    handles, until = tuple(left), time.monotonic() + LIMIT_S
    while left and time.monotonic() < until:
        for seen in watch.wait(until - time.monotonic()):
            if seen.observation.state in ENDS:
                shipper.end(Ref(left.pop(seen.handle), 1), seen.handle, {})
    watch.close()
    with logs.changed:
        assert logs.changed.wait_for(lambda: logs.over == scripts.keys(), LIMIT_S)
    for handle in handles:
        runner.remove(handle)
    return {name: logs.texts[name] for name in scripts}


def test_no_ordinary_job_costs_more_than_four(
    runner: KubernetesRunner, cluster: Kubernetes
) -> None:
    """The job, its secret, its log, its removal; whether it is short or fails or speaks or not."""
    warm = runner.submit(launch("exit 0"))
    assert end_of(runner, warm).state is AttemptState.SUCCEEDED
    asked = cluster.standin.asked
    before = Counter(asked)
    scripts = {
        "short": "exit 0",
        "short that speaks": "echo one; echo two",
        "short that fails": "echo bad; exit 3",
        "of seconds": "sleep 3",
        "of seconds that speaks": "echo one; sleep 3; echo two",
        "of seconds that fails": "echo one; sleep 2; echo bad; exit 3",
        "of seconds that begins late": "sleep 2; echo one",
    }
    texts = run_all(runner, scripts)
    assert texts == {
        "short": b"",
        "short that speaks": b"one\ntwo\n",
        "short that fails": b"bad\n",
        "of seconds": b"",
        "of seconds that speaks": b"one\ntwo\n",
        "of seconds that fails": b"one\nbad\n",
        "of seconds that begins late": b"one\n",
    }
    spent = asked - before
    # Watches and what comes with them begin once, that of events with the first job that waits.
    made = {key: n for key, n in spent.items() if key[0] != "watch" and key[1] != "events"}
    each = len(scripts)
    assert made == {
        ("create", "jobs"): each,
        ("create", "secrets"): each,
        ("get", "pods/log"): each,
        ("delete", "jobs"): each,
    }


def test_a_large_log_is_read_once_more(runner: KubernetesRunner, cluster: Kubernetes) -> None:
    """A node may have begun another file under who follows it: the end is looked up."""
    line = "x" * 99
    script = f"yes {line} | head -n 1000; sleep 2; echo end"
    texts = run_all(runner, {"large": script})
    assert len(texts["large"]) == LARGE_B + len(b"end\n")
    assert texts["large"].endswith(b"end\n")
    assert cluster.standin.asked["get", "pods/log"] == 2


class Api:
    """A cluster whose log streams end when they have given *text*."""

    def __init__(self, text: bytes, *, framed: bool = True) -> None:
        self.text, self.framed = text, framed

    def stream(self, _path: str, _query: dict[str, str]) -> Api:
        """Begin to give it."""
        return self

    def chunks(self) -> Iterator[bytes]:
        """Give it."""
        yield self.text

    def release(self) -> None:
        """Take a connection back that there is not."""


def followed(api: Any) -> Tail:
    """Return a log whose stream has just ended."""
    tail = Tail(api, Container("jobs", "pod", "uid", "main"), 0, lambda: None)
    tail.read(follow=True)
    assert tail.wants
    return tail


def test_a_stream_that_ends_with_its_container_was_whole() -> None:
    """Both ends are heard of at one time: that is where the log ends."""
    tail = followed(Api(b"2026-11-21T20:00:00.5Z one\n"))
    tail.note_over(time.time_ns() // 1_000_000 - 500)
    assert not tail.wants
    assert tail.take(0, 100) == b"one\n"


@pytest.mark.parametrize(
    "case", ["its container went on", "it was not framed", "it was large", "of an end long before"]
)
def test_other_streams_are_not_taken_for_whole(case: str) -> None:
    """A node that was started anew, or a proxy, ends streams just as nicely: they are read on."""
    line = b"2026-11-21T20:00:00.5Z %s\n" % (b"x" * 99)
    text = line * (LARGE_B // 100 if case == "it was large" else 1)
    tail = followed(Api(text, framed=case != "it was not framed"))
    now_ms = time.time_ns() // 1_000_000
    if case == "of an end long before":
        tail.read(follow=False)  # since then it was looked at in passing
    tail.note_over(now_ms + 5_000 if case == "its container went on" else now_ms - 500)
    assert tail.wants
