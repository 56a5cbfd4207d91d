"""Removing images that jobs brought to the engine and that none has used for long.

Which ones these are is written down in a file, since the engine does not know who pulled what;
images that were there before are not in it, and are never touched. An image that lost its name to
a newer one is there by its id.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from launchyard.adapters.docker.client import CONFLICT, Engine, EngineError
from launchyard.domain.targets.docker_config import TYPE
from launchyard.ports import events, families
from launchyard.ports.metrics import Metrics

_log = logging.getLogger(__name__)
_LEAST_S: Final = 0.05
_MOST_S: Final = 3600.0
_ID: Final = "sha256:"


@dataclass(frozen=True, slots=True)
class Pruning:
    """What is to be removed: images that no job has used for `after_s` seconds; 0 keeps all.

    The clock is the wall's, so that what was written down holds over restarts; one that jumps costs
    another pull at worst, or keeps images for longer.
    """

    after_s: float = 0.0
    metrics: Metrics | None = None
    now: Callable[[], float] = time.time


class Pruner:
    """Knows when each pulled image was used last, and removes what was not for long.

    Where nothing is to be removed, nothing is written down.
    """

    def __init__(self, engine: Engine, folder: str, wish: Pruning) -> None:
        self._engine, self._metrics = engine, wish.metrics
        self._after_s, self._now = wish.after_s, wish.now
        self._file = Path(folder, "images.json")
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._used = self._read() if wish.after_s else {}
        if wish.after_s:
            threading.Thread(target=self._run, name="pruner", daemon=True).start()

    @property
    def on(self) -> bool:
        """Whether images are removed at all."""
        return bool(self._after_s)

    def pulled(self, image: str, before: str = "", after: str = "") -> None:
        """Note that a job brought *image*; the ids are of what had its name *before* and *after*.

        Without the former nothing had it.
        """
        if not self.on:
            return
        with self._lock:
            ours = not before or image in self._used
            if ours:
                self._note(image)
            if before and before != after:
                # A name that was not ours stays, and so does what had it; the new image is a job's.
                self._note(before if ours else after)

    def used(self, image: str) -> None:
        """Note that a job is about to use *image*: what is there after this call stays for it."""
        if self.on:
            with self._lock:
                if image in self._used:
                    self._note(image)

    def close(self) -> None:
        """Remove nothing more."""
        self._closed.set()

    def prune(self) -> None:
        """Remove what is due; an image that a container uses is asked about again later."""
        with self._lock:
            known = tuple(self._used)
        for image in known:
            try:
                # Under the lock: a job that is about to use it waits, and then fetches it anew.
                with self._lock:
                    self._look(image)
            except EngineError as e:
                events.IMAGE_STAYS.log(_log, image=image, error=e)
                self._count("failed")

    def _look(self, image: str) -> None:
        if self._now() - self._used[image] < self._after_s:
            return
        there = self._engine.image(image)
        if image.startswith(_ID) and (there is None or there.tags):
            # While it has a name, that decides; when it is gone, it went with its name.
            self._note(image) if there else self._forget(image)
        elif self._remove(image):
            self._count("removed", there.size_b if there else 0)
            self._forget(image)
            events.IMAGE_PRUNED.log(_log, image=image)
        else:
            self._note(image)
            self._count("in_use")

    def _forget(self, image: str) -> None:
        del self._used[image]
        self._write()

    def _remove(self, image: str) -> bool:
        """Remove an image; say no when a container has it."""
        # Of an image with several names the engine would take one away at any time.
        if self._engine.has_container_of(image):
            return False
        try:
            self._engine.remove_image(image)
        except EngineError as e:
            if e.status != CONFLICT:
                raise
            return False
        return True

    def _count(self, outcome: str, size_b: int = 0) -> None:
        if self._metrics is None:
            return
        self._metrics.count(families.IMAGE_PRUNINGS, {"target": TYPE, "outcome": outcome})
        if size_b:
            self._metrics.count(families.IMAGES_PRUNED_BYTES, {"target": TYPE}, size_b)

    def _run(self) -> None:
        while not self._closed.wait(max(_LEAST_S, min(self._after_s / 4, _MOST_S))):
            self.prune()

    def _note(self, image: str) -> None:
        before, self._used[image] = self._used.get(image, 0.0), self._now()
        # A moment more or less is nothing, and every submit comes here.
        if self._used[image] - before > self._after_s / 100:
            self._write()

    def _read(self) -> dict[str, float]:
        with suppress(OSError, ValueError):
            found = json.loads(self._file.read_text())
            return {str(image): float(at) for image, at in dict(found).items()}
        return {}

    def _write(self) -> None:
        with suppress(OSError):
            fresh = self._file.with_suffix(".new")
            fresh.write_text(json.dumps(self._used))
            fresh.replace(self._file)
