"""The agent as a whole: its crew, its main loop, its end, and what it tells about itself."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from signal import Signals
from threading import enumerate as threads
from typing import Final

import pykka

from launchyard.actors.alarms import Alarms
from launchyard.actors.desk import Kit, Rules
from launchyard.actors.draining import AWAY
from launchyard.actors.facts import Due, Stop, StopMode, SupervisorFact
from launchyard.actors.gate import LaunchGate
from launchyard.actors.hosts import Hosts
from launchyard.actors.identity import Identity
from launchyard.actors.keeper import Beat, LeaseKeeper
from launchyard.actors.mailbox import Mailbox
from launchyard.actors.poller import Claimer, LaneLetter, Poller
from launchyard.actors.reconciler import Hello, Reconciler
from launchyard.actors.reporter import Reporter
from launchyard.actors.reviewing import AskReview, Inspect, ReviewBook, Reviewer, Warden, Watched
from launchyard.actors.role import Crew
from launchyard.actors.session import Fatal, Session
from launchyard.actors.status import StatusDesk
from launchyard.actors.supervisor import Supervisor
from launchyard.actors.table import Vault
from launchyard.domain.exchange import AgentHello
from launchyard.ports import events
from launchyard.ports.clock import Clock
from launchyard.ports.families import ACTOR_FAILURES
from launchyard.ports.journal import Journal
from launchyard.ports.launch_server import LaunchServer
from launchyard.ports.metrics import Metrics, Snapshot
from launchyard.ports.policy import NoPolicy, Policy
from launchyard.ports.target import HostSpec, Target

_log = logging.getLogger(__name__)
LANES: Final = 2
_CHECK_S: Final = 10.0
_STOP_S: Final = 1.0
_NOW: Final = 1
_STOPS: Final = frozenset({Signals.SIGTERM, Signals.SIGINT})


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentParts:
    """What an agent is made of; `keep` are descriptors that its worker processes hold, too."""

    identity: Identity
    server: LaunchServer
    journal: Journal
    clock: Clock
    metrics: Metrics
    targets: Mapping[str, Target]
    build: HostSpec
    rules: Rules
    keep: Sequence[int] = ()
    reload: Callable[[], Rules] | None = None
    policy: Policy = field(default_factory=NoPolicy)
    look_s: float = 10.0


@dataclass(frozen=True, slots=True)
class _Done:
    code: int
    text: str


class Agent:
    """Starts the actors, waits for signals and for the end, and stops everything again.

    `run` belongs to the process's main thread; `signal` may be called by a signal handler.
    """

    def __init__(self, parts: AgentParts) -> None:
        self._parts = parts
        self._events: SimpleQueue[Signals | _Done | Fatal] = SimpleQueue()
        clock = parts.clock
        self._alarms = Alarms(clock.boottime)
        self.session = Session(parts.server, clock, parts.metrics, self._alarms, self._events.put)
        self._crew = Crew("main", clock.boottime)
        self._crew.on_restart = lambda name: parts.metrics.count(ACTOR_FAILURES, {"actor": name})
        self._kit = self._make_kit()
        self._beats = Mailbox[Beat]()
        self._lanes = [Mailbox[LaneLetter]() for _ in range(LANES)]
        self._stops = 0
        self.view = StatusDesk(parts.identity, self._kit, self._crew)

    def _make_kit(self) -> Kit:
        parts, inbox = self._parts, Mailbox[SupervisorFact]()
        specs = {name: target.host for name, target in parts.targets.items()}
        specs[parts.build.name] = parts.build
        return Kit(
            session=self.session,
            journal=parts.journal,
            targets=parts.targets,
            rules=parts.rules,
            hosts=Hosts(specs, parts.keep, self.session, inbox),
            vault=Vault(),
            inbox=inbox,
            poller=Mailbox(),
            gate=Mailbox(),
            reporter=Mailbox(),
            reconciler=Mailbox(),
            done=lambda code, text: self._events.put(_Done(code, text)),
            reviews=ReviewBook(parts.policy),
        )

    @property
    def inbox(self) -> Mailbox[SupervisorFact]:
        """Where facts for the supervisor go."""
        return self._kit.inbox

    def signal(self, number: int) -> None:
        """Note a signal; the main loop acts on it."""
        self._events.put(Signals(number))

    def run(self) -> tuple[int, str]:
        """Be an agent until the end; return the exit code and what is to be said about it."""
        try:
            self._start()
            return self._loop()
        finally:
            self._close()

    def _start(self) -> None:
        self._alarms.start()
        contents = self._parts.journal.load()
        self._hire(contents.meta.get("agent", ""))

    def _hire(self, known_as: str) -> None:
        kit, session, crew = self._kit, self.session, self._crew
        crew.hire("supervisor", kit.inbox, lambda: Supervisor.start(kit))
        crew.hire(
            "gate", kit.gate, lambda: LaunchGate.start(kit.gate, session, kit.inbox), "supervisor"
        )
        crew.hire("reporter", kit.reporter, self._start_reporter, "supervisor")
        crew.hire(
            "reconciler",
            kit.reconciler,
            lambda: Reconciler.start(kit.reconciler, session, kit.inbox),
            "supervisor",
        )
        crew.hire(
            "lease keeper",
            self._beats,
            lambda: LeaseKeeper.start(self._beats, session, kit.inbox, lambda: self.view.state),
            "supervisor",
        )
        crew.hire(
            "poller",
            kit.poller,
            lambda: Poller.start(kit.poller, session, self._lanes, self._parts.identity.queues),
            "supervisor",
        )
        for number, lane in enumerate(self._lanes):
            self._hire_lane(f"claimer {number}", lane)
        self._hire_policy()
        kit.on_registered = lambda: self._beats.put(Beat())
        session.standing.on_change = self._beat_soon
        kit.reconciler.put(Hello(self._hello(known_as)))

    def _beat_soon(self, wait_s: float) -> None:
        """Let a heartbeat tell what changed; before the hello there is nobody to tell."""
        if self.session.caller.epoch:
            self._alarms.after("standing", wait_s, lambda: self._beats.put(Beat()))

    def _hire_policy(self) -> None:
        """Start those who let plugins judge, where there are plugins that do."""
        kit, session, crew, policy = self._kit, self.session, self._crew, self._parts.policy
        for number, lane in enumerate(kit.reviews.lanes):
            self._hire_reviewer(f"reviewer {number}", lane)
        if not policy.guards:
            return
        looks = Mailbox[Inspect]()
        watched = Watched(
            policy=policy,
            targets=self._parts.targets,
            folder=self._parts.rules.jobs_folder,
            interval_s=self._parts.look_s,
        )
        Warden.shut(session, watched)
        crew.hire("warden", looks, lambda: Warden.start(looks, session, watched), "supervisor")
        kit.look = lambda: looks.put(Inspect())

    def _hire_reviewer(self, name: str, lane: Mailbox[AskReview]) -> None:
        kit, policy = self._kit, self._parts.policy
        self._crew.hire(name, lane, lambda: Reviewer.start(lane, policy, kit.inbox), "supervisor")

    def _hire_lane(self, name: str, lane: Mailbox[LaneLetter]) -> None:
        kit, session = self._kit, self.session
        self._crew.hire(
            name, lane, lambda: Claimer.start(lane, session, kit.inbox, kit.poller), "poller"
        )

    def _start_reporter(self) -> pykka.ActorRef[Reporter]:
        """Start a Reporter with what the journal says is unsent; a new one needs a first push."""
        kit = self._kit
        return Reporter.start(
            kit.reporter, self.session, kit.inbox, self._parts.journal.load().outbox
        )

    def _hello(self, known_as: str) -> AgentHello:
        me = self._parts.identity
        return AgentHello(
            agent=known_as,
            name=me.name,
            entity=me.entity,
            queues=me.queues,
            scopes=tuple(dict.fromkeys(t.scope for t in self._parts.targets.values())),
            max_jobs=self._kit.rules.limits.max_jobs,
            hostname=me.hostname,
            version=me.version,
        )

    def _loop(self) -> tuple[int, str]:
        while True:
            try:
                event = self._events.get(timeout=_CHECK_S)
            except Empty:
                self._crew.check()
                continue
            match event:
                case _Done(code, text):
                    return code, text
                case Fatal(message, code):
                    return code, message
                case _ if (end := self._on_signal(event)) is not None:
                    return end

    def _on_signal(self, number: Signals) -> tuple[int, str] | None:
        if number in _STOPS:
            return self._on_stop(number)
        if number == Signals.SIGQUIT:
            self._kit.inbox.put(Stop(StopMode.WAIT_ALL, number.name))
        elif number == Signals.SIGHUP:
            self._reload()
        elif number == Signals.SIGUSR1:
            events.STACKS.log(_log, what=self.dump())
        return None

    def _on_stop(self, number: Signals) -> tuple[int, str] | None:
        self._stops += 1
        if self._stops > len((StopMode.DRAIN, StopMode.CANCEL)):
            return _NOW, "ended at once, as asked; the journal keeps what the server does not know"
        mode = StopMode.DRAIN if self._stops == 1 else StopMode.CANCEL
        if not self._crew.lives("supervisor"):
            return AWAY, "ended while the supervisor was down; the journal keeps everything"
        if self.session.board.has("journal"):
            return AWAY, "ended although the journal cannot be written; see the log"
        self._kit.inbox.put(Stop(mode, number.name))
        return None

    def _reload(self) -> None:
        if self._parts.reload is None:
            events.CONFIG_ABSENT.log(_log)
            return
        try:
            self._kit.rules = self._parts.reload()
        except Exception as e:  # noqa: BLE001 - whatever is wrong with it, the agent goes on as it was
            self.session.board.put("configuration", f"not read again: {e}")
            return
        self.session.board.clear("configuration")
        self.session.standing.allow(self._kit.rules.limits.max_jobs)
        self._kit.inbox.put(Due("reload"))

    def numbers(self) -> Mapping[str, tuple[int, Snapshot]]:
        """Ask the worker processes for their metrics; each with how often it was started."""
        return self._kit.hosts.numbers()

    def dump(self) -> str:
        """Return the actors and the stack of every thread, for the log."""
        names = {thread.ident: f"{thread.name} ({thread.native_id})" for thread in threads()}
        lines = ["what everyone does:"]
        lines += [
            f"  {v.process}/{v.name}: {'alive' if v.alive else 'dead'}, {v.mailbox} letters, "
            f"{v.doing or 'idle'}"
            for v in self.view.status().actors
        ]
        for ident, frame in sys._current_frames().items():  # noqa: SLF001 - the documented way
            lines.append(f"thread {names.get(ident, ident)}:")
            lines += [line.rstrip() for line in traceback.format_stack(frame)]
        return "\n".join(lines)

    def _close(self) -> None:
        self.session.quit.set()
        self._kit.hosts.close()
        self._alarms.close()
        self._crew.stop(_STOP_S)
        self._parts.policy.close(_STOP_S)
        self._parts.journal.close()
