"""Follow a job to its end: its stages and its log, until the end or Ctrl-C."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import click

from launchyard.adapters.cli.codes import Code
from launchyard.adapters.cli.ends import of_end
from launchyard.adapters.cli.live import View
from launchyard.adapters.cli.session import short
from launchyard.domain.item import ItemState
from launchyard.ports.operator import LogAddress, LogText, Operator
from launchyard.ports.records import ItemView

_TICK_S: Final = 0.1
_LOG_PATIENCE_S: Final = 15.0
"""How long to wait for the rest of a log once the item's events have ended."""


class Ended:
    """A source of news has ended; *error* says why, unless it was regular."""

    def __init__(self, name: str, error: Exception | None) -> None:
        self.name = name
        self.error = error


class Follower:
    """Reads events and logs in threads of their own, and shows them from one."""

    def __init__(self, operator: Operator, item: str, view: View) -> None:
        self._operator = operator
        self._item = item
        self._view = view
        self._news: queue.SimpleQueue[ItemView | LogText | Ended] = queue.SimpleQueue()
        self._open: set[str] = set()
        self._logged = 0
        self.last: ItemView | None = None

    def run(self, first: ItemView | None = None) -> ItemView | None:
        """Show everything until the item's end; return the item as it ended.

        Raises:
            ServerError: the server refused, or stayed away.
        """
        if first is not None:
            self._take(first)
        self._read("events", lambda: self._operator.events(self._item))
        silent_s = 0.0
        while self._open:
            try:
                news = self._news.get(timeout=_TICK_S)
            except queue.Empty:
                self._view.tick()
                silent_s += _TICK_S
                if "events" not in self._open and silent_s > _LOG_PATIENCE_S:
                    break
                continue
            silent_s = 0.0
            self._take(news)
        return self.last

    def _take(self, news: ItemView | LogText | Ended) -> None:
        match news:
            case ItemView():
                self.last = news
                self._view.item(news)
                if news.attempt > self._logged and news.state is not ItemState.QUEUED:
                    self._logged = news.attempt
                    address = LogAddress(item=self._item, attempt=news.attempt)
                    self._read(f"log {news.attempt}", lambda: self._operator.follow_logs(address))
            case LogText():
                self._view.log(news)
            case Ended(name=name, error=error):
                self._open.discard(name)
                if error is not None:
                    raise error

    def _read(self, name: str, begin: Callable[[], Iterator[Any]]) -> None:
        self._open.add(name)
        # A daemon: a reader that waits for a silent server must not hold up Ctrl-C.
        threading.Thread(target=self._pump, args=(name, begin), name=name, daemon=True).start()

    def _pump(self, name: str, begin: Callable[[], Iterable[ItemView | LogText]]) -> None:
        try:
            for one in begin():
                self._news.put(one)
        except Exception as error:  # noqa: BLE001 - told by the thread that shows
            self._news.put(Ended(name, error))
        else:
            self._news.put(Ended(name, None))


def detached(item: ItemView, *flags: str) -> int:
    """Tell the way back to *item*, with the flags that the command had; return the exit code."""
    name = short(item.id)
    click.echo(f"\ndetached from {name}; the job goes on", err=True)
    click.echo(f"  come back: {' '.join(('launchyard logs -f', name, *flags))}", err=True)
    click.echo(f"  end it:    launchyard cancel {name}", err=True)
    return Code.INTERRUPTED


def follow(operator: Operator, item: ItemView, view: View) -> int:
    """Follow *item* to its end; return the exit code. Ctrl-C detaches: the job goes on."""
    follower = Follower(operator, item.id, view)
    try:
        last = follower.run(item)
    except KeyboardInterrupt:
        view.close(None)
        return detached(item)
    except BaseException:
        view.close(None)
        raise
    view.close(last)
    if last is None or last.state is not ItemState.DONE:
        return Code.ERROR
    return of_end(last.attempt_state)
