"""Letting plugins judge launches and machines, in threads that may wait for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from launchyard.actors.facts import ReviewDone, SupervisorFact
from launchyard.actors.mailbox import Mailbox
from launchyard.actors.messages import Ref
from launchyard.actors.role import Role
from launchyard.actors.session import Session
from launchyard.domain.attempts import Attempt
from launchyard.domain.config.problem import DocumentError
from launchyard.domain.exchange import Refusal
from launchyard.domain.review import Phase, Question, Review
from launchyard.ports import families
from launchyard.ports.policy import Policy
from launchyard.ports.target import Target

_NOT_LOOKED: Final = "not_looked"
_REASONS: Final = ("host_guard", "guard", "reviewer_off", _NOT_LOOKED)


@dataclass(frozen=True, slots=True)
class AskReview:
    """Judge this attempt's launch."""

    ref: Ref
    review: Review


@dataclass(frozen=True, slots=True)
class Inspect:
    """Look at the machine again."""


class ReviewBook:
    """Which attempts still need a word of the reviewers; the supervisor's thread asks."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.lanes: tuple[Mailbox[AskReview], ...] = tuple(
            Mailbox[AskReview]() for _ in range(2 if policy.reviews else 0)
        )
        self._asked: set[Ref] = set()

    def needs(self, row: Attempt) -> bool:
        """Tell whether nothing may be made of *row* before it is reviewed."""
        return bool(self.lanes) and not row.reviewed

    def ask(self, row: Attempt) -> None:
        """Have *row* judged, unless it is being judged already."""
        ref, grant = Ref(row.item, row.attempt), row.grant
        if ref in self._asked:
            return
        self._asked.add(ref)
        review = Review(
            phase=Phase.CLAIM,
            target=grant.resource,
            entity=grant.entity,
            queue=grant.queue,
            spec=grant.spec,
            config=grant.queue_config,
            submitter=grant.submitter,
            item=row.item,
            attempt=row.attempt,
        )
        min(self.lanes, key=len).put(AskReview(ref, review))

    def done(self, ref: Ref) -> None:
        """Note that the word came."""
        self._asked.discard(ref)


class Reviewer(Role[AskReview]):
    """Asks the reviewers about one launch after another."""

    def __init__(
        self, mailbox: Mailbox[AskReview], policy: Policy, tell: Mailbox[SupervisorFact]
    ) -> None:
        super().__init__(mailbox)
        self._policy, self._tell = policy, tell

    def work(self, letters: Sequence[AskReview]) -> None:
        for letter in letters:
            self.mailbox.doing = f"has {letter.ref.item} reviewed"
            try:
                letter.review.merged  # noqa: B018 - a spec that is none needs no reviewer
            except DocumentError as e:
                self._tell.put(ReviewDone(letter.ref, None, str(e)))
                continue
            self._tell.put(ReviewDone(letter.ref, self._policy.review(letter.review)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What a `Warden` looks after: targets, the folder of their jobs, and how often."""

    policy: Policy
    targets: Mapping[str, Target]
    folder: str
    interval_s: float = 10.0


class Warden(Role[Inspect]):
    """Asks the guards for each target, and notes for which of them nothing may be taken now."""

    def __init__(self, mailbox: Mailbox[Inspect], session: Session, watched: Watched) -> None:
        super().__init__(mailbox)
        self._session, self._watched = session, watched

    @staticmethod
    def shut(session: Session, watched: Watched) -> None:
        """Take nothing for any target before the first look."""
        for name in watched.targets:
            session.standing.refuse(name, Refusal(reason=_NOT_LOOKED, detail="not looked yet"))

    def on_start(self) -> None:
        """Begin with a look."""
        self.mailbox.put(Inspect())

    def work(self, letters: Sequence[Inspect]) -> None:  # noqa: ARG002 - one look answers all
        self.mailbox.doing = "looks at the machine"
        for name, target in self._watched.targets.items():
            question = Question(
                target=name, host_bound=target.host_bound, folder=self._watched.folder
            )
            self._note(name, self._watched.policy.refusal(question))
        wait_s = self._watched.interval_s
        self._session.alarms.after("warden", wait_s, lambda: self.mailbox.put(Inspect()))

    def _note(self, target: str, refusal: Refusal | None) -> None:
        session = self._session
        if refusal is not None:
            session.standing.refuse(target, refusal)
            session.board.put(f"target {target}", refusal.detail)
        else:
            session.board.clear(f"target {target}")
        for reason in _REASONS:
            if refusal is None or reason != refusal.reason:
                session.standing.accept(target, reason)
        labels = {"target": target}
        session.metrics.gauge(families.TARGET_REFUSED, float(refusal is not None), labels)
