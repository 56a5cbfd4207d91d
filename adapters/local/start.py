"""Starting a job once, whoever asks, how often, and whatever crashed in between."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from launchyard.adapters.local import machine
from launchyard.adapters.local.folders import make_folders
from launchyard.adapters.local.parking import Parked, Parking, give_word
from launchyard.adapters.local.process import marks_of, stat
from launchyard.adapters.local.records import Ownership, Records, Started
from launchyard.adapters.local.wrapper import Wrapped, spawn
from launchyard.domain.naming import DIGEST, labels, may_adopt
from launchyard.domain.reason import Reason
from launchyard.domain.targets.local import LocalPlan
from launchyard.ports.runner import Launch, RunnerError

_LOCK_S: Final = 10.0
_STANDARD_ERROR: Final = 2


class Starter:
    """Starts wrappers; a start in its folder is made under its lock, which the wrapper inherits."""

    def __init__(self, shell: str, boot: str, parking: Parking) -> None:
        self._shell = shell
        self._parking = parking
        self._boot = boot
        self._setsid = _program("setsid", "util-linux")
        self._counter = machine.oom_counter()
        _close_on_exec()
        self._open_files = _raise_open_files()
        self._plain = _is_plain()

    def start(self, launch: Launch, records: Records) -> Started:
        """Start *launch*, or return who runs it already.

        Raises:
            RunnerError: the name is a stranger's, or the deadline has passed.
            OSError: the machine refuses.
        """
        plan = _plan_of(launch)
        started = self._unparked(launch)
        if started is None and not records.there():
            _check_deadline(launch)
            with records.made(self._ownership(launch, plan)) as lock:
                if lock is not None:
                    return self._spawn(launch, plan, records, lock)
        # What is there now may have been parked a moment ago, and keeps its lock until then.
        started = started or self._unparked(launch)
        if started is not None:
            return started
        with records.locked(_LOCK_S) as lock:
            _check_owner(launch, records)
            started = self._standing(records)
            return started or self._spawn(launch, plan, records, lock)

    def prepare(self, launch: Launch, records: Records) -> None:
        """Park a wrapper for *launch*, unless there is a start of its name already.

        Raises:
            OSError: the machine refuses.
            RunnerError: the launch cannot be started.
        """
        plan = _plan_of(launch)

        def make() -> Parked | None:
            if records.there():
                return None
            with records.made(self._ownership(launch, plan)) as lock:
                if lock is None:
                    return None
                make_folders(plan)
                ear, word = os.pipe()
                try:
                    return Parked(launch, records, self._wrapped(launch, records, lock, ear), word)
                except BaseException:
                    os.close(word)
                    raise

        self._parking.put(launch.name, make)

    def _unparked(self, launch: Launch) -> Started | None:
        """Let what was parked for *launch* begin; None where there is nothing, or it has died."""
        parked = self._parking.take(launch)
        if parked is None:
            return None
        try:
            _check_deadline(launch)
        except RunnerError:
            parked.drop()
            raise
        with suppress(OSError):
            give_word(parked.word, launch.deadline)
            return parked.started
        return None

    def settled(self, records: Records) -> Started | None:
        """Return who runs it, once a start that is being made has come through."""
        started = records.started()
        if started is None:
            with records.locked(_LOCK_S):
                started = records.started()
        return started

    def if_settled(self, records: Records) -> Started | None:
        """Return the same, and None where a start hangs or its folder is gone."""
        with suppress(OSError):
            return self.settled(records)
        return None

    def _standing(self, records: Records) -> Started | None:
        """Return who runs it; forget what came too late or was cut short."""
        started, end = records.started(), records.exit()
        if started is not None and not (end and end.too_late):
            return started
        records.restart()
        return None

    def _spawn(self, launch: Launch, plan: LocalPlan, records: Records, lock: int) -> Started:
        make_folders(plan)
        _check_deadline(launch)
        ear, word = os.pipe()
        give_word(word, launch.deadline)  # before there is a wrapper, so that none can miss it
        return self._wrapped(launch, records, lock, ear)

    def _wrapped(self, launch: Launch, records: Records, lock: int, ear: int) -> Started:
        """Start the wrapper with its folder's lock and its end *ear* of a pipe, which is closed."""
        plan = _plan_of(launch)
        try:
            wrapped = Wrapped(
                folder=records.place,
                lock=lock,
                word=ear,
                boot=self._boot,
                cwd=plan.cwd,
                argv=self._command(plan),
                env=_environment(launch, plan),
                open_files=self._open_files,
                policy=self._policy(),
            )
            found = stat(spawn(self._shell, wrapped))
        finally:
            os.close(ear)
        if found is None:
            message = f"{launch.name} was gone at once; does this process ignore SIGCHLD?"
            raise RunnerError(message, reason=Reason.SUBMIT_FAILED, retry=True)
        return Started(self._boot, found.process)

    def _policy(self) -> tuple[int, os.sched_param] | None:
        """Return the policy of jobs, where this process has taken another since it began."""
        if not self._plain or _is_plain():
            return None
        return os.SCHED_OTHER, os.sched_param(0)

    def _ownership(self, launch: Launch, plan: LocalPlan) -> Ownership:
        return Ownership(
            owner=launch.owner,
            labels={**launch.labels, **labels(launch.owner, launch.labels.get(DIGEST, ""))},
            folder=plan.folder,
            output=plan.output,
            log_quota_b=plan.log_quota_b,
            oom_kills=machine.oom_kills(self._counter),
            missing=_missing(plan),
            outputs=plan.outputs,
        )

    def _command(self, plan: LocalPlan) -> tuple[str, ...]:
        """Return the words that become the job in a session of its own."""
        if not plan.nice:
            return (self._setsid, "--", *plan.argv)
        nice = _program("nice", "coreutils")
        return (self._setsid, "--", nice, "-n", str(plan.nice), "--", *plan.argv)


def _plan_of(launch: Launch) -> LocalPlan:
    if not isinstance(launch.plan, LocalPlan) or not launch.plan.argv:
        message = f"{launch.name} has no plan for the local-process target"
        raise RunnerError(message, reason=Reason.SPEC_INVALID)
    return launch.plan


def _program(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        message = f"`{name}` is not on the PATH; install {package}, which brings it"
        raise RunnerError(message, reason=Reason.SUBMIT_FAILED)
    return found


def _check_owner(launch: Launch, records: Records) -> None:
    ownership, owner = records.ownership(), launch.owner
    found = ownership.labels if ownership else {}
    if not may_adopt(found, owner.installation, owner.item, owner.attempt):
        message = f"{launch.name} is there already ({records.folder}) and is not this attempt's"
        raise RunnerError(message, reason=Reason.NAME_TAKEN)


def _check_deadline(launch: Launch) -> None:
    if machine.boottime() >= launch.deadline:
        message = f"the lease of {launch.name} ran out before it could be started"
        raise RunnerError(message, reason=Reason.DEADLINE_PASSED)


def _environment(launch: Launch, plan: LocalPlan) -> Mapping[str, str]:
    """Return the job's variables, with those by which its processes are found again."""
    return {**plan.env, **launch.secrets, **marks_of(launch.owner)}


def _missing(plan: LocalPlan) -> str:
    """Return the command's name when it is no program; asked only where the job fails so."""
    word = plan.argv[0]
    place = os.path.normpath(Path(plan.cwd, word)) if "/" in word else word
    return "" if shutil.which(place, path=plan.env.get("PATH", os.defpath)) else word


def _close_on_exec() -> None:
    """Keep what this process inherited from reaching jobs, which would hold it open for days.

    A worker process of `multiprocessing` has such descriptors, by which its death is noticed.
    """
    for entry in os.listdir("/proc/self/fd"):  # noqa: PTH208 - the names are all we want
        fd = int(entry)
        if fd > _STANDARD_ERROR:
            with suppress(OSError):  # the listing's own
                os.set_inheritable(fd, False)  # noqa: FBT003 - takes no name


def _is_plain() -> bool:
    try:
        return os.sched_getscheduler(0) == os.SCHED_OTHER
    except OSError:
        return True  # a sandbox that forbids the question forbids any other policy


def _raise_open_files() -> int:
    """Let this process open all the files it may, and return what it could: jobs keep that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return soft
