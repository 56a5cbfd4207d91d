"""What the agent asks those who set rules, and what it tells those who listen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from launchyard.domain.exchange import Refusal
from launchyard.domain.review import JobEvent, Question, Review, Reviewed
from launchyard.ports.plugins import PluginView


class Policy(Protocol):
    """Rules and listeners that plugins bring. Thread-safe; nothing but an answer ever leaves."""

    @property
    def reviews(self) -> bool:
        """Whether there is anybody who reviews launches."""
        ...

    @property
    def guards(self) -> bool:
        """Whether `refusal` can ever be more than None."""
        ...

    @property
    def listens(self) -> bool:
        """Whether anybody wants to hear of events."""
        ...

    def review(self, review: Review) -> Reviewed:
        """Let everybody judge *review*, one after another; takes as long as they may take."""
        ...

    def refusal(self, question: Question) -> Refusal | None:
        """Say why nothing may be taken now, if so; takes as long as those asked may take."""
        ...

    def tell(self, event: JobEvent) -> None:
        """Pass *event* on; returns at once, and drops it where a listener is too far behind."""
        ...

    def listing(self) -> Sequence[PluginView]:
        """Return every plugin with what is wrong with it now."""
        ...

    def close(self, timeout_s: float) -> None:
        """Give listeners so long for what they have not heard yet."""
        ...


class NoPolicy:
    """A `Policy` without a rule or a listener."""

    reviews = False
    guards = False
    listens = False

    def review(self, review: Review) -> Reviewed:
        """Let everything pass."""
        return Reviewed(review=review)

    def refusal(self, question: Question) -> Refusal | None:  # noqa: ARG002 - the port's
        """Refuse nothing."""
        return None

    def tell(self, event: JobEvent) -> None:
        """Tell nobody."""

    def listing(self) -> Sequence[PluginView]:
        """Return none."""
        return ()

    def close(self, timeout_s: float) -> None:
        """Wait for nobody."""
