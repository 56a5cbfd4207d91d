"""Fetching images: each once at a time, whoever waits for it."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from launchyard.adapters.docker.client import Engine, EngineError, Image
from launchyard.adapters.docker.pruning import Pruner
from launchyard.domain.images import parse_image
from launchyard.domain.reason import Reason
from launchyard.domain.targets.docker import DockerPlan
from launchyard.ports import events
from launchyard.ports.runner import RunnerError

_log = logging.getLogger(__name__)
_PATIENCE_S: Final = 1.0
_REFUSED: Final = ("denied", "unauthorized", "authenti", "forbidden", "no basic auth")
_MISSING: Final = ("not found", "manifest unknown", "no such", "does not exist", "no matching")
_NO_HOST: Final = ("no such host", "host not found")
_LATER: Final = ("toomanyrequests", "too many requests")
_NAMES: Final = re.compile(r"\S*[/@]\S*|\S+:\S+")
"""Addresses and names of images, which may hold any word: `ghost:5`, `localhost/denied`."""


@dataclass(slots=True)
class _Pull:
    """A pull under way or over, and who has still to hear how it ended."""

    waiting: set[str] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)
    error: RunnerError | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """An image that is there, and whether it was pulled for who asks."""

    image: Image
    pulled: bool


class Images:
    """Sees to it that images are there; a pull goes on in a thread, submits come back for it."""

    def __init__(self, engine: Engine, pruner: Pruner) -> None:
        self._engine, self._pruner = engine, pruner
        self._lock = threading.Lock()
        self._pulls: dict[tuple[str, str], _Pull] = {}

    def ensure(self, name: str, plan: DockerPlan, *, anew: bool = False) -> Ready:
        """Return the image of the container *name*, once it is there.

        With *anew* it is pulled even if it seems to be there.

        Raises:
            RunnerError: it cannot be had; or it is still on its way, and *name* has to come again.
        """
        key = (plan.image, plan.platform)
        with self._lock:
            pull = self._pulls.get(key)
            ours = pull is not None and name in pull.waiting
        self._pruner.used(plan.image)
        if not ours and not anew and (there := self._here(plan)) is not None:
            return Ready(there, pulled=False)
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
        return Ready(self._pulled(plan.image), pulled=True)

    def _here(self, plan: DockerPlan) -> Image | None:
        """Return an image that is there and will do."""
        if plan.pull == "always":
            return None
        there = self._engine.image(plan.image)
        if there is None and plan.pull == "never":
            text = f"the engine has no image {plan.image}, and `pull: never` lets it fetch none"
            raise RunnerError(text, reason=Reason.SOURCE_NOT_FOUND)
        return there

    def _pulled(self, image: str) -> Image:
        """Return an image whose pull ended without a complaint."""
        there = self._engine.image(image)
        if there is None:
            text = f"the pull of {image} ended, and the engine does not have it"
            raise RunnerError(text, reason=Reason.SOURCE_UNREACHABLE, retry=True)
        return there

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
            before = self._engine.image(image) if self._pruner.on else None
            for line in self._engine.pull(image, platform):
                if said := _error(line):
                    pull.error = _failure(image, said)
            if pull.error is None:
                events.IMAGE_PULLED.log(_log, image=image)
                self._note(image, before)
        except EngineError as e:
            # Without a status nobody has judged: it was the engine that did not answer.
            pull.error = _failure(image, str(e)) if e.status else e
        finally:
            pull.over.set()

    def _note(self, image: str, before: Image | None) -> None:
        """Have the pruner know what a pull brought, and what lost its name to it."""
        after = self._engine.image(image) if self._pruner.on else None
        if after is not None:
            self._pruner.pulled(image, before.uid if before else "", after.uid)


def _error(line: Mapping[str, Any]) -> str:
    """Return what a line of a pull says went wrong; `error` alone is the old way, and to go."""
    detail = line.get("errorDetail")
    return str((detail or {}).get("message") or line.get("error") or "")


def _failure(image: str, said: str) -> RunnerError:
    """Return the error of a pull by the registry's words, which are all that there is."""
    said = said.removeprefix(f"{image} cannot be pulled: ")
    low = _NAMES.sub(" ", said).lower()
    if any(word in low for word in _LATER):
        return RunnerError(f"{image}: {said}", reason=Reason.SOURCE_UNREACHABLE, retry=True)
    if any(word in low for word in _REFUSED):
        host = parse_image(image).registry
        remedy = f"check the name, or `docker login {host}` as the agent's user"
        text = f"{image}: {said}; {remedy}"
        return RunnerError(text, reason=Reason.SOURCE_REFUSED)
    if any(word in low for word in _MISSING) and not any(word in low for word in _NO_HOST):
        return RunnerError(f"{image}: {said}", reason=Reason.SOURCE_NOT_FOUND)
    return RunnerError(f"{image}: {said}", reason=Reason.SOURCE_UNREACHABLE, retry=True)
