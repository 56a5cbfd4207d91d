"""What was read of one container's log and not yet taken."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from launchyard.adapters.kubernetes.client import Cluster
from launchyard.adapters.kubernetes.errors import KubernetesError
from launchyard.adapters.kubernetes.marks import Mark, Reader
from launchyard.adapters.kubernetes.paths import POD_KIND
from launchyard.adapters.kubernetes.stream import Stream

_AHEAD_B: Final = 256 << 10
_BREATH_S: Final = 0.5
_NOT_BEGUN: Final = 400

NEAR_S: Final = 2.0
"""A node that begins anew takes longer than this until it tells of an end that it missed."""

_BEHIND_S: Final = 10.0
_SMALL_B: Final = 64 << 10
_BRIEF_S: Final = 60.0
_PUT_AWAY: Final = (
    b"[launchyard: the node has put an older part of this log away; "
    b"lines may be missing here, or come again]\n"
)
_NO_LOG: Final = b"[launchyard: the node has no log of it: %s]\n"


@dataclass(frozen=True, slots=True)
class _Moment:
    """When we heard of something, by the monotonic clock, and when it was."""

    s: float
    wall_ms: int


@dataclass(frozen=True, slots=True)
class Container:
    """One container of one pod."""

    namespace: str
    pod: str
    uid: str
    name: str


class Tail:
    """Reads a container's log, over and over from where it was; thread-safe.

    *news* hears, in the reader's thread, when there is something to be taken again, and of the end:
    a stream's end is the log's when the container was over before the stream began. It is also
    when a followed stream and its container ended at one time, of a log that is short and small.
    """

    def __init__(
        self, cluster: Cluster, container: Container, start: int, news: Callable[[], None]
    ) -> None:
        self._cluster, self._container, self._news = cluster, container, news
        self._changed = threading.Condition()
        self._data, self._start = bytearray(), start
        self._mark, self._at = Mark(), 0
        self._stream: Stream | None = None
        self._claimed = self._framed = self.was_cut = False
        self._words = b""
        self._read_restarts = 0
        self.restarts = 0
        self.closed = False
        self.done = False
        self.last = False
        """Whether the container is over, so that what cannot be had now never will be."""
        self.heard_s, self.heard_b = 0.0, 0
        self.tries = 0
        self._over: _Moment | None = None
        self._paused: _Moment | None = None

    @property
    def wants(self) -> bool:
        """Tell whether more may be read."""
        return not (self.done or self.closed)

    @property
    def paused(self) -> bool:
        """Tell whether the node has ended the last stream by itself, perhaps for good."""
        return self._paused is not None

    def note_over(self, at_ms: int) -> None:
        """Note that the container ended in the regular way, and that its pod is over for good."""
        with self._changed:
            self._over = self._over or _Moment(time.monotonic(), at_ms)
            self.done = self.done or self._is_whole()

    def _is_whole(self) -> bool:
        """Tell whether a followed stream ended because the container had.

        A node that begins anew, or is cut off, ends streams in the same way, though hardly between
        the end of one of its containers and its telling of that.
        """
        over, paused = self._over, self._paused
        if over is None or paused is None or paused.wall_ms < over.wall_ms:
            return False
        return -NEAR_S <= paused.s - over.s <= _BEHIND_S

    @property
    def _wanted(self) -> int:
        return self._start + len(self._data)

    def claim(self) -> bool:
        """Take the right to read; false while another thread has it."""
        with self._changed:
            if self._claimed or not self.wants:
                return False
            self._claimed = True
            return True

    def release(self) -> None:
        """Give the right to read back."""
        with self._changed:
            self._claimed = False

    def take(self, start: int, most_b: int) -> bytes | None:
        """Return what is there from *start* on; None when that was let go already."""
        with self._changed:
            if not self._start <= start <= self._start + len(self._data):
                return None
            del self._data[: start - self._start]
            self._start = start
            self._changed.notify_all()
            return bytes(self._data[:most_b])

    def wait(self, timeout_s: float) -> None:
        """Wait until something is there, or nothing more will be."""
        with self._changed:
            self._changed.wait_for(lambda: self._data or not self.wants, timeout_s)

    def read(self, *, follow: bool) -> None:
        """Read what there is, and what comes if *follow*, until it is cut.

        Raises:
            KubernetesError: the log cannot be had now.
        """
        last, restarts = self.last, self.restarts
        self.was_cut, self.heard_s, self._paused = False, time.monotonic(), None
        if restarts > self._read_restarts and (self._mark.lines or not self._wanted):
            self._stretch({"previous": "true"})
        self._read_restarts = restarts
        begins_within = not self._mark.lines and self._wanted > 0
        there = begins_within and self._catch_up()
        if there is not None and not (begins_within and (last or not follow)):
            there = self._follow() if follow and not last else self._stretch({})
        if there is not None and not self.closed and (last or self._is_whole()):
            self._settle()

    def _follow(self) -> bool | None:
        """Read what comes, and note whether the end of that may be the log's.

        It is not taken for that where a node may have begun another file under its readers, which
        some then miss, or where a proxy may have let a connection go.
        """
        began_s = time.monotonic()
        there = self._stretch({"follow": "true"})
        now = time.monotonic()
        with self._changed:
            brief = now - began_s < _BRIEF_S and self._wanted <= _SMALL_B
            if there and brief and self._framed and not self._words:
                self._paused = _Moment(now, time.time_ns() // 1_000_000)
        return there

    def _catch_up(self) -> bool | None:
        """Read from the beginning up to where another process was, as far as the node has it."""
        there = self._stretch({})
        if there and self._at < self._wanted:
            with self._changed:
                self._data += _PUT_AWAY
                self._mark = Mark(self._wanted)
            there = self._stretch({})
        return there

    def _stretch(self, how: dict[str, str]) -> bool | None:
        """Read one stream; false where there is no log, None where it was cut short by us."""
        place = POD_KIND.path(self._container.namespace, self._container.pod)
        query = {"container": self._container.name, "timestamps": "true", **how}
        query |= {"sinceTime": self._mark.since} if self._mark.since else {}
        try:
            stream = self._stream = self._cluster.stream(f"{place}/log", query)
        except KubernetesError as e:
            # It has not begun yet, or never will; or it is gone, and its log with it.
            if e.absent:
                self._settle()
            if e.absent or e.status == _NOT_BEGUN:
                return False
            raise
        self._framed, self._words = stream.framed, b""
        try:
            self._pour(stream, Reader(self._mark))
        except KubernetesError:
            if not self.was_cut:
                raise
        finally:
            self._stream = None
            stream.release()
        return None if self.was_cut else True

    def cut(self) -> None:
        """Read nothing more for now."""
        self.was_cut, stream = True, self._stream
        if stream is not None:
            stream.cut()

    def close(self) -> None:
        """Read nothing more for ever."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()
        self.cut()

    def tell(self) -> None:
        """Say that there is news."""
        self._news()

    def _settle(self) -> None:
        with self._changed:
            if self._words and not self._wanted:
                self._data += _NO_LOG % self._words
            self.done = True
            self._changed.notify_all()
        self._news()

    def _pour(self, stream: Stream, reader: Reader) -> None:
        """Keep what comes."""
        for chunk in stream.chunks():
            self._keep(reader, reader.at, reader.feed(chunk))
            if not self._has_room():
                return
        self._keep(reader, reader.at, reader.finish())
        self._words = reader.words

    def _keep(self, reader: Reader, before: int, data: bytes) -> None:
        """Keep a piece that stands at *before* in the log."""
        self._at = reader.at
        with self._changed:
            piece = data[max(self._wanted - before, 0) :]
            fresh = bool(piece) and not self._data
            self._data += piece
            self._mark = reader.mark
            self._changed.notify_all()
        if piece:
            self.heard_b, self.heard_s = self.heard_b + len(piece), time.monotonic()
        if fresh:
            self._news()

    def _has_room(self) -> bool:
        """Wait until there is room for more; false when nobody wants it any more."""
        with self._changed:
            # The log waits on its node for who reads slowly; here it would cost memory.
            while len(self._data) > _AHEAD_B and not self.closed:
                self._changed.wait(_BREATH_S)
            return not self.closed
