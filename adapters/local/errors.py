"""What the machine refuses, in the port's words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from launchyard.adapters.local.records import LockedOutError
from launchyard.domain.reason import Reason
from launchyard.ports.runner import RunnerError

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_SCARCE: Final = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})


@contextmanager
def runner_errors(doing: str) -> Iterator[None]:
    """Turn what goes wrong while *doing* something into `RunnerError`."""
    try:
        yield
    except LockedOutError as error:
        raise RunnerError(
            f"{doing}: {error}; it is tried again", reason=Reason.SUBMIT_FAILED, retry=True
        ) from error
    except OSError as error:
        raise _told(doing, error) from error
    except ValueError as error:  # a NUL, or letters that no encoding has
        message = f"{doing}: the command or a variable cannot be passed on: {error}"
        raise RunnerError(message, reason=Reason.SPEC_INVALID) from None


def _told(doing: str, error: OSError) -> RunnerError:
    where = f" ({error.filename})" if error.filename else ""
    message = f"{doing}: {error.strerror or error}{where}"
    if error.errno in FULL:
        hint = "make room on the disk of the state folder"
        return RunnerError(f"{message}; {hint}", reason=Reason.DISK_FULL, retry=True)
    if error.errno == errno.E2BIG:
        hint = "pass long values in files instead of arguments or variables"
        return RunnerError(f"{message}; {hint}", reason=Reason.SPEC_INVALID)
    if error.errno in _SCARCE:
        hint = "the machine is short of processes, memory or open files"
        return RunnerError(f"{message}; {hint}", reason=Reason.SUBMIT_FAILED, retry=True)
    return RunnerError(message, reason=Reason.SUBMIT_FAILED)
