"""What is asked about launches before they run, and what is told about them afterwards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from launchyard.domain.attempt import AttemptState
from launchyard.domain.attempts import Attempt
from launchyard.domain.documents import Json, copy_json
from launchyard.domain.exchange import Fact
from launchyard.domain.macros import compose, plain
from launchyard.domain.reason import Reason
from launchyard.domain.spec import LaunchSpec, parse_spec
from launchyard.domain.submission import overrides_of, unwrapped


class Phase(StrEnum):
    """When a launch is reviewed: while it is only looked at, or just before it is made."""

    PLAN = "plan"
    CLAIM = "claim"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A launch to be judged: its spec as it was submitted, and the configuration of its queue.

    A reviewer may give it back with another `spec` or `config`; all else stays as it is.
    """

    phase: Phase
    target: str
    entity: str
    queue: str
    spec: Json
    config: Json
    submitter: str = ""
    item: str = ""
    attempt: int = 0

    @property
    def parsed(self) -> LaunchSpec:
        """Return the spec as our code reads it.

        Raises:
            DocumentError: it is none.
        """
        return replace(parse_spec(self.spec), resource=self.target)

    @property
    def merged(self) -> Json:
        """Return what the target will get: the launch laid over its queue, macros still in it.

        Raises:
            DocumentError: the spec is none.
        """
        spec, queue = self.parsed, unwrapped(self.config, self.target)
        return plain(compose(queue, overrides_of(spec), spec.template_variables))

    def copy(self) -> Review:
        """Return the same with documents of its own."""
        return replace(self, spec=copy_json(self.spec), config=copy_json(self.config))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A no: `rule` is a few words that stay the same, `message` says what to change, for people."""

    rule: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """What all reviewers together say: the launch as it now is, or who refused it and why.

    `changed_by` names the plugins that changed it. `unable` means that nobody could judge: the
    launch must not run here, and that is not its fault.
    """

    review: Review
    plugin: str = ""
    rejection: Rejection | None = None
    changed_by: tuple[str, ...] = ()
    unable: bool = False

    @property
    def text(self) -> str:
        """Return the refusal for people, empty where there is none."""
        no = self.rejection
        return f"refused by {self.plugin}, rule `{no.rule}`: {no.message}" if no else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """May work for *target* be taken now? `folder` is where the agent keeps its jobs."""

    target: str
    host_bound: bool
    folder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """One step of an attempt, told after it is on record; the same `id` is the same step.

    Of two with one item the higher attempt, then the higher `seq`, is the later one.
    """

    id: str
    at_ms: int
    item: str
    attempt: int
    seq: int
    state: AttemptState
    entity: str
    queue: str
    target: str
    agent: str
    run_id: str = ""
    submitter: str = ""
    reason: Reason | None = None
    detail: str = ""
    exit_code: int | None = None


def event_of(row: Attempt, news: Fact, agent: str) -> JobEvent:
    """Return *news* of *row*, as its last report tells it, as an event."""
    grant = row.grant
    return JobEvent(
        id=f"{row.item}.{row.attempt}.{row.seq}",
        at_ms=news.at_ms,
        item=row.item,
        attempt=row.attempt,
        seq=row.seq,
        state=row.state,
        entity=grant.entity,
        queue=grant.queue,
        target=grant.resource,
        agent=agent,
        run_id=grant.run_id,
        submitter=grant.submitter,
        reason=row.reason if row.ended else None,
        detail=news.detail,
        exit_code=news.exit_code,
    )
