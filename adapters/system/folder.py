"""The state folder of an agent, which one agent at a time may use."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_LOOK_EVERY_S: Final = 0.05


class FolderError(Exception):
    """The folder cannot be used; the message says why and what to do."""


class StateFolder:
    """A folder with a lock that this process and all that inherit `fd` hold together.

    It is free again when the last of them is gone, however it ended; so a new agent cannot meet
    worker processes of the one before.

    Raises:
        FolderError: it cannot be made or written, or others still hold it after *wait_s*.
    """

    def __init__(self, path: str, wait_s: float = 10.0) -> None:
        self.path = str(Path(path).expanduser().absolute())
        try:
            Path(self.path).mkdir(mode=0o700, parents=True, exist_ok=True)
            self.fd = os.open(Path(self.path, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as e:
            raise FolderError(
                f"the state folder {self.path} cannot be used: {e.strerror}; "
                "choose another with --state-dir"
            ) from e
        try:
            self._lock(wait_s)
        except BaseException:
            os.close(self.fd)
            raise

    def _lock(self, wait_s: float) -> None:
        until = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise FolderError(
                        f"another agent uses the state folder {self.path}; stop it, or choose "
                        "another folder with --state-dir"
                    ) from None
                time.sleep(_LOOK_EVERY_S)
            else:
                return

    def below(self, name: str) -> str:
        """Return a sub-folder, made if it is not there.

        Raises:
            FolderError: it cannot be made.
        """
        path = Path(self.path, name)
        try:
            path.mkdir(mode=0o700, exist_ok=True)
        except OSError as e:
            raise FolderError(f"the folder {path} cannot be made: {e.strerror}") from e
        return str(path)

    def close(self) -> None:
        """Let go of the lock, as far as this process holds it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def default_state(name: str) -> str:
    """Return where an agent called *name* keeps its state when nobody says otherwise."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
    return str(Path(base, "launchyard", "agents", name))
