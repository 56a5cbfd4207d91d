"""Asks plugins for their word while an agent works, and takes silence and errors for a no."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from launchyard.domain.documents import copy_json
from launchyard.domain.exchange import Refusal
from launchyard.domain.review import JobEvent, Question, Rejection, Review, Reviewed
from launchyard.plugins.builtin_policy import HOST_GUARD as NAME
from launchyard.plugins.events import Receivers
from launchyard.plugins.guard import StrangerError
from launchyard.plugins.manager import Plugins
from launchyard.plugins.row import BUILT_IN, Row
from launchyard.ports import families
from launchyard.ports.metrics import Metrics
from launchyard.ports.plugins import PluginView

HOST_GUARD: Final = "host_guard"
GUARD: Final = "guard"
"""Why a plugin's own guard keeps an agent off a target."""

REVIEWER_OFF: Final = "reviewer_off"
ERROR: Final = "error"
"""The rule that a plugin breaks which gives no answer."""


class PluginPolicy:
    """A `Policy` made of the plugins that have the hooks; each call ends within *limit_s*.

    Built-in reviewers come last, so that they judge what the others have made of a launch.
    """

    def __init__(
        self, plugins: Plugins, metrics: Metrics | None = None, limit_s: float = 5.0
    ) -> None:
        self._plugins, self._metrics, self._limit_s = plugins, metrics, limit_s
        found = plugins.rows_with("review_launch")
        self._reviewers = sorted(found, key=lambda row: row.origin == BUILT_IN)
        self._guards = plugins.rows_with("can_accept")
        self._receivers = Receivers(plugins, metrics, limit_s)

    @property
    def reviews(self) -> bool:
        """Whether there is anybody who reviews launches."""
        return bool(self._reviewers)

    @property
    def guards(self) -> bool:
        """Whether `refusal` can ever be more than None."""
        return bool(self._guards or self._reviewers)

    @property
    def listens(self) -> bool:
        """Whether anybody wants to hear of events."""
        return bool(self._receivers)

    def review(self, review: Review) -> Reviewed:
        """Let everybody judge *review*, one after another, until one refuses it."""
        now = review
        changed: list[str] = []
        for row in self._reviewers:
            try:
                answer = self._ask(row, now)
            except StrangerError as e:
                return self._failed(row, now, str(e))
            if isinstance(answer, Rejection):
                self._count(row, "rejected")
                return Reviewed(review=now, plugin=row.name, rejection=answer)
            if answer is None or answer == now:
                self._count(row, "passed")
                continue
            self._count(row, "changed")
            changed.append(row.name)
            now = answer
        return Reviewed(review=now, changed_by=tuple(changed))

    def refusal(self, question: Question) -> Refusal | None:
        """Say why nothing may be taken now, if so."""
        for row in self._reviewers:
            if row.state != "on":
                text = f"plugin {row.name}, which reviews launches, is switched off: {_last(row)}"
                return Refusal(reason=REVIEWER_OFF, detail=text)
        for row in self._guards:
            try:
                answer = self._plugins.ask(row, "can_accept", self._limit_s, question=question)
            except StrangerError as e:
                return Refusal(reason=_reason(row), detail=f"{row.name}: {e}")
            if isinstance(answer, Rejection):
                text = f"{row.name}, {answer.rule}: {answer.message}"
                return Refusal(reason=_reason(row), detail=text)
            if answer is not None:
                text = f"answered with a {type(answer).__name__} instead of a Rejection"
                self._plugins.note(row, "can_accept", text)
                return Refusal(reason=_reason(row), detail=f"{row.name}: {text}")
        return None

    def tell(self, event: JobEvent) -> None:
        """Pass *event* on to everybody who listens."""
        self._receivers.put(event)

    def listing(self) -> Sequence[PluginView]:
        """Return every plugin with what is wrong with it now."""
        return self._plugins.listing()

    def close(self, timeout_s: float) -> None:
        """Give listeners so long for what they have not heard yet."""
        self._receivers.close(timeout_s)

    def _ask(self, row: Row, now: Review) -> Review | Rejection | None:
        """Ask one reviewer; of what it gives back only spec and configuration count.

        Raises:
            StrangerError: it gave no answer, or one of another kind.
        """
        answer = self._plugins.ask(row, "review_launch", self._limit_s, review=now.copy())
        if answer is None or isinstance(answer, Rejection):
            return answer
        if not isinstance(answer, Review):
            text = f"answered with a {type(answer).__name__} instead of a Review or Rejection"
            self._plugins.note(row, "review_launch", text)
            raise StrangerError(text)
        return replace(now, spec=copy_json(answer.spec), config=copy_json(answer.config))

    def _failed(self, row: Row, now: Review, said: str) -> Reviewed:
        """Refuse what could not be judged; once a reviewer is off, nothing is judged any more."""
        self._count(row, "failed")
        told = _last(row) if row.state != "on" else said
        no = Rejection(rule=ERROR, message=f"the plugin {told}; nothing runs unreviewed")
        # The launch that broke the reviewer is refused, lest it break the next agent's, too.
        return Reviewed(
            review=now, plugin=row.name, rejection=no, unable=said.startswith("is switched off")
        )

    def _count(self, row: Row, result: str) -> None:
        if self._metrics is not None:
            labels: Mapping[str, str] = {"plugin": row.name, "result": result}
            self._metrics.count(families.LAUNCH_REVIEWS, labels)


def _last(row: Row) -> str:
    return row.faults[-1] if row.faults else "it is off"


def _reason(row: Row) -> str:
    """Return why a guard refuses: the one in the box looks at its machine, others at theirs."""
    return HOST_GUARD if row.name == NAME else GUARD
