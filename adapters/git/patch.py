"""The patcher: git's own, which refuses whatever leaves the folder."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from launchyard.adapters.git.process import Command, StoppedError, Until, run
from launchyard.adapters.git.settings import GitConfig, command_environment, command_line
from launchyard.domain.reason import Reason
from launchyard.domain.remotes import Remote
from launchyard.ports.source import SourceError

_NO_REMOTE = Remote(url="")


class GitPatcher:
    """A `Patcher` that runs `git apply`."""

    def __init__(self, config: GitConfig) -> None:
        self._config = config

    def apply(
        self, patch: bytes, folder: str, *, timeout_s: float, cancelled: Callable[[], bool]
    ) -> None:
        until = Until(deadline_s=time.monotonic() + timeout_s, cancelled=cancelled)
        try:
            with tempfile.NamedTemporaryFile(prefix="launchyard-", suffix=".patch") as file:
                file.write(patch)
                file.flush()
                result = run(self._command(file.name, Path(folder).resolve()), until)
        except StoppedError as e:
            reason = Reason.CANCELLED if e.cancelled else Reason.SOURCE_UNREACHABLE
            text = "applying the job's patch was " + ("cancelled" if e.cancelled else "too slow")
            raise SourceError(text, reason=reason, retry=not e.cancelled) from None
        except OSError as e:
            text = f"the job's patch could not be applied: {e.strerror}"
            raise SourceError(text, reason=Reason.DISK_FULL, retry=True) from None
        if result.code != 0:
            said = result.err.strip().splitlines()[:1] or ["git did not say why"]
            text = f"the job's patch does not fit its commit: {said[0][:200]}"
            hint = "push the changes, and make the job anew"
            raise SourceError(f"{text}; {hint}", reason=Reason.SOURCE_CORRUPT)

    def _command(self, patch: str, folder: Path) -> Command:
        words = command_line(self._config, _NO_REMOTE)
        env = command_environment(self._config, _NO_REMOTE)
        return Command(
            argv=[*words, "apply", "--whitespace=nowarn", "-p1", "--", patch],
            cwd=str(folder),
            # A repository around the folder would have git take the paths for its own.
            env={**env, "GIT_CEILING_DIRECTORIES": str(folder.parent)},
        )
