"""The worker processes: started on first need, asked whether they live, replaced when not."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import Final

from launchyard.actors.facts import HostBegan, HostFailed, HostSaid, SupervisorFact
from launchyard.actors.link import Ears, ProcessLink
from launchyard.actors.mailbox import Mailbox
from launchyard.actors.messages import FromHost, Numbers, Ping, Pong, TellNumbers, ToHost, Unable
from launchyard.actors.session import Backoff, Session
from launchyard.ports import events, families
from launchyard.ports.agent_status import ActorView
from launchyard.ports.metrics import Snapshot
from launchyard.ports.target import HostSpec

_log = logging.getLogger(__name__)
PING_S: Final = 10.0
_STUCK_S: Final = 30.0
_UNABLE_S: Final = 60.0
"""How long a process that could not do its work at all is left alone."""

NUMBERS_S: Final = 0.2


@dataclass(slots=True)
class _Host:
    spec: HostSpec
    link: ProcessLink | None = None
    wanted: bool = False
    starts: int = 0
    heard_at: float = 0.0
    backoff: Backoff = field(default_factory=lambda: Backoff(0.1, 10.0))
    numbers: Snapshot = ()
    numbers_at: float = 0.0
    actors: tuple[ActorView, ...] = ()
    heard_start: int = 0
    unable: bool = False
    came: threading.Event = field(default_factory=threading.Event)


class Hosts:
    """Links by role. Thread-safe; messages to a process that is gone are dropped.

    When a process has been replaced the supervisor hears `HostBegan` and tells it everything.
    """

    def __init__(
        self,
        specs: Mapping[str, HostSpec],
        keep: Sequence[int],
        session: Session,
        tell: Mailbox[SupervisorFact],
    ) -> None:
        self._hosts = {name: _Host(spec) for name, spec in specs.items()}
        self._keep, self._session, self._tell = keep, session, tell
        self._lock = threading.RLock()
        self._closed = False
        self._number = 0
        for name, reason in product(specs, families.VALUES[families.CHILD_RESTARTS.name]["reason"]):
            # A series that begins with its first restart hides that one from alerts.
            session.metrics.count(families.CHILD_RESTARTS, {"role": name, "reason": reason}, 0)

    def send(self, name: str, messages: tuple[ToHost, ...]) -> None:
        """Send *messages* as one to the process called *name*, starting it if need be."""
        with self._lock:
            host = self._hosts[name]
            if host.link is None:
                if host.wanted or self._closed:
                    return
                host.wanted = True
                self._start(host)
            link = host.link
        if link is not None:
            link.send(messages)

    def running(self) -> tuple[str, ...]:
        """Name the processes that live."""
        with self._lock:
            return tuple(name for name, host in self._hosts.items() if host.link is not None)

    def numbers(self) -> Mapping[str, tuple[int, Snapshot]]:
        """Ask every process for its metrics; one that does not answer in time gives its last."""
        with self._lock:
            self._number += 1
            asked = {n: h for n, h in self._hosts.items() if h.link is not None}
            for host in asked.values():
                host.came.clear()
            number = self._number
        until = self._session.clock.boottime() + NUMBERS_S
        for name, host in asked.items():
            self.send(name, (TellNumbers(number),))
            host.came.wait(max(0.0, until - self._session.clock.boottime()))
        return {n: (h.heard_start, h.numbers) for n, h in self._hosts.items() if h.numbers_at}

    def views(self) -> tuple[ActorView, ...]:
        """Ask every process what its actors do; return the processes, and below each its own."""
        self.numbers()
        with self._lock:
            started = [host for host in self._hosts.values() if host.starts]
            return tuple(view for host in started for view in _views(host))

    def close(self) -> None:
        """End every process and wait for it."""
        with self._lock:
            self._closed = True
            links = [host.link for host in self._hosts.values() if host.link is not None]
        for link in links:
            link.close()

    def _start(self, host: _Host) -> None:
        name = host.spec.name
        ears = Ears(partial(self._said, host), partial(self._ended, host))
        host.starts += 1
        host.heard_at = self._session.clock.boottime()
        host.link = ProcessLink(host.spec, self._keep, ears, first=host.starts == 1)
        host.link.listen()
        self._session.metrics.gauge(families.CHILDREN, 1, {"role": name})
        self._session.alarms.after(f"ping-{name}", PING_S, partial(self._ping, host))

    def _said(self, host: _Host, messages: tuple[FromHost, ...]) -> None:
        host.heard_at = self._session.clock.boottime()
        facts: list[FromHost] = []
        for message in messages:
            match message:
                case Pong():
                    host.backoff.reset()
                    if host.unable:
                        host.unable = False
                        self._session.board.clear(f"{host.spec.name} host")
                case Numbers(_, snapshot, actors):
                    host.numbers, host.numbers_at = snapshot, host.heard_at
                    host.actors = actors
                    host.heard_start = host.starts
                    host.came.set()
                case Unable(text):
                    host.unable = True
                    self._session.board.put(f"{host.spec.name} host", text)
                    self._tell.put(HostFailed(host.spec.name, text))
                case _:
                    facts.append(message)
        if facts:
            self._tell.put(HostSaid(host.spec.name, tuple(facts)))

    def _ended(self, host: _Host, how: str) -> None:
        """Start another one after a while; in the link's thread."""
        name = host.spec.name
        with self._lock:
            if self._closed:
                return
            host.link, host.actors = None, ()
            reason = "hang" if self._is_silent(host) else "exit"
        events.HOST_REPLACED.log(_log, host=name, how=how)
        self._session.metrics.gauge(families.CHILDREN, 0, {"role": name})
        self._session.metrics.count(families.CHILD_RESTARTS, {"role": name, "reason": reason})
        again = partial(self._again, host)
        wait_s = _UNABLE_S if host.unable else host.backoff.next_s()
        self._session.alarms.after(f"start-{name}", wait_s, again)

    def _again(self, host: _Host) -> None:
        with self._lock:
            if self._closed or host.link is not None:
                return
            self._start(host)
        self._tell.put(HostBegan(host.spec.name))

    def _ping(self, host: _Host) -> None:
        """Ask whether the process lives, and end it when it has been silent for too long."""
        with self._lock:
            link = host.link
            if link is None or self._closed:
                return
            if self._is_silent(host):
                events.HOST_SILENT.log(_log, host=host.spec.name)
                link.kill()
                return
            self._number += 1
            number = self._number
        link.send((Ping(number),))
        self._session.alarms.after(f"ping-{host.spec.name}", PING_S, partial(self._ping, host))

    def _is_silent(self, host: _Host) -> bool:
        return self._session.clock.boottime() - host.heard_at > _STUCK_S


def _views(host: _Host) -> Iterator[ActorView]:
    name = host.spec.name
    top = f"{name} host"
    yield ActorView(
        name=top,
        process=name,
        parent="supervisor",
        alive=host.link is not None,
        doing=f"process {host.link.pid}" if host.link else "waits for its next start",
        restarts=max(0, host.starts - 1),
    )
    for actor in host.actors:
        yield replace(actor, process=name, parent=actor.parent or top)
