"""The actors of a run host that call the runner: create, cancel, remove."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from launchyard.actors.crashpoints import reach
from launchyard.actors.ledger import Ledger
from launchyard.actors.mailbox import Mailbox
from launchyard.actors.messages import (
    Cancel,
    Find,
    ListStrays,
    NotFound,
    Ref,
    Remove,
    Removed,
    Stray,
    StraysHere,
    Submit,
    SubmitFailed,
    Submitted,
    ToHost,
    Watch,
)
from launchyard.actors.role import Role
from launchyard.actors.shipper import LogShipper
from launchyard.domain.attempt import ENDS
from launchyard.domain.reason import Reason
from launchyard.ports import events
from launchyard.ports.runner import Handle, Observation, Runner, RunnerError
from launchyard.ports.runner import Watch as TargetWatch

_log = logging.getLogger(__name__)


class HostDesk(Protocol):
    """What these actors share with the rest of their host; thread-safe."""

    ledger: Ledger
    shipper: LogShipper
    watch: TargetWatch

    @property
    def say(self) -> Callable[..., None]:
        """Send messages to the main process."""
        ...

    def cancel(self, wish: Cancel) -> None:
        """Have *wish* carried out by the Canceller."""
        ...

    def tell(self, ref: Ref, handle: Handle, seen: Observation) -> None:
        """Say how *handle* stands."""
        ...

    def drop(self, ref: Ref) -> None:
        """Stop watching *ref*."""
        ...


class _Hand(Role[ToHost]):
    """What the actors of a run host share."""

    def __init__(self, mailbox: Mailbox[ToHost], host: HostDesk, runner: Runner) -> None:
        super().__init__(mailbox)
        self.host, self.runner = host, runner


class Launcher(_Hand):
    """Creates, adopts and looks up; each message may take as long as the target takes."""

    def work(self, letters: Sequence[ToHost]) -> None:
        for left, letter in zip(range(len(letters), 0, -1), letters, strict=True):
            self.mailbox.held = left
            self.mailbox.doing = f"{type(letter).__name__.lower()} {getattr(letter, 'ref', '')}"
            match letter:
                case Submit():
                    self._submit(letter)
                case Find():
                    self._find(letter)
                case Watch(ref, handle, cursors):
                    self._adopt(ref, handle, dict(cursors))
                case _:
                    events.MESSAGE_UNKNOWN.log(_log, who="a launcher", what=letter)
        self.mailbox.held = 0

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
            events.TARGET_SILENT.log(_log, name=handle.name, error=e)
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
                events.CANCEL_FAILED.log(_log, name=handle.name, error=e)


class Sweeper(_Hand):
    """Removes what ended things hold, once their ends and logs are recorded."""

    def work(self, letters: Sequence[ToHost]) -> None:
        gone: list[Removed] = []
        for letter in letters:
            if isinstance(letter, ListStrays):
                self._list(letter)
            if not isinstance(letter, Remove):
                continue
            self.host.drop(letter.ref)
            try:
                reach("remove.before_call")
                self.runner.remove(letter.handle)
                reach("remove.after_call")
            except RunnerError as e:
                events.REMOVE_FAILED.log(_log, name=letter.handle.name, error=e)
            gone.append(Removed(letter.ref))
        if gone:
            self.host.say(*gone)

    def _list(self, wish: ListStrays) -> None:
        """Tell of what is of this installation and was started by nobody that we know."""
        try:
            owned = self.runner.list_owned(wish.installation, wish.agent)
            strays = tuple(
                Stray(one.owner, one.handle, self.runner.observe(one.handle))
                for one in owned
                if self.host.ledger.ref_of(one.handle) is None
            )
        except RunnerError as e:
            events.SWEEP_FAILED.log(_log, error=e)
            return
        self.host.say(StraysHere(strays))
