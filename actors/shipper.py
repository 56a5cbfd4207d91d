"""Ships logs and outputs of attempts to the server, from the worker process that can read them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from launchyard.actors.crashpoints import reach
from launchyard.actors.messages import Ref
from launchyard.actors.shipments import Found, Rota, Shipment, is_empty
from launchyard.ports import events, families
from launchyard.ports.clock import Clock
from launchyard.ports.launch_server import AttemptFiles, LogCursorError, ServerError
from launchyard.ports.metrics import Metrics
from launchyard.ports.runner import Handle, LogTeller, Runner, RunnerError

_log = logging.getLogger(__name__)
_CHUNK_B: Final = 256 * 1024
_SOONEST_S: Final = 0.25
_LATEST_S: Final = 2.0
_LOOKS_PER_S: Final = 100
_TOLD_S: Final = 900.0
_REST_S: Final = 180.0
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 15.0


class LogShipper:
    """Follows many logs in one thread; a log that is silent is looked at less and less often.

    A runner that tells of its logs is asked when it has told; the silent ones of others are looked
    at so often that all of them together cost little. *done* hears, once per `end`, that all there
    was is with the server, with what is missing in words. A server that is away is waited for.
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
        self._rota = Rota()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="log-shipper", daemon=True)
        self._told = isinstance(runner, LogTeller)
        if isinstance(runner, LogTeller):
            runner.tell_logs(self._rouse)

    def start(self) -> None:
        """Begin to ship."""
        self._thread.start()

    @property
    def lives(self) -> bool:
        """Tell whether its thread runs."""
        return self._thread.is_alive()

    def __len__(self) -> int:
        """Return how many logs are followed."""
        return len(self._rota)

    def follow(self, ref: Ref, handle: Handle, cursors: Mapping[str, int]) -> None:
        """Ship what *handle* writes from *cursors* on; following again changes nothing."""
        with self._changed:
            if self._rota.get(ref) is None:
                shipment = self._rota.add(Shipment(ref, handle, dict(cursors)))
                self._plan(shipment, self._clock.boottime() + _SOONEST_S)

    def end(self, ref: Ref, handle: Handle, cursors: Mapping[str, int]) -> None:
        """Ship the rest, then the outputs: nothing more will be written."""
        with self._changed:
            known = self._rota.get(ref)
            shipment = known or self._rota.add(Shipment(ref, handle, dict(cursors)))
            shipment.ended = True
            self._plan(shipment, 0.0)

    def drop(self, ref: Ref) -> None:
        """Ship nothing more of *ref*."""
        with self._changed:
            self._rota.drop(ref)

    def is_quiet(self, ref: Ref, handle: Handle) -> bool:
        """Tell whether an ended thing left nothing at all to ship; if so it is dropped."""
        with self._changed:
            shipment = self._rota.get(ref)
            if shipment is not None:
                if shipment.busy or any(shipment.cursors.values()):
                    return False
                shipment.busy = True
        quiet = False
        try:
            # Not while others wait for the lock: the runner may wait for who tells it of logs.
            quiet = is_empty(self._runner, handle)
        finally:
            with self._changed:
                if shipment is not None:
                    self._free(shipment, float("inf"))
                if quiet:
                    self._rota.drop(ref)
        return quiet

    def flush(self) -> Mapping[Ref, Mapping[str, int]]:
        """Ship what there is now, in the calling thread; return how far everything is."""
        with self._changed:
            here = [s for s in self._rota.all() if not s.busy]
            for shipment in here:
                shipment.busy = True
        for shipment in here:
            try:
                self._ship_sources(shipment, to_the_end=True)
            except (ServerError, RunnerError) as e:
                events.LOG_CUT.log(_log, item=shipment.ref.item, error=e)
            finally:
                with self._changed:
                    self._free(shipment, float("inf"))
        with self._changed:
            return {s.ref: dict(s.cursors) for s in self._rota.all()}

    def _rouse(self, handle: Handle) -> None:
        """Look at a log of which its runner says that it went on; from any thread."""
        with self._changed:
            shipment = self._rota.of(handle)
            if shipment is None or shipment.roused:
                return
            shipment.roused = True
            if not shipment.busy and not shipment.tries:
                due = max(shipment.looked + _SOONEST_S, self._clock.boottime())
                self._plan(shipment, min(due, shipment.due))

    def _plan(self, shipment: Shipment, due: float) -> None:
        first = self._rota.first()
        waits = first.due if first is not None else float("inf")  # it may be this very one
        self._rota.plan(shipment, due)
        if due < waits:
            self._changed.notify()

    def _free(self, shipment: Shipment, due: float) -> None:
        """Let go of a shipment that was looked at, to be looked at again when *due* comes."""
        shipment.busy = False
        if self._rota.get(shipment.ref) is not shipment:
            return
        if shipment.roused:
            due = min(due, shipment.looked + _SOONEST_S)
        due = min(due, shipment.due)  # of its end, which may have come meanwhile
        shipment.due = float("inf")
        self._plan(shipment, due)

    def _run(self) -> None:
        while True:
            shipment = self._next()
            due = float("inf")
            try:
                due = self._ship(shipment)
            except ServerError as e:
                due = self._wait(shipment, e)
            except RunnerError as e:
                due = self._later(shipment, e)
            except OSError as e:
                self._finish(shipment, f"an output cannot be read: {e}")
            finally:
                with self._changed:
                    self._free(shipment, due)

    def _next(self) -> Shipment:
        """Wait until a shipment is due."""
        with self._changed:
            while True:
                first = self._rota.first()
                if first is None:
                    self._changed.wait()
                    continue
                now = self._clock.boottime()
                if first.due <= now:
                    first.busy, first.roused, first.looked = True, False, now
                    first.due = float("inf")
                    return first
                self._changed.wait(first.due - now)

    def _ship(self, shipment: Shipment) -> float:
        """Ship what there is; return when to look again."""
        ended = shipment.ended
        seen = dict(shipment.seen)
        found = self._ship_sources(shipment, to_the_end=ended)
        shipment.tries = 0
        now = self._clock.boottime()
        grown = any(at != seen.get(source, at) for source, at in shipment.seen.items())
        alive = found.sent_b > 0 or grown
        if not ended:
            return now + self._pause_s(shipment, alive=alive, held=found.held)
        if found.over:
            self._ship_outputs(shipment)
            self._finish(shipment, "")
            return now
        if alive:
            shipment.ending_s = now
        if self._is_hopeless(shipment):
            self._finish(shipment, "the end of the log could not be read")
        return now + self._pause_s(shipment, alive=alive, held=True)

    def _is_hopeless(self, shipment: Shipment) -> bool:
        """Tell whether the rest of an ended thing's log was waited for in vain for long."""
        now = self._clock.boottime()
        if shipment.ending_s is None:
            shipment.ending_s = now
        return now - shipment.ending_s > _REST_S

    def _later(self, shipment: Shipment, error: RunnerError) -> float:
        """Return when to ask the target again, if that may help."""
        if not error.retry or (shipment.ended and self._is_hopeless(shipment)):
            self._finish(shipment, f"the log cannot be read: {error}")
            return float("inf")
        shipment.wait_s = min(shipment.wait_s * 2, _LONGEST_WAIT_S)
        return self._clock.boottime() + shipment.wait_s

    def _pause_s(self, shipment: Shipment, *, alive: bool, held: bool) -> float:
        """Return how long not to look; *held* tells that something waits to be shipped."""
        latest_s = max(_LATEST_S, len(self._rota) / _LOOKS_PER_S)
        if self._told and not held and not alive:
            return _TOLD_S
        shipment.wait_s = _SOONEST_S if alive else min(shipment.wait_s * 2, latest_s)
        return shipment.wait_s

    def _ship_sources(self, shipment: Shipment, *, to_the_end: bool) -> Found:
        found = Found()
        for source in self._runner.log_sources(shipment.handle):
            before = shipment.seen.get(source)
            while source not in shipment.full:
                start = shipment.cursors.get(source, 0)
                piece = self._runner.read_log(shipment.handle, source, start, _CHUNK_B)
                data = piece.data
                end = shipment.seen[source] = start + len(data)
                all_of_it = to_the_end or end == before  # a prompt, say: it has not grown
                ready = data if all_of_it else whole_lines(data, _CHUNK_B)
                if not ready:
                    found.held, found.over = found.held or bool(data), found.over and piece.end
                    break
                found.sent_b += self._append(shipment, source, start, ready)
        return found

    def _append(self, shipment: Shipment, source: str, start: int, data: bytes) -> int:
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

    def _ship_outputs(self, shipment: Shipment) -> None:
        root = self._runner.output_root(shipment.handle)
        for path in self._runner.outputs(shipment.handle):
            with Path(root, path).open("rb") as file:
                reach("outputs.before_send")
                self._files.put_output(shipment.ref.item, shipment.ref.attempt, path, file)
                reach("outputs.after_send")

    def _wait(self, shipment: Shipment, error: ServerError) -> float:
        """Return when to try again, unless the server will never take it."""
        self._metrics.count(families.LOG_SHIP_ERRORS)
        if not error.retry:
            self._finish(shipment, f"the server refused it: {error}")
            return float("inf")
        shipment.tries += 1
        shipment.roused = False
        wait_s = min(_FIRST_WAIT_S * 2.0**shipment.tries, _LONGEST_WAIT_S)
        return self._clock.boottime() + wait_s

    def _finish(self, shipment: Shipment, detail: str) -> None:
        with self._changed:
            if not shipment.ended:
                # Its end will bring it back, and may find the trouble gone.
                shipment.roused = False
                return
            self._rota.drop(shipment.ref)
        self._done(shipment.ref, detail)


def whole_lines(data: bytes, most_b: int) -> bytes:
    """Return what of *data* ends with a line, or all if one line fills the *most_b* bytes of it.

    The server hides a job's secrets chunk by chunk: a line that is cut in two would show them.
    """
    end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
    return data if not end and len(data) >= most_b else data[:end]
