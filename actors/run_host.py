"""The worker process that runs attempts on one target: its actors, and who gets which message."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from launchyard.actors.child import Channel
from launchyard.actors.crashpoints import reach
from launchyard.actors.ledger import Ledger
from launchyard.actors.mailbox import Mailbox
from launchyard.actors.messages import (
    Cancel,
    Drop,
    Find,
    Flush,
    Flushed,
    NotFound,
    Numbers,
    Ping,
    Pong,
    Ref,
    Remove,
    Removed,
    SeenNow,
    Ship,
    Shipped,
    Submit,
    SubmitFailed,
    Submitted,
    TellNumbers,
    ToHost,
    Watch,
)
from launchyard.actors.role import Crew, Role
from launchyard.actors.shipper import LogShipper
from launchyard.domain.attempt import ENDS
from launchyard.domain.reason import Reason
from launchyard.ports.clock import Clock
from launchyard.ports.launch_server import AttemptFiles
from launchyard.ports.metrics import Metrics
from launchyard.ports.runner import Handle, Observation, Runner, RunnerError, Seen

_log = logging.getLogger(__name__)
_CHECK_S: Final = 5.0


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
        self._parts, self._channel = parts, channel
        self.ledger = Ledger()
        self.watch = parts.runner.watch()
        self.shipper = LogShipper(
            parts.runner,
            parts.files,
            parts.clock,
            parts.metrics,
            lambda ref, detail: channel.send(Shipped(ref, detail)),
        )
        self.crew = Crew("run", parts.clock.boottime)
        self._launches = [Mailbox[Submit | Find | Watch]() for _ in range(parts.launchers)]
        self._cancels = Mailbox[Cancel]()
        self._sweeps = Mailbox[Remove]()

    def start(self) -> RunHost:
        """Start every actor and thread; return this host."""
        self.shipper.start()
        for number, mailbox in enumerate(self._launches):
            self._hire_launcher(f"launcher-{number}", mailbox)
        self.crew.hire(
            "canceller", self._cancels, lambda: Canceller.start(self._cancels, self, self._parts)
        )
        self.crew.hire(
            "sweeper", self._sweeps, lambda: Sweeper.start(self._sweeps, self, self._parts)
        )
        threading.Thread(target=self._watch, name="watcher", daemon=True).start()
        return self

    def handle(self, messages: Sequence[ToHost]) -> None:
        """Sort *messages* into mailboxes; in the process's main thread."""
        for message in messages:
            match message:
                case Submit() | Find() | Watch():
                    min(self._launches, key=len).put(message)
                case Cancel():
                    self._cancels.put(message)
                case Remove():
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
                self.say(Numbers(number, self._parts.metrics.snapshot()))
            case Flush(number):
                threading.Thread(target=self._flush, args=(number,), daemon=True).start()
            case _:
                _log.error("a run host does not know %s", message)

    @property
    def say(self) -> Callable[..., None]:
        """Send messages to the main process; any thread may."""
        return self._channel.send

    def drop(self, ref: Ref) -> None:
        """Stop watching *ref* and ship nothing more."""
        self.shipper.drop(ref)
        handle = self.ledger.forget(ref)
        if handle is not None:
            self.watch.discard(handle)

    def cancel(self, wish: Cancel) -> None:
        """Have *wish* carried out by the Canceller."""
        self._cancels.put(wish)

    def tell(self, ref: Ref, handle: Handle, seen: Observation) -> None:
        """Say how *handle* stands; when it is over, see to the rest of its log."""
        if seen.state not in ENDS:
            self.say(SeenNow(ref, handle, seen))
            return
        shipped = self.shipper.is_quiet(ref, handle)
        self.say(SeenNow(ref, handle, seen, shipped))
        if not shipped:
            self.shipper.end(ref, handle, {})

    def _hire_launcher(self, name: str, mailbox: Mailbox[Submit | Find | Watch]) -> None:
        self.crew.hire(name, mailbox, lambda: Launcher.start(mailbox, self, self._parts))

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


class _Hand(Role[ToHost]):
    """What the actors of a run host share."""

    def __init__(self, mailbox: Mailbox[ToHost], host: RunHost, parts: RunHostParts) -> None:
        super().__init__(mailbox)
        self.host, self.runner = host, parts.runner


class Launcher(_Hand):
    """Creates, adopts and looks up; each message may take as long as the target takes."""

    def work(self, letters: Sequence[ToHost]) -> None:
        for letter in letters:
            self.mailbox.doing = f"{type(letter).__name__.lower()} {getattr(letter, 'ref', '')}"
            match letter:
                case Submit():
                    self._submit(letter)
                case Find():
                    self._find(letter)
                case Watch(ref, handle, cursors):
                    self._adopt(ref, handle, dict(cursors))
                case _:
                    _log.error("a launcher does not know %s", letter)

    def _submit(self, wish: Submit) -> None:
        ref, ledger = wish.ref, self.host.ledger
        known = ledger.handle_of(ref)
        if known is not None:
            self.host.say(Submitted(ref, known))
            self._adopt(ref, known, dict(wish.cursors))
            return
        if not ledger.begin(ref):
            return
        handle: Handle | None = None
        try:
            reach("submit.before_call")
            handle = self._create(wish)
            reach("submit.after_call")
        except RunnerError as e:
            ledger.done(ref, None)
            if not e.retry:
                ledger.forget(ref)
            self.host.say(SubmitFailed(ref, e.reason, str(e), e.retry))
            return
        except BaseException:
            ledger.done(ref, None)
            self.host.say(SubmitFailed(ref, Reason.AGENT_ERROR, "the launcher broke", retry=True))
            raise
        cancel = ledger.done(ref, handle)
        if handle is None:
            ledger.forget(ref)
            self.host.say(NotFound(ref))
            return
        self.host.say(Submitted(ref, handle))
        self.host.shipper.follow(ref, handle, wish.cursors)
        self.host.watch.add(handle)
        if cancel is not None:
            self.host.cancel(replace(cancel, handle=handle))

    def _create(self, wish: Submit) -> Handle | None:
        """Create the thing; one that is to be cancelled already is looked up instead."""
        if self.host.ledger.cancel_of(wish.ref) is not None:
            return self.runner.find(wish.launch.owner, wish.launch.name)
        return self.runner.submit(wish.launch)

    def _find(self, wish: Find) -> None:
        try:
            handle = self.runner.find(wish.owner, wish.name)
        except RunnerError as e:
            self.host.say(SubmitFailed(wish.ref, e.reason, str(e), e.retry))
            return
        if handle is None:
            self.host.say(NotFound(wish.ref))
            return
        self.host.ledger.keep(wish.ref, handle)
        self.host.say(Submitted(wish.ref, handle))
        self._adopt(wish.ref, handle, dict(wish.cursors))
        if wish.reason is not None:
            self.host.cancel(Cancel(wish.ref, handle, wish.grace_s, wish.reason))

    def _adopt(self, ref: Ref, handle: Handle, cursors: dict[str, int]) -> None:
        """Say how a thing stands that was started before, and go on watching it."""
        self.host.ledger.keep(ref, handle)
        try:
            seen = self.runner.observe(handle)
        except RunnerError as e:
            _log.warning("%s cannot be looked at now: %s", handle.name, e)
            seen = None
        self.host.shipper.follow(ref, handle, cursors)
        if seen is not None:
            self.host.tell(ref, handle, seen)
        if seen is None or seen.state not in ENDS:
            self.host.watch.add(handle)


class Canceller(_Hand):
    """Stops things; has a mailbox of its own, so that no create stands before a cancel."""

    def work(self, letters: Sequence[ToHost]) -> None:
        for letter in letters:
            if not isinstance(letter, Cancel):
                continue
            handle = self.host.ledger.want_cancel(letter)
            if handle is None:
                continue
            try:
                reach("cancel.before_call")
                self.runner.cancel(handle, letter.grace_s, letter.reason)
                reach("cancel.after_call")
            except RunnerError as e:
                _log.warning("%s cannot be cancelled now: %s", handle.name, e)


class Sweeper(_Hand):
    """Removes what ended things hold, once their ends and logs are recorded."""

    def work(self, letters: Sequence[ToHost]) -> None:
        gone: list[Removed] = []
        for letter in letters:
            if not isinstance(letter, Remove):
                continue
            self.host.drop(letter.ref)
            try:
                reach("remove.before_call")
                self.runner.remove(letter.handle)
                reach("remove.after_call")
            except RunnerError as e:
                _log.warning("%s cannot be removed: %s", letter.handle.name, e)
            gone.append(Removed(letter.ref))
        if gone:
            self.host.say(*gone)
