"""Ships logs and outputs of attempts to the server, from the worker process that can read them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from launchyard.actors.crashpoints import reach
from launchyard.actors.messages import Ref
from launchyard.ports import events, families
from launchyard.ports.clock import Clock
from launchyard.ports.launch_server import AttemptFiles, LogCursorError, ServerError
from launchyard.ports.metrics import Metrics
from launchyard.ports.runner import Handle, Runner, RunnerError

_log = logging.getLogger(__name__)
_CHUNK_B: Final = 256 * 1024
_SOONEST_S: Final = 0.25
_LATEST_S: Final = 2.0
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 15.0


@dataclass(slots=True)
class _Shipment:
    """One attempt's logs: how far they are shipped, and when to look again."""

    ref: Ref
    handle: Handle
    cursors: dict[str, int]
    full: set[str] = field(default_factory=set)
    seen: dict[str, int] = field(default_factory=dict)
    due: float = 0.0
    wait_s: float = _SOONEST_S
    ended: bool = False
    busy: bool = False
    tries: int = 0
    told: bool = False


class LogShipper:
    """Follows many logs in one thread; a log that is silent is looked at less and less often.

    *done* hears, once per `end`, that all there was is with the server, with what is missing in
    words. A server that is away is waited for.
    """

    def __init__(
        self,
        runner: Runner,
        files: AttemptFiles,
        clock: Clock,
        metrics: Metrics,
        done: Callable[[Ref, str], None],
    ) -> None:
        self._runner, self._files, self._clock, self._metrics = runner, files, clock, metrics
        self._done = done
        self._shipments: dict[Ref, _Shipment] = {}
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="log-shipper", daemon=True)

    def start(self) -> None:
        """Begin to ship."""
        self._thread.start()

    @property
    def lives(self) -> bool:
        """Tell whether its thread runs."""
        return self._thread.is_alive()

    def __len__(self) -> int:
        """Return how many logs are followed."""
        return len(self._shipments)

    def follow(self, ref: Ref, handle: Handle, cursors: Mapping[str, int]) -> None:
        """Ship what *handle* writes from *cursors* on; following again changes nothing."""
        with self._changed:
            if ref not in self._shipments:
                due = self._clock.boottime() + _SOONEST_S
                self._shipments[ref] = _Shipment(ref, handle, dict(cursors), due=due)
                self._changed.notify()

    def end(self, ref: Ref, handle: Handle, cursors: Mapping[str, int]) -> None:
        """Ship the rest, then the outputs: nothing more will be written."""
        with self._changed:
            shipment = self._shipments.setdefault(ref, _Shipment(ref, handle, dict(cursors)))
            shipment.ended, shipment.due = True, 0.0
            self._changed.notify()

    def drop(self, ref: Ref) -> None:
        """Ship nothing more of *ref*."""
        with self._changed:
            self._shipments.pop(ref, None)

    def is_quiet(self, ref: Ref, handle: Handle) -> bool:
        """Tell whether an ended thing left nothing at all to ship; if so it is dropped."""
        with self._changed:
            shipment = self._shipments.get(ref)
            if shipment is not None and (shipment.busy or any(shipment.cursors.values())):
                return False
            try:
                sources = self._runner.log_sources(handle)
                if any(self._runner.read_log(handle, s, 0, 1).data for s in sources):
                    return False
                if self._runner.outputs(handle):
                    return False
            except RunnerError:
                return False
            self._shipments.pop(ref, None)
            return True

    def flush(self) -> Mapping[Ref, Mapping[str, int]]:
        """Ship what there is now, in the calling thread; return how far everything is."""
        with self._changed:
            here = [s for s in self._shipments.values() if not s.busy]
            for shipment in here:
                shipment.busy = True
        for shipment in here:
            try:
                self._ship_sources(shipment, to_the_end=True)
            except (ServerError, RunnerError) as e:
                events.LOG_CUT.log(_log, item=shipment.ref.item, error=e)
            finally:
                with self._changed:
                    shipment.busy = False
                    self._changed.notify()
        with self._changed:
            return {s.ref: dict(s.cursors) for s in self._shipments.values()}

    def _run(self) -> None:
        while True:
            shipment = self._next()
            try:
                self._ship(shipment)
            except ServerError as e:
                self._wait(shipment, e)
            except RunnerError as e:
                self._finish(shipment, f"the log cannot be read: {e}")
            except OSError as e:
                self._finish(shipment, f"an output cannot be read: {e}")
            finally:
                with self._changed:
                    shipment.busy = False

    def _next(self) -> _Shipment:
        """Wait until a shipment is due."""
        with self._changed:
            while True:
                idle = (s for s in self._shipments.values() if not s.busy and not s.told)
                first = min(idle, key=lambda s: s.due, default=None)
                if first is None:
                    self._changed.wait()
                    continue
                wait_s = first.due - self._clock.boottime()
                if wait_s <= 0:
                    first.busy = True
                    return first
                self._changed.wait(wait_s)

    def _ship(self, shipment: _Shipment) -> None:
        ended = shipment.ended
        seen = dict(shipment.seen)
        sent_b = self._ship_sources(shipment, to_the_end=ended)
        shipment.tries = 0
        if ended:
            self._ship_outputs(shipment)
            self._finish(shipment, "")
            return
        alive = sent_b or shipment.seen != seen
        shipment.wait_s = _SOONEST_S if alive else min(shipment.wait_s * 2, _LATEST_S)
        with self._changed:
            if not shipment.ended:
                shipment.due = self._clock.boottime() + shipment.wait_s

    def _ship_sources(self, shipment: _Shipment, *, to_the_end: bool) -> int:
        sent_b = 0
        for source in self._runner.log_sources(shipment.handle):
            before = shipment.seen.get(source)
            while source not in shipment.full:
                start = shipment.cursors.get(source, 0)
                data = self._runner.read_log(shipment.handle, source, start, _CHUNK_B).data
                end = shipment.seen[source] = start + len(data)
                all_of_it = to_the_end or end == before  # a prompt, say: it has not grown
                ready = data if all_of_it else whole_lines(data, _CHUNK_B)
                if not ready:
                    break
                sent_b += self._append(shipment, source, start, ready)
        return sent_b

    def _append(self, shipment: _Shipment, source: str, start: int, data: bytes) -> int:
        ref = shipment.ref
        reach("logs.before_send")
        try:
            cursor = self._files.append_log(ref.item, ref.attempt, source, start, data)
        except LogCursorError as e:
            if e.full:
                shipment.full.add(source)
            shipment.cursors[source] = e.cursor
            return 0
        reach("logs.after_send")
        shipment.cursors[source] = cursor
        self._metrics.count(families.LOG_BYTES_SHIPPED, by=len(data))
        return len(data)

    def _ship_outputs(self, shipment: _Shipment) -> None:
        root = self._runner.output_root(shipment.handle)
        for path in self._runner.outputs(shipment.handle):
            with Path(root, path).open("rb") as file:
                reach("outputs.before_send")
                self._files.put_output(shipment.ref.item, shipment.ref.attempt, path, file)
                reach("outputs.after_send")

    def _wait(self, shipment: _Shipment, error: ServerError) -> None:
        """Try again later, unless the server will never take it."""
        self._metrics.count(families.LOG_SHIP_ERRORS)
        if not error.retry:
            self._finish(shipment, f"the server refused it: {error}")
            return
        shipment.tries += 1
        wait_s = min(_FIRST_WAIT_S * 2**shipment.tries, _LONGEST_WAIT_S)
        with self._changed:
            shipment.due = self._clock.boottime() + wait_s

    def _finish(self, shipment: _Shipment, detail: str) -> None:
        with self._changed:
            if not shipment.ended:
                # Its end will bring it back, and may find the trouble gone.
                shipment.due = float("inf")
                return
            shipment.told = True
            self._shipments.pop(shipment.ref, None)
        self._done(shipment.ref, detail)


def whole_lines(data: bytes, most_b: int) -> bytes:
    """Return what of *data* ends with a line, or all if one line fills the *most_b* bytes of it.

    The server hides a job's secrets chunk by chunk: a line that is cut in two would show them.
    """
    end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
    return data if not end and len(data) >= most_b else data[:end]
