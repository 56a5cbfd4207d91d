"""A server and an agent beside each other, for `up` and `demo`."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final, Self

from launchyard.adapters.cli.codes import Code
from launchyard.adapters.cli.contexts import Context, read_key
from launchyard.adapters.cli.errors import CommandError
from launchyard.domain.rights import EntityKind
from launchyard.ports.launch_server import ServerError
from launchyard.ports.operator import Failure, Operator, OperatorError
from launchyard.ports.programs import Programs, Running
from launchyard.ports.records import Queue

ENTITY: Final = "local"
QUEUE: Final = "default"
_HOST: Final = "127.0.0.1"
_READY_S: Final = 120.0
"""For slow machines; who dies before is noticed at once."""

_LOOK_S: Final = 0.02
_SERVER_STOP_S: Final = 60.0
_TAIL_LINES: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to start; `verbose` agents and their flags come after those made here."""

    state: Path
    port: int
    operations_port: int
    max_jobs: int
    drain_s: float = 30.0

    @property
    def url(self) -> str:
        """Where the server will be."""
        return f"http://{_HOST}:{self.port}"

    @property
    def key_file(self) -> Path:
        """Where the administrator's key of this machine is."""
        return self.state / "admin.key"


class Yard:
    """Starts server, queue and agent in this order, and stops them in the other."""

    def __init__(self, programs: Programs, plan: Plan) -> None:
        self._programs = programs
        self.plan = plan
        self.running: dict[str, Running] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start_server(self) -> Context:
        """Start the server and wait for it; return the administrator's context of it."""
        plan = self.plan
        plan.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        refuse_taken(plan.port)
        if plan.operations_port:
            refuse_taken(plan.operations_port, "--operations-port")
        words = ["server", "--host", _HOST, "--port", str(plan.port)]
        words += ["--state-dir", str(plan.state / "server")]
        words += ["--admin-key-file", str(plan.key_file)]
        self._start("server", words)
        self._wait("server", self._answers)
        key = read_key(str(plan.key_file))
        return Context(url=plan.url, key=key, entity=ENTITY, queue=QUEUE)

    def start_agent(self, operator: Operator) -> None:
        """Make entity and queue where they are missing, and start the agent on them."""
        _once(lambda: operator.add_entity(ENTITY, EntityKind.TEAM))
        queue = Queue(entity=ENTITY, name=QUEUE, resource="local-process", config={})
        _once(lambda: operator.add_queue(queue))
        plan = self.plan
        words = ["agent", "-e", ENTITY, "-q", QUEUE, "-j", str(plan.max_jobs), "--name", "local"]
        words += ["--server", plan.url, "--key-file", str(plan.key_file)]
        words += ["--state-dir", str(plan.state / "agent")]
        words += ["--operations-port", str(plan.operations_port)]
        self._start("agent", words)
        self._wait("agent", lambda: any(agent.online for agent in operator.agents(ENTITY)))

    def stop(self) -> None:
        """Drain the agent, then stop the server; a second time does nothing."""
        for name, limit_s in (("agent", self.plan.drain_s), ("server", _SERVER_STOP_S)):
            program = self.running.pop(name, None)
            if program is not None:
                program.stop(limit_s)

    def ended(self) -> str:
        """Return the name of a program that has ended by itself, or nothing."""
        return next((n for n, program in self.running.items() if program.code() is not None), "")

    def drained(self) -> bool:
        """Tell whether the agent has ended in order, as `launchyard drain` has it do."""
        return "agent" in self.running and self.running["agent"].code() == Code.OK

    def failed(self, name: str) -> CommandError:
        """Say that a program ended, in its own last words."""
        program = self.running[name]
        code = program.code()
        lines = Path(program.log).read_text(errors="replace").splitlines()
        return CommandError(
            f"the {name} ended with exit code {code}",
            "\n".join(lines[-_TAIL_LINES:]),
            f"its log is {program.log}",
            code=code or Code.ERROR,
        )

    def _start(self, name: str, words: list[str]) -> None:
        log = self.plan.state / f"{name}.log"
        self.running[name] = self._programs.start(words, str(log))

    def _wait(self, name: str, ready: Callable[[], bool]) -> None:
        stop = time.monotonic() + _READY_S
        while not ready():
            if self.running[name].code() is not None:
                raise self.failed(name)
            if time.monotonic() > stop:
                raise CommandError(
                    f"the {name} was not ready within {_READY_S:.0f} s",
                    "",
                    f"its log is {self.running[name].log}",
                    code=Code.TIMEOUT,
                )
            time.sleep(_LOOK_S)

    def _answers(self) -> bool:
        operator = self._programs.operator(self.plan.url, "")
        try:
            operator.info()
        except ServerError as error:
            if not error.retry:
                raise
            return False
        finally:
            operator.close()
        return self.plan.key_file.exists()


def _once(make: Callable[[], object]) -> None:
    """Make something unless it is there."""
    try:
        make()
    except OperatorError as error:
        if error.refusal.failure is not Failure.CONFLICT:
            raise


def refuse_taken(port: int, flag: str = "--port") -> None:
    """Raise `CommandError` when somebody listens on *port*, which *flag* chooses."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise CommandError(
                f"port {port} is taken",
                f"{_HOST}:{port}: {(error.strerror or '').lower()}",
                f"stop what listens there (another `launchyard up`?), or choose one with {flag}",
                code=Code.CONFLICT,
            ) from None


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def until_signal() -> Iterator[threading.Event]:
    """Give an event that is set by the first Ctrl-C, SIGTERM or lost terminal.

    Later ones are let pass while things are being stopped in order.
    """
    asked = threading.Event()

    def note(_number: int, _frame: FrameType | None) -> None:
        asked.set()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before: Mapping[int, object] = {number: signal.signal(number, note) for number in numbers}
    try:
        yield asked
    finally:
        for number in numbers:
            signal.signal(number, before[number])  # type: ignore[arg-type]
