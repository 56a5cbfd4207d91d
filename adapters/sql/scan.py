"""The scan that ends leases."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import bindparam, select, update

from launchyard.adapters.sql.agents import SET_AGENT
from launchyard.adapters.sql.part import Base
from launchyard.adapters.sql.rows import GRANT
from launchyard.adapters.sql.stock import SqlStock
from launchyard.adapters.sql.tables import agents, items
from launchyard.domain.attempt import AttemptState
from launchyard.domain.expiry import Fate, next_look
from launchyard.domain.lease import clock_jumped
from launchyard.domain.reason import Reason
from launchyard.ports.records import Expiry

EXPIRED = (
    select(agents.c.n, agents.c.stock)
    .where(agents.c.lease_until_ms.is_not(None), agents.c.lease_until_ms <= bindparam("now"))
    .order_by(agents.c.lease_until_ms)
)
HELD_SOME = (
    GRANT.where(items.c.holder_n == bindparam("agent_n"))
    .order_by(items.c.seq)
    .limit(bindparam("most"))
)
FORGOTTEN = (
    GRANT.where(items.c.offered_until_ms.is_not(None), items.c.offered_until_ms <= bindparam("now"))
    .order_by(items.c.offered_until_ms)
    .limit(bindparam("most"))
)
NEXT_LEASE = (
    select(agents.c.lease_until_ms)
    .where(agents.c.lease_until_ms.is_not(None))
    .order_by(agents.c.lease_until_ms)
    .limit(1)
)
NEXT_OFFER = (
    select(items.c.offered_until_ms)
    .where(items.c.offered_until_ms.is_not(None))
    .order_by(items.c.offered_until_ms)
    .limit(1)
)
_GRACE_LEASES = update(agents).where(agents.c.lease_until_ms.is_not(None))
_GRACE_OFFERS = update(items).where(items.c.offered_until_ms.is_not(None))
_LOST = f"no agent that reaches its scope came back in time ({Reason.HOST_LOST})"


@dataclass(frozen=True, slots=True)
class _Look:
    """When the last scan was, on both clocks, and when the next was due."""

    wall_ms: int
    boot_s: float
    next_s: float


class SqlScan(SqlStock):
    """Expiry by this store's clock alone."""

    def __init__(self, base: Base) -> None:
        super().__init__(base)
        self._look: _Look | None = None

    def expire(self) -> Expiry:
        now, boot = self._clock.now_ms(), self._clock.boottime()
        set_s, late_s = self._unheard(now, boot)
        with self._write():
            if self._look is None or set_s or late_s:
                self._grace(now)
            done = self._scan(now)
        self._look = _Look(now, boot, done.next_s)
        return replace(done, clock_set_s=set_s, late_s=late_s)

    def _unheard(self, now: int, boot: float) -> tuple[float, float]:
        """Return why agents may have spoken without being heard since the last scan, if they may.

        How far the clock was set, and how much too late this scan is; the first one is neither.
        """
        look = self._look
        if look is None:
            return 0.0, 0.0
        wall_s, passed_s = (now - look.wall_ms) / 1000, boot - look.boot_s
        was_set = clock_jumped(wall_s, passed_s, passed_s)
        is_late = clock_jumped(passed_s, passed_s, look.next_s)
        return (
            wall_s - passed_s if was_set else 0.0,
            passed_s - look.next_s if is_late else 0.0,
        )

    def _grace(self, now: int) -> None:
        """Give every live lease, and every wait for a host, a full term from now."""
        lost = now + round(self._settings.host_lost_s * 1000)
        self._db.run(_GRACE_LEASES, lease_until_ms=self._lease_until(now))
        self._db.run(_GRACE_OFFERS, offered_until_ms=lost)
        self._grace_stock(now)

    def _scan(self, now: int) -> Expiry:
        found = Expiry()
        left = self._settings.scan_most
        for agent in self._db.rows(EXPIRED, now=now):
            if agent["stock"]:  # its items are looked after one by one
                self._db.run(SET_AGENT, b_n=agent["n"], lease_until_ms=None)
            elif left > 0:
                found, left = self._end_lease(agent["n"], found, left)
        lost = self._db.rows(FORGOTTEN, now=now, most=max(left, 0))
        for row in lost:
            self._conclude(row, AttemptState.LOST, reason=Reason.HOST_LOST.value, detail=_LOST)
        silent = self._look_after_stock(now, max(left, 0))
        woken = {f"{row['entity']}/{row['queue']}" for row in (*lost, *silent.moved)}
        look = next_look(now, self._deadlines(), self._settings.ttl_s)
        return replace(
            found,
            woken=tuple(sorted(woken | set(found.woken))),
            requeued=found.requeued + silent.requeued,
            lost=len(lost) + silent.lost,
            next_s=look,
        )

    def _deadlines(self) -> list[int]:
        """Return when the next lease ends, and the next wait for a host."""
        lease, offer = self._db.one(NEXT_LEASE), self._db.one(NEXT_OFFER)
        found = [lease["lease_until_ms"]] if lease else []
        return [*found, offer["offered_until_ms"]] if offer else found

    def _end_lease(self, agent_n: int, found: Expiry, left: int) -> tuple[Expiry, int]:
        """Drop what an agent holds, as much as one scan may; its lease ends with the last."""
        rows = self._db.rows(HELD_SOME, agent_n=agent_n, most=left)
        fates = [self._drop(row) for row in rows]
        if len(rows) < left:
            self._db.run(SET_AGENT, b_n=agent_n, lease_until_ms=None)
        woken = {f"{row['entity']}/{row['queue']}" for row in rows} | set(found.woken)
        counted = replace(
            found,
            woken=tuple(woken),
            requeued=found.requeued + fates.count(Fate.REQUEUED),
            offered=found.offered + fates.count(Fate.OFFERED),
        )
        return counted, left - len(rows)
