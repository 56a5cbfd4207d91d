"""The worker process that runs attempts on one target: its actors, and who gets which message."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from launchyard.actors.alarms import Alarms
from launchyard.actors.child import Channel
from launchyard.actors.company import Company
from launchyard.actors.hands import Again, Canceller, Launcher, Sweeper
from launchyard.actors.ledger import Ledger
from launchyard.actors.mailbox import Mailbox
from launchyard.actors.messages import (
    Cancel,
    Drop,
    Find,
    Flush,
    Flushed,
    ListStrays,
    Numbers,
    Ping,
    Pong,
    Ref,
    Remove,
    SeenNow,
    Ship,
    Shipped,
    Submit,
    SubmitFailed,
    TellNumbers,
    ToHost,
    Watch,
)
from launchyard.actors.role import Crew
from launchyard.actors.shipper import LogShipper
from launchyard.domain.attempt import ENDS
from launchyard.domain.reason import Reason
from launchyard.ports import events, families
from launchyard.ports.agent_status import ActorView
from launchyard.ports.clock import Clock
from launchyard.ports.launch_server import AttemptFiles
from launchyard.ports.metrics import Metrics
from launchyard.ports.runner import Handle, Observation, Runner, Seen

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHostParts:
    """What a run host is made of; `launchers` is how many submits may be under way at a time."""

    runner: Runner
    files: AttemptFiles
    clock: Clock
    metrics: Metrics
    launchers: int = 2


class RunHost:
    """Launchers, Canceller, Sweeper, Watcher and LogShipper around one runner."""

    def __init__(self, parts: RunHostParts, channel: Channel) -> None:
        self._parts = parts
        self._alarms = Alarms(parts.clock.boottime)
        self._company = Company(channel.send, self._alarms.after)
        self.ledger = Ledger()
        self.watch = parts.runner.watch()
        self.shipper = LogShipper(
            parts.runner,
            parts.files,
            parts.clock,
            parts.metrics,
            lambda ref, detail: self.say(Shipped(ref, detail)),
        )
        self.crew = Crew("run", parts.clock.boottime)
        failed = families.ACTOR_FAILURES
        self.crew.on_restart = lambda name: parts.metrics.count(failed, {"actor": name})
        self._launches = [Mailbox[Submit | Find | Watch]() for _ in range(parts.launchers)]
        self._cancels = Mailbox[Cancel | Again]()
        self._sweeps = Mailbox[Remove | ListStrays | Again]()
        self._watcher = threading.Thread(target=self._watch, name="watcher", daemon=True)

    def start(self) -> RunHost:
        """Start every actor and thread; return this host."""
        runner = self._parts.runner
        self._alarms.start()
        self.shipper.start()
        for number, mailbox in enumerate(self._launches):
            self._hire_launcher(f"launcher-{number}", mailbox)
        self.crew.hire(
            "canceller", self._cancels, lambda: Canceller.start(self._cancels, self, runner)
        )
        self.crew.hire("sweeper", self._sweeps, lambda: Sweeper.start(self._sweeps, self, runner))
        self._watcher.start()
        return self

    def handle(self, messages: Sequence[ToHost]) -> None:
        """Sort *messages* into mailboxes; in the process's main thread."""
        for message in messages:
            match message:
                case Submit() | Find() | Watch():
                    min(self._launches, key=_load).put(message)
                case Cancel():
                    self._cancels.put(message)
                case Remove() | ListStrays():
                    self._sweeps.put(message)
                case Ship(ref, handle, cursors):
                    self.shipper.end(ref, handle, cursors)
                case Drop(ref):
                    self.drop(ref)
                case _:
                    self._answer(message)

    def _answer(self, message: ToHost) -> None:
        """Answer what is asked of the host itself."""
        match message:
            case Ping(number):
                self.crew.check()
                self.say(Pong(number))
            case TellNumbers(number):
                self.say(Numbers(number, self._parts.metrics.snapshot(), self._views()))
            case Flush(number):
                threading.Thread(target=self._flush, args=(number,), daemon=True).start()
            case _:
                events.MESSAGE_UNKNOWN.log(_log, who="a run host", what=message)

    def _views(self) -> tuple[ActorView, ...]:
        """Return what each actor does, and the two threads that are no actors."""
        watched, followed = len(self.ledger), len(self.shipper)
        return (
            *self.crew.views(),
            ActorView(
                name="watcher",
                process="run",
                alive=self._watcher.is_alive(),
                doing=f"watches {watched}" if watched else "",
            ),
            ActorView(
                name="log shipper",
                process="run",
                alive=self.shipper.lives,
                doing=f"follows {followed} logs" if followed else "",
            ),
        )

    @property
    def say(self) -> Callable[..., None]:
        """Send messages to the main process; any thread may."""
        return self._company.say

    def drop(self, ref: Ref) -> None:
        """Stop watching *ref* and ship nothing more."""
        self.shipper.drop(ref)
        handle = self.ledger.forget(ref)
        if handle is not None:
            self.watch.discard(handle)

    def cancel(self, wish: Cancel) -> None:
        """Have *wish* carried out by the Canceller."""
        self._cancels.put(wish)

    def later(self, name: str, wait_s: float, call: Callable[[], None]) -> None:
        """Do *call* in *wait_s*, and only once if another of that *name* comes before."""
        self._alarms.after(name, wait_s, call)

    def tell(self, ref: Ref, handle: Handle, seen: Observation) -> None:
        """Say how *handle* stands; when it is over, see to the rest of its log."""
        if seen.state not in ENDS:
            self.say(SeenNow(ref, handle, seen))
            return
        if seen.reason is Reason.DEADLINE_PASSED:
            # It was accepted and then not started: no end, and to be submitted again.
            self.drop(ref)
            self.say(SubmitFailed(ref, Reason.DEADLINE_PASSED, seen.detail, retry=True))
            return
        shipped = self.shipper.is_quiet(ref, handle)
        self.say(SeenNow(ref, handle, seen, shipped))
        if not shipped:
            self.shipper.end(ref, handle, {})

    def _hire_launcher(self, name: str, mailbox: Mailbox[Submit | Find | Watch]) -> None:
        self.crew.hire(name, mailbox, lambda: Launcher.start(mailbox, self, self._parts.runner))

    def _flush(self, number: int) -> None:
        self.say(Flushed(number, self.shipper.flush()))

    def _watch(self) -> None:
        """Pass on what the runner's watch sees, in a thread of its own, for ever."""
        while True:
            self._pass_on(self.watch.wait(None))

    def _pass_on(self, news: Sequence[Seen]) -> None:
        for seen in news:
            ref = self.ledger.ref_of(seen.handle)
            if ref is not None:
                self.tell(ref, seen.handle, seen.observation)


def _load(mailbox: Mailbox[Submit | Find | Watch]) -> int:
    """Return how many letters stand before a new one."""
    return len(mailbox) + mailbox.held
