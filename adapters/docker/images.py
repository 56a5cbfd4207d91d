"""Fetching images: each once at a time, whoever waits for it."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from typing import Final

from launchyard.adapters.docker.client import Engine, EngineError
from launchyard.domain.reason import Reason
from launchyard.domain.targets.docker import DockerPlan
from launchyard.ports import events
from launchyard.ports.runner import RunnerError

_log = logging.getLogger(__name__)
_PATIENCE_S: Final = 1.0
_REFUSED: Final = ("denied", "unauthorized", "authentication required", "forbidden")
_MISSING: Final = ("not found", "manifest unknown", "no such", "does not exist", "no matching")


@dataclass(slots=True)
class _Pull:
    """A pull under way or over, and who has still to hear how it ended."""

    waiting: set[str] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)
    error: RunnerError | None = None


class Images:
    """Sees to it that images are there; a pull goes on in a thread, submits come back for it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._pulls: dict[tuple[str, str], _Pull] = {}

    def ensure(self, name: str, plan: DockerPlan) -> None:
        """Return when the image for the container *name* is there.

        Raises:
            RunnerError: it cannot be had; or it is still on its way, and *name* has to come again.
        """
        key = (plan.image, plan.platform)
        with self._lock:
            pull = self._pulls.get(key)
            ours = pull is not None and name in pull.waiting
        if not ours and self._is_here(plan):
            return
        pull = self._join(key, name)
        if not pull.over.wait(_PATIENCE_S):
            text = f"{plan.image} is being pulled"
            # Nothing has begun, and the lease may end before it does: come again, for ever.
            raise RunnerError(text, reason=Reason.DEADLINE_PASSED, retry=True)
        with self._lock:
            pull.waiting.discard(name)
            if not pull.waiting and self._pulls.get(key) is pull:
                del self._pulls[key]
        if pull.error is not None:
            raise pull.error

    def _is_here(self, plan: DockerPlan) -> bool:
        if plan.pull == "always":
            return False
        here = self._engine.has_image(plan.image)
        if not here and plan.pull == "never":
            text = f"the engine has no image {plan.image}, and `pull: never` lets it fetch none"
            raise RunnerError(text, reason=Reason.SOURCE_NOT_FOUND)
        return here

    def _join(self, key: tuple[str, str], name: str) -> _Pull:
        """Return the pull that *name* waits for; one that is over serves those alone who waited."""
        with self._lock:
            pull = self._pulls.get(key)
            if pull is None or (pull.over.is_set() and name not in pull.waiting):
                pull = self._pulls[key] = _Pull()
                work = threading.Thread(target=self._pull, args=(key, pull), daemon=True)
                work.start()
            pull.waiting.add(name)
            return pull

    def _pull(self, key: tuple[str, str], pull: _Pull) -> None:
        image, platform = key
        events.IMAGE_PULLING.log(_log, image=image)
        try:
            for line in self._engine.pull(image, platform):
                if said := line.get("error"):
                    pull.error = _failure(image, str(said))
            if pull.error is None:
                events.IMAGE_PULLED.log(_log, image=image)
        except EngineError as e:
            pull.error = _failure(image, str(e))
        finally:
            pull.over.set()


def _failure(image: str, said: str) -> RunnerError:
    """Return the error of a pull by the registry's words, which are all that there is."""
    low = said.lower()
    said = said.removeprefix(f"{image} cannot be pulled: ")
    if any(word in low for word in _REFUSED):
        text = f"{image}: {said}; give the agent a login for its registry, or check the name"
        return RunnerError(text, reason=Reason.SOURCE_REFUSED)
    if any(word in low for word in _MISSING) and "host" not in low:
        return RunnerError(f"{image}: {said}", reason=Reason.SOURCE_NOT_FOUND)
    return RunnerError(f"{image}: {said}", reason=Reason.SOURCE_UNREACHABLE, retry=True)
