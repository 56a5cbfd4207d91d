"""The actors of a run host that call the runner: create, cancel, remove."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeAlias

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
from launchyard.ports.runner import Handle, Observation, Preparer, Runner, RunnerError
from launchyard.ports.runner import Watch as TargetWatch

_log = logging.getLogger(__name__)
_LONGEST_S: Final = 30.0
_REMOVALS: Final = 5


@dataclass(frozen=True, slots=True)
class Again:
    """A call that failed *tries* times, and whose pause is over."""

    wish: Cancel | Remove
    tries: int


HandLetter: TypeAlias = ToHost | Again


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

    def later(self, name: str, wait_s: float, call: Callable[[], None]) -> None:
        """Do *call* in *wait_s*, and only once if another of that *name* comes before."""
        ...


class _Hand(Role[HandLetter]):
    """What the actors of a run host share."""

    def __init__(self, mailbox: Mailbox[HandLetter], host: HostDesk, runner: Runner) -> None:
        super().__init__(mailbox)
        self.host, self.runner = host, runner

    def again(self, wish: Cancel | Remove, tries: int) -> None:
        """Have *wish* back in this mailbox after a pause, twice as long each time."""
        name = f"{type(wish).__name__} {wish.ref.item} {wish.ref.attempt}"
        wait_s = min(_LONGEST_S, 2.0 ** (tries - 1))
        letter, mailbox = Again(wish, tries), self.mailbox
        self.host.later(name, wait_s, lambda: mailbox.put(letter))


class Launcher(_Hand):
    """Creates, adopts and looks up; each message may take as long as the target takes."""

    def work(self, letters: Sequence[HandLetter]) -> None:
        for left, letter in zip(range(len(letters), 0, -1), letters, strict=True):
            self.mailbox.held = left
            self.mailbox.doing = f"{type(letter).__name__.lower()} {getattr(letter, 'ref', '')}"
            match letter:
                case Submit(early=True):
                    self._prepare(letter)
                case Submit():
                    self._submit(letter)
                case Find():
                    self._find(letter)
                case Watch(ref, handle, cursors):
                    self._adopt(ref, handle, dict(cursors))
                case _:
                    events.MESSAGE_UNKNOWN.log(_log, who="a launcher", what=letter)
        self.mailbox.held = 0

    def _prepare(self, wish: Submit) -> None:
        """Have a start ready where the target knows how; what fails now the submit will tell."""
        ledger, runner = self.host.ledger, self.runner
        if not isinstance(runner, Preparer) or ledger.handle_of(wish.ref) is not None:
            return
        with suppress(RunnerError):
            reach("prepare.before_call")
            runner.prepare(wish.launch)
            reach("prepare.after_call")

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
            self.host.say(SubmitFailed(ref, e.reason, str(e), e.retry, e.unsure))
            return
        except BaseException:
            ledger.done(ref, None)
            broke = SubmitFailed(ref, Reason.AGENT_ERROR, "the launcher broke", retry=True)
            self.host.say(replace(broke, unsure=True))
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
    """Stops things; has a mailbox of its own, so that no create stands before a cancel.

    Nobody says a cancel twice, so a call that failed is repeated here until the target takes it,
    another wish takes its place, or the thing is forgotten, which is after its end at the latest.
    """

    def work(self, letters: Sequence[HandLetter]) -> None:
        ledger = self.host.ledger
        for letter in letters:
            match letter:
                case Cancel():
                    self._cancel(letter, ledger.want_cancel(letter), 1)
                case Again(Cancel() as wish, tries) if ledger.cancel_of(wish.ref) == wish:
                    self._cancel(wish, wish.handle or ledger.handle_of(wish.ref), tries + 1)
                case _:
                    pass

    def _cancel(self, wish: Cancel, handle: Handle | None, tries: int) -> None:
        if handle is None:
            return
        taken = False
        try:
            reach("cancel.before_call")
            self.runner.cancel(handle, wish.grace_s, wish.reason)
            reach("cancel.after_call")
            taken = True
        except RunnerError as e:
            events.CANCEL_FAILED.log(_log, name=handle.name, error=e)
        finally:
            if not taken:
                self.again(wish, tries)


class Sweeper(_Hand):
    """Removes what ended things hold, once their ends and logs are recorded.

    A target that is away is asked a few times; then what is there stays there, and is an orphan.
    """

    def work(self, letters: Sequence[HandLetter]) -> None:
        gone: list[Removed] = []
        for letter in letters:
            match letter:
                case ListStrays():
                    self._list(letter)
                case Remove():
                    gone += self._remove(letter, 1)
                case Again(Remove() as wish, tries):
                    gone += self._remove(wish, tries + 1)
                case _:
                    pass
        if gone:
            self.host.say(*gone)

    def _remove(self, wish: Remove, tries: int) -> tuple[Removed, ...]:
        """Remove; return what to say when that is over, one way or the other."""
        self.host.drop(wish.ref)
        try:
            reach("remove.before_call")
            self.runner.remove(wish.handle)
            reach("remove.after_call")
        except RunnerError as e:
            if e.retry and tries < _REMOVALS:
                self.again(wish, tries)
                return ()
            events.REMOVE_FAILED.log(_log, name=wish.handle.name, error=e)
        return (Removed(wish.ref),)

    def _list(self, wish: ListStrays) -> None:
        """Tell of what is of this installation and was started by nobody that we know."""
        try:
            owned = self.runner.list_owned(wish.installation, wish.agent)
            strays = tuple(
                Stray(one.owner, one.handle, self.runner.observe(one.handle), one.created_ms)
                for one in owned
                if self.host.ledger.ref_of(one.handle) is None
            )
        except RunnerError as e:
            events.SWEEP_FAILED.log(_log, error=e)
            return
        self.host.say(StraysHere(strays))
