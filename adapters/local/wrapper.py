"""The few lines of shell between us and a job, and how they are started.

The wrapper leads a session of its own and puts the job into another, so that a signal to the
job's group leaves it to write how the job ended. Nothing but the shell's own commands runs, except
`setsid`, which becomes the job. In its records folder it leaves

    started   made only if it was not there: who runs this, as boot id and `/proc/self/stat`
    job       the job's own `/proc/self/stat`, before it starts
    exit      how it ended, in one short write: a code, and `cancelled` if that was asked for

and it looks for `cancel` after writing `job`: who cancels writes first and looks for `job` after.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

LOCK_FD: Final = 9
"""Where the wrapper inherits the lock of its folder, which it lets go once `started` is there."""

TOO_LATE: Final = "deadline"
"""What stands in `exit` when the deadline had passed: then nothing was started."""

_SCRIPT: Final = f"""\
trap '' HUP INT QUIT TERM
cd -- "$1" || exit 125
read -r LY_D || exit 125
read -r LY_A </proc/self/stat
set -C
echo "$2 $LY_A" >started || exit 125
set +C
read -r LY_A LY_B </proc/uptime
if [ "${{LY_A%.*}}${{LY_A#*.}}" -ge "$LY_D" ]; then echo {TOO_LATE} >exit; exit 0; fi
exec {LOCK_FD}>&- </dev/null
(
  trap - HUP INT QUIT TERM
  read -r LY_A </proc/self/stat
  echo "$LY_A" >job
  [ ! -e cancel ] || exit 125
  exec >>log 2>&1
  cd -- "$3" || exit 126
  unset OLDPWD
  ulimit -S -n "$4"
  shift 4
  exec "$@"
)
LY_A=$?
[ ! -e cancel ] || LY_A="$LY_A cancelled"
echo "$LY_A" >exit
"""
_RESET: Final = tuple(
    number
    for number in signal.valid_signals()
    if number not in (signal.SIGKILL, signal.SIGSTOP) and number < signal.SIGRTMIN
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapped:
    """A job as its wrapper is told of it.

    From the pipe *word* the wrapper reads its deadline before it begins, in hundredths of a second
    since boot; where none comes it ends.
    *argv* begins with what puts it into another session; *env* is the job's, secrets and all.
    *policy* is by what rules it gets processor time, where they are not ours.
    """

    folder: str
    lock: int
    word: int
    boot: str
    cwd: str
    argv: tuple[str, ...]
    open_files: int
    policy: tuple[int, os.sched_param] | None
    env: Mapping[str, str] = field(repr=False)


def spawn(shell: str, job: Wrapped) -> int:
    """Start the wrapper of *job* and return its process number.

    Raises:
        OSError: the machine refuses another process, or the command is too long for it.
    """
    files = "unlimited" if job.open_files < 0 else str(job.open_files)
    told = (job.folder, job.boot, job.cwd, files)
    posix_spawn = os.posix_spawn
    if job.policy is not None:
        posix_spawn = partial(posix_spawn, scheduler=job.policy)
    return posix_spawn(
        shell,
        ("sh", "-c", _SCRIPT, "launchyard-job", *told, *job.argv),
        job.env,
        file_actions=(
            # Its word comes first, for it may have the very number that the lock gets.
            (os.POSIX_SPAWN_DUP2, job.word, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_RDWR, 0),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            (os.POSIX_SPAWN_DUP2, job.lock, LOCK_FD),
        ),
        setsid=True,
        setsigmask=(),
        setsigdef=_RESET,
    )
