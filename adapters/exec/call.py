"""Calling one of the executables: a document in, a document out, a time limit, an exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Final

from launchyard.domain.documents import Json
from launchyard.domain.reason import Reason
from launchyard.ports.runner import RunnerError

LIMIT_S: Final = 12.0
"""How long one call may take; the port promises 15 s."""

_MOST_B: Final = 8 * 1024 * 1024
_WORDS: Final = 500
_VERSION: Final = 1


class Code(IntEnum):
    """What an executable says with its exit code; every other one is a failure for good."""

    DONE = 0
    REFUSED = 65
    TAKEN = 73
    AGAIN = 75


class NameTakenError(Exception):
    """`submit` says that the name is there already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Executables:
    """The files by their roles, and the only variables that they see."""

    files: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    folder: str = "/"
    limit_s: float = LIMIT_S

    def ask(self, role: str, document: Mapping[str, Json], words: Mapping[str, str]) -> Json:
        """Call *role*'s executable and return the JSON that it answers, None for nothing.

        Raises:
            RunnerError: it failed, took too long, or answered with something else.
            NameTakenError: it says so.
        """
        said = self.run(role, document, words)
        if not said.strip():
            return None
        try:
            answer: Json = json.loads(said)
        except ValueError:
            text = f"answered {said[:80]!r}, which is no JSON"
            raise self._broken(role, text) from None
        return answer

    def run(self, role: str, document: Mapping[str, Json], words: Mapping[str, str]) -> bytes:
        """Call *role*'s executable and return all that it writes to its output."""
        line = json.dumps(
            {"version": _VERSION, **document}, separators=(",", ":"), sort_keys=True
        ).encode()
        try:
            process = subprocess.Popen(
                [self.files[role]],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self.folder,
                env={**self.environment, **_prefixed(words)},
                start_new_session=True,
            )
        except OSError as e:
            text = f"cannot be started: {e.strerror or e}"
            raise self._broken(role, text) from None
        out, err = self._finish(role, process, line + b"\n")
        self._judge(role, process.returncode, err)
        if len(out) > _MOST_B:
            raise self._broken(role, f"wrote {len(out)} bytes, and {_MOST_B} is the most")
        return out

    def _finish(
        self, role: str, process: subprocess.Popen[bytes], line: bytes
    ) -> tuple[bytes, bytes]:
        try:
            return process.communicate(line, timeout=self.limit_s)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            # What it started may hold the pipes open; nobody waits for that.
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
            process.wait()
            text = f"`{self._name(role)}` gave no answer within {self.limit_s:g} s and was ended"
            raise RunnerError(text, reason=Reason.TARGET_UNREACHABLE, retry=True) from None

    def _judge(self, role: str, code: int, err: bytes) -> None:
        if code == Code.DONE:
            return
        said = err.decode(errors="replace").strip().rpartition("\n")[2][:_WORDS]
        text = f"`{self._name(role)}`: {said or f'ended with code {code}'}"
        if code == Code.TAKEN:
            raise NameTakenError(text)
        if code == Code.AGAIN:
            raise RunnerError(text, reason=Reason.TARGET_UNREACHABLE, retry=True)
        reason = Reason.SPEC_INVALID if code == Code.REFUSED else Reason.SUBMIT_FAILED
        raise RunnerError(text, reason=reason)

    def _broken(self, role: str, text: str) -> RunnerError:
        return RunnerError(f"`{self._name(role)}` {text}", reason=Reason.SUBMIT_FAILED)

    def _name(self, role: str) -> str:
        return Path(self.files[role]).name


def _prefixed(words: Mapping[str, str]) -> dict[str, str]:
    """Return the values that shell scripts would have to dig out of the document."""
    return {f"LAUNCHYARD_{name.upper()}": value for name, value in words.items()}
