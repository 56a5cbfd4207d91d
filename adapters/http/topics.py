"""Who follows what: wake-ups for live streams, in the event loop's thread."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Follower:
    """One stream's bell; a bell that rang while nobody listened is heard at the next `wait`."""

    def __init__(self) -> None:
        self._bell = asyncio.Event()

    def ring(self) -> None:
        """Say that something changed."""
        self._bell.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for the bell, at most so long; tell whether it rang."""
        try:
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        except TimeoutError:
            return False
        self._bell.clear()
        return True


class Topics:
    """Followers by what they follow."""

    def __init__(self) -> None:
        self._followers: dict[str, set[Follower]] = {}
        self.closed = False

    @contextmanager
    def follow(self, topic: str) -> Iterator[Follower]:
        """Follow *topic* for as long as the context lasts."""
        follower = Follower()
        group = self._followers.setdefault(topic, set())
        group.add(follower)
        try:
            yield follower
        finally:
            group.discard(follower)
            if not group and self._followers.get(topic) is group:
                del self._followers[topic]

    def publish(self, topic: str) -> None:
        """Ring for everyone who follows *topic*."""
        for follower in self._followers.get(topic, ()):
            follower.ring()

    def publish_items(self, items: Iterable[str]) -> None:
        """Ring for everyone who follows one of *items*, its log included."""
        if self._followers:
            for item in items:
                self.publish(item)
                self.publish(log_topic(item))

    def publish_all(self) -> None:
        """Ring for everyone: something changed, and nobody can say for whom."""
        for group in self._followers.values():
            for follower in group:
                follower.ring()

    def close(self) -> None:
        """Let every stream end."""
        self.closed = True
        self.publish_all()


def log_topic(item: str) -> str:
    """Name the topic of an item's log."""
    return f"log:{item}"
