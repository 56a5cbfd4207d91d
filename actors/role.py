"""What every actor of ours is: a role with a mailbox, watched and replaced by its crew."""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Final, Generic, TypeVar

import pykka

from launchyard.actors.mailbox import Drain, Mailbox
from launchyard.ports import events
from launchyard.ports.agent_status import ActorView

T = TypeVar("T")
_log = logging.getLogger(__name__)
_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 10.0


class Role(pykka.ThreadingActor, Generic[T]):
    """An actor that works off its mailbox; subclasses say how in `work`.

    `work` runs in the actor's own thread. What it raises ends this actor, and the crew starts
    another one on the same mailbox; the letters that it was given are gone.
    """

    use_daemon_thread = True

    def __init__(self, mailbox: Mailbox[T]) -> None:
        super().__init__()
        self.mailbox = mailbox

    @staticmethod
    def _create_actor_inbox() -> SimpleQueue[Any]:
        """Return the queue of pykka's messages: its own takes ten times as long for each."""
        return SimpleQueue()

    @abstractmethod
    def work(self, letters: Sequence[T]) -> None:
        """Handle all letters that were waiting."""

    def on_receive(self, message: object) -> None:
        if isinstance(message, Drain):
            letters = self.mailbox.take_all()
            if letters:
                with self.mailbox.working():
                    self.work(letters)
                self.mailbox.doing = ""

    def on_failure(self, *_: object) -> None:
        """Say so to the crew; the error itself is in the log."""
        self.mailbox.on_death()


@dataclass
class _Post:
    """A position in the crew, and who holds it."""

    name: str
    parent: str
    mailbox: Mailbox[Any]
    start: Callable[[], pykka.ActorRef[Any]]
    ref: pykka.ActorRef[Any] | None = None
    restarts: int = 0
    wait_s: float = _FIRST_WAIT_S
    due: float = 0.0
    seen_dead: bool = field(default=False)


class Crew:
    """The actors of one process. Thread-safe."""

    def __init__(self, process: str, now: Callable[[], float]) -> None:
        self._process, self._now = process, now
        self._posts: dict[str, _Post] = {}
        self._lock = threading.RLock()
        self._stopped = False
        self.on_restart: Callable[[str], None] = lambda _name: None

    def hire(
        self,
        name: str,
        mailbox: Mailbox[T],
        start: Callable[[], pykka.ActorRef[Any]],
        parent: str = "",
    ) -> None:
        """Start an actor under *name*; *start* does it, now and whenever it must be replaced."""
        with self._lock:
            post = self._posts[name] = _Post(name, parent, mailbox, start)
            mailbox.on_death, mailbox.now = lambda: self._soon(post), self._now
            self._fill(post)

    def check(self) -> None:
        """Replace whoever died; called every few seconds and after each failure."""
        with self._lock:
            for post in list(self._posts.values()):
                if self._stopped or post.ref is None or post.ref.is_alive():
                    continue
                now = self._now()
                if not post.seen_dead:
                    post.seen_dead, post.due = True, now + post.wait_s
                    post.wait_s = min(post.wait_s * 2, _LONGEST_WAIT_S)
                if now >= post.due:
                    events.ACTOR_REPLACED.log(_log, actor=post.name)
                    post.restarts += 1
                    self._fill(post)
                    self.on_restart(post.name)

    def lives(self, name: str) -> bool:
        """Tell whether the actor called *name* lives."""
        with self._lock:
            post = self._posts.get(name)
            return post is not None and post.ref is not None and post.ref.is_alive()

    def stop(self, timeout_s: float) -> None:
        """Stop every actor, the last hired first; a stuck one is left to the process's end."""
        with self._lock:
            self._stopped = True
            refs = [post.ref for post in reversed(self._posts.values()) if post.ref is not None]
        for ref in refs:
            ref.stop(block=False)
        until = self._now() + timeout_s
        for ref in refs:
            ref.actor_stopped.wait(max(0.0, until - self._now()))

    def views(self) -> tuple[ActorView, ...]:
        """Return what each actor does."""
        with self._lock:
            return tuple(self._view(post) for post in self._posts.values())

    def dead(self) -> tuple[str, ...]:
        """Name the positions that nobody holds."""
        return tuple(view.name for view in self.views() if not view.alive)

    def hung(self, names: Collection[str], after_s: float) -> tuple[str, ...]:
        """Name those of *names* that have worked on one batch of letters for *after_s*."""
        with self._lock:
            since = {n: self._posts[n].mailbox.since for n in names if n in self._posts}
        now = self._now()
        return tuple(n for n, at in since.items() if at is not None and now - at >= after_s)

    def _soon(self, post: _Post) -> None:
        """Look again when the dead one may be replaced; in the dead one's thread."""
        timer = threading.Timer(post.wait_s + 0.01, self.check)
        timer.daemon = True
        self.check()
        timer.start()

    def _fill(self, post: _Post) -> None:
        post.ref, post.seen_dead = post.start(), False
        post.mailbox.bind(post.ref)

    def _view(self, post: _Post) -> ActorView:
        return ActorView(
            name=post.name,
            process=self._process,
            parent=post.parent,
            alive=post.ref is not None and post.ref.is_alive(),
            mailbox=len(post.mailbox),
            doing=post.mailbox.doing,
            restarts=post.restarts,
        )
