"""The runner's records of one attempt: a folder that any later process can read.

    <root>/runs/<name>/owner   whose it is, and what is needed to end and remove it
    started job exit           written by the wrapper, see there
    cancel                     why it is to end, and how long it may take
    log                        what the job says

The folder appears with `owner` in it at once. Whoever starts something in it holds its lock, and
the wrapper inherits the lock until `started` is there: so nobody finds a start half done.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from launchyard.adapters.local.process import Process, read_short, read_stat
from launchyard.adapters.local.wrapper import TOO_LATE
from launchyard.domain.naming import Owner
from launchyard.domain.reason import Reason

_LOCK_TRY_S: Final = 0.002
_RUNS: Final = "runs"
_PARTS: Final = ("owner", "started", "job", "exit", "cancel", "log")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,200}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """What `owner` holds. `missing` is the command's name when it was not to be found.

    `outputs` are the patterns of the files that are wanted; none means all.
    """

    owner: Owner
    labels: Mapping[str, str]
    folder: str
    output: str
    log_quota_b: int
    oom_kills: int = 0
    missing: str = ""
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Started:
    """What `started` holds: the wrapper's process, and in which boot."""

    boot: str
    wrapper: Process


@dataclass(frozen=True, slots=True)
class Exit:
    """What `exit` holds. `code` is None where the text is no code: empty, or too late."""

    code: int | None
    cancelled: bool
    too_late: bool
    at_ms: int


@dataclass(frozen=True, slots=True)
class Wish:
    """What `cancel` holds."""

    reason: Reason
    grace_s: float


def _document(ownership: Ownership) -> dict[str, object]:
    owner = ownership.owner
    return {
        "owner": {
            "installation": owner.installation,
            "item": owner.item,
            "attempt": owner.attempt,
            "agent": owner.agent,
        },
        "labels": dict(ownership.labels),
        "folder": ownership.folder,
        "output": ownership.output,
        "log_quota_b": ownership.log_quota_b,
        "oom_kills": ownership.oom_kills,
        "missing": ownership.missing,
        # An agent of the release before reads no record that says more than it knows.
        **({"outputs": list(ownership.outputs)} if ownership.outputs else {}),
    }


def is_name(text: str) -> bool:
    """Tell whether *text* can name a folder of records, and no other folder."""
    return _NAME.fullmatch(text) is not None


class LockedOutError(OSError):
    """Somebody else keeps the lock for too long."""


@dataclass(frozen=True, slots=True)
class Records:
    """One attempt's folder."""

    root: str
    name: str
    place: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "place", f"{self.root}/{_RUNS}/{self.name}")

    @property
    def folder(self) -> Path:
        """The folder, for what is done seldom."""
        return Path(self.place)

    @contextmanager
    def made(self, ownership: Ownership) -> Iterator[int | None]:
        """Make the folder with its owner, locked, and give the lock; None if it is there."""
        fresh = self._beside("new")
        os.mkdir(fresh, 0o700)  # noqa: PTH102 - on the way of every start: what costs least
        lock = os.open(fresh, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _write(f"{fresh}/owner", json.dumps(_document(ownership)).encode())
            try:
                os.rename(fresh, self.place)  # noqa: PTH104 - likewise
            except OSError:
                shutil.rmtree(fresh, ignore_errors=True)
                if not self.there():
                    raise
                yield None
            else:
                yield lock
        finally:
            os.close(lock)

    @contextmanager
    def locked(self, timeout_s: float) -> Iterator[int]:
        """Hold the folder's lock and give it.

        Raises:
            FileNotFoundError: there is no such folder.
            LockedOutError: a start in it has not come through in time.
        """
        lock = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._take(lock, time.monotonic() + timeout_s)
            yield lock
        finally:
            os.close(lock)

    def _take(self, lock: int, until_s: float) -> None:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until_s:
                    raise LockedOutError(f"a start of {self.name} hangs") from None
                time.sleep(_LOCK_TRY_S)
            else:
                return

    def ownership(self) -> Ownership | None:
        """Return whose it is, or None when there is nothing of this name."""
        text = self._read("owner")
        with suppress(ValueError, TypeError):
            if text:
                read = json.loads(text)
                outputs = tuple(map(str, read.get("outputs", ())))
                return Ownership(**{**read, "owner": Owner(**read["owner"]), "outputs": outputs})
        return None

    def started(self) -> Started | None:
        """Return who runs it, or None when nobody was started."""
        boot, _, line = (self._read("started") or "").partition(" ")
        found = read_stat(line)
        return Started(boot, found.process) if found else None

    def job(self) -> Process | None:
        """Return the job's first process, or None when it was not started."""
        found = read_stat(self._read("job") or "")
        return found.process if found else None

    def exit(self) -> Exit | None:
        """Return how it ended; to be trusted only once the wrapper is known to be gone."""
        path = f"{self.place}/exit"
        try:
            words, at = read_short(path).split(), os.stat(path).st_mtime_ns  # noqa: PTH116
        except OSError:
            return None
        code = int(words[0]) if words and words[0].isdigit() else None
        return Exit(code, "cancelled" in words, TOO_LATE in words, at // 1_000_000)

    def wish(self) -> Wish | None:
        """Return why it is to end, or None when nobody wants that."""
        reason, _, grace = (self._read("cancel") or "").partition(" ")
        with suppress(ValueError):
            return Wish(Reason(reason), float(grace))
        return None

    def ask(self, wish: Wish) -> None:
        """Write down that it is to end; the first wish stays.

        Raises:
            OSError: the folder is gone, or cannot be written.
        """
        fresh = self.folder / f".cancel-{secrets.token_hex(6)}"
        fresh.write_text(f"{wish.reason.value} {wish.grace_s}", encoding="ascii")
        with suppress(FileExistsError):
            (self.folder / "cancel").hardlink_to(fresh)
        fresh.unlink()

    def restart(self) -> None:
        """Forget a start that came too late, so that another may be made. Needs the lock."""
        for part in ("job", "exit", "started"):
            (self.folder / part).unlink(missing_ok=True)

    def there(self) -> bool:
        """Tell whether the folder exists."""
        return os.path.isdir(self.place)  # noqa: PTH112

    def started_ms(self) -> int | None:
        """Return when it was started, by the wall clock."""
        with suppress(OSError):
            return os.stat(f"{self.place}/started").st_mtime_ns // 1_000_000  # noqa: PTH116
        return None

    def log(self) -> str:
        """Return the path of the log."""
        return f"{self.place}/log"

    def remove(self) -> None:
        """Take the folder away; repeating is harmless.

        Raises:
            OSError: something in it cannot be removed.
        """
        trash = self._beside("gone")
        with suppress(FileNotFoundError):
            os.rename(self.place, trash)  # noqa: PTH104 - as in `made`
            _remove_known(trash)

    def _beside(self, kind: str) -> str:
        return f"{self.root}/{_RUNS}/.{kind}-{self.name}-{secrets.token_hex(6)}"

    def _read(self, part: str) -> str | None:
        try:
            return read_short(f"{self.place}/{part}")
        except OSError:
            return None


def _write(path: str, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as f:
        f.write(data)


def _remove_known(folder: str) -> None:
    """Remove a folder of records: by what it should hold, and only else by looking into it."""
    try:
        for part in _PARTS:
            with suppress(FileNotFoundError):
                os.unlink(f"{folder}/{part}")  # noqa: PTH108 - once per job, as in `made`
        os.rmdir(folder)  # noqa: PTH106 - likewise
    except OSError:
        shutil.rmtree(folder)
