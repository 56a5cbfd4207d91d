"""The supervisor's table of attempts, and what one step of it changes.

Changes are made here first, written to the journal in one commit, and only then sent: a step
collects them all (`Step`), and nothing leaves the process before its commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from launchyard.actors.messages import Ref, ToHost
from launchyard.actors.session import LeaseBook
from launchyard.domain.attempt import AttemptState
from launchyard.domain.attempts import Attempt, from_document, to_document
from launchyard.domain.attempts import report as make_report
from launchyard.domain.exchange import Fact, ItemGrant, Launching, Place, Release, Report
from launchyard.domain.lease import Token
from launchyard.domain.naming import target_name
from launchyard.domain.review import JobEvent
from launchyard.ports.journal import Batch, Contents, Entry
from launchyard.ports.runner import Handle
from launchyard.ports.target import Planned


@dataclass(slots=True)
class Step:
    """What the facts of one drain come to; sent after the commit."""

    dirty: dict[str, None] = field(default_factory=dict)
    reports: list[Report] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)
    forgotten: dict[str, None] = field(default_factory=dict)
    meta: dict[str, str] = field(default_factory=dict)
    to_hosts: dict[str, list[ToHost]] = field(default_factory=dict)
    launches: list[Launching] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)
    effects: list[Callable[[], None]] = field(default_factory=list)
    events: dict[str, JobEvent] = field(default_factory=dict)
    """What listeners hear, by id: a step that another took the place of was never one."""

    @property
    def writes(self) -> bool:
        """Whether anything is for the journal."""
        return bool(self.dirty or self.reports or self.sent or self.forgotten or self.meta)


class Vault:
    """The secrets of attempts: in memory alone, and longer than any one supervisor."""

    def __init__(self) -> None:
        self._secrets: dict[str, Mapping[str, str]] = {}

    def put(self, item: str, secrets: Mapping[str, str]) -> None:
        """Keep an item's secrets."""
        if secrets:
            self._secrets[item] = secrets

    def get(self, item: str) -> Mapping[str, str]:
        """Return an item's secrets."""
        return self._secrets.get(item, {})

    def drop(self, item: str) -> None:
        """Forget them."""
        self._secrets.pop(item, None)


class Table:
    """Every attempt that this agent knows of. The supervisor's thread alone changes it."""

    def __init__(self, leases: LeaseBook, vault: Vault) -> None:
        self.rows: dict[str, Attempt] = {}
        self.early: dict[str, None] = {}
        """Items that are not on a target yet, oldest first."""
        self.plans: dict[str, Planned] = {}
        self.step = Step()
        self.changed = True
        self._leases, self._vault = leases, vault
        self._gone: dict[Ref, Token] = {}

    def load(self, contents: Contents) -> None:
        """Begin with what the journal holds.

        Raises:
            WireError: a row is of another form.
        """
        first: dict[str, int] = {}
        for report in contents.outbox:
            first.setdefault(report.lease.item, report.seq)
        for entry in contents.entries:
            row = from_document(entry.row)
            # What the server took is no longer in the outbox.
            self._set(replace(row, acked=first.get(row.item, row.seq + 1) - 1))

    def get(self, ref: Ref) -> Attempt | None:
        """Return the row of this very attempt."""
        row = self.rows.get(ref.item)
        return row if row is not None and row.attempt == ref.attempt else None

    def put(self, row: Attempt) -> None:
        """Set a row; it is written with this step, after all that the step forgets."""
        self._set(row)
        self.step.dirty[row.item] = None

    def touch(self, row: Attempt) -> None:
        """Set a row in a way that need not be written."""
        self._set(row)

    def tell(self, row: Attempt, fact: Fact) -> Attempt:
        """Put *fact* into the outbox as the item's next report; return the new row."""
        known = self._merged(row, fact)
        if known is None:
            known, made = make_report(row, fact)
            self.step.reports.append(made)
        self.put(known)
        return known

    def _merged(self, row: Attempt, fact: Fact) -> Attempt | None:
        """Let RUNNING take the place of a PENDING that nobody has seen yet, if there is one."""
        if fact.state is not AttemptState.RUNNING or not self.step.reports:
            return None
        last = self.step.reports[-1]
        if last.lease != row.lease or last.fact.state is not AttemptState.PENDING:
            return None
        self.step.reports[-1] = replace(last, fact=fact)
        return row

    def forget(self, row: Attempt) -> None:
        """Drop a row with all that is its."""
        item = row.item
        self.rows.pop(item, None)
        self.early.pop(item, None)
        self.plans.pop(item, None)
        self._leases.drop(item)
        self._vault.drop(item)
        self.step.dirty.pop(item, None)
        self.step.forgotten[item] = None
        self.step.reports = [r for r in self.step.reports if r.lease.item != item]
        self._gone[ref_of(row)] = row.token
        if len(self._gone) > _REMEMBERED:
            self._gone.pop(next(iter(self._gone)))
        self.changed = True

    def is_gone(self, grant: ItemGrant) -> bool:
        """Tell whether *grant* is an old one, of an attempt that was settled and forgotten."""
        token = self._gone.get(Ref(grant.item, grant.attempt))
        return token is not None and grant.token <= token

    def take_step(self) -> tuple[Step, Batch | None]:
        """Return the step so far and what of it is for the journal; a new step begins."""
        step, self.step = self.step, Step()
        if not step.writes:
            return step, None
        rows = [self.rows[item] for item in step.dirty]
        batch = Batch(
            entries=[Entry(item=row.item, row=to_document(row)) for row in rows],
            reports=step.reports,
            sent=step.sent,
            forgotten=list(step.forgotten),
            meta=step.meta,
        )
        return step, batch

    def active(self) -> Iterator[Attempt]:
        """Give the rows that have not ended."""
        return (row for row in self.rows.values() if not row.ended)

    def secrets(self, item: str) -> Mapping[str, str]:
        """Return an item's secrets, as far as they are known."""
        return self._vault.get(item)

    def keep_secrets(self, row: Attempt) -> Attempt:
        """Move a new row's secrets to where no journal sees them."""
        self._vault.put(row.item, row.grant.secrets)
        return replace(row, grant=replace(row.grant, secrets={}))

    def _set(self, row: Attempt) -> None:
        item = row.item
        self.rows[item] = row
        if row.place is None and not row.ended:
            self.early[item] = None
        else:
            self.early.pop(item, None)
        # An end that the server does not know yet is still ours to tell.
        if row.stale or row.finished:
            self._leases.drop(item)
        else:
            self._leases.keep(row.lease)
        self.changed = True


_REMEMBERED = 4096


def ref_of(row: Attempt) -> Ref:
    """Return which attempt *row* is."""
    return Ref(row.item, row.attempt)


def name_of(row: Attempt, installation: str) -> str:
    """Return the name of *row* on its target."""
    return target_name(installation, row.item, row.attempt)


def handle_of(place: Place) -> Handle:
    """Return the handle in *place*."""
    return Handle(scope=place.scope, name=place.name, uid=place.uid)


def place_in(handle: Handle) -> Place:
    """Return *handle* as the server knows places."""
    return Place(scope=handle.scope, name=handle.name, uid=handle.uid)
