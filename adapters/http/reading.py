"""Long queries beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from launchyard.ports.store import Store

_T = TypeVar("_T")


class Reader:
    """A thread with a connection of its own, made for the first query; queries take turns."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._view: Store | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def read(self, query: Callable[[Store], _T]) -> _T:
        """Return what *query* finds."""
        if self._view is None:
            self._view = self._store.reader()
        view = self._view
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: query(view))

    def close(self) -> None:
        """Wait for the query under way, and close the connection."""
        self._thread.shutdown(cancel_futures=True)
        if self._view is not None:
            self._view.close()
            self._view = None
