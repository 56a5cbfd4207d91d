"""No item is lost, none runs twice, and no stale holder writes, whatever goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import bindparam, select

from launchyard.adapters.sql.store import SqlStore, open_store
from launchyard.adapters.sql.tables import items
from launchyard.domain.exchange import (
    Answer,
    Caller,
    Launching,
    LeaseRef,
    Report,
)
from launchyard.domain.expiry import Fate
from launchyard.domain.item import ItemState
from launchyard.domain.lease import Token
from launchyard.plugins.testkit.store_world import MovableClock
from tests.chaos.store_agents import ViolationError
from tests.chaos.store_machine import StoreMachine

_ITEM = select(items).where(items.c.id == bindparam("id"))


class NoFencing(SqlStore):
    """Takes every writer for the present holder."""

    def _is_holder(self, agent: Any, row: Any) -> bool:
        return True

    def report(self, caller: Caller, batch: Sequence[Report]) -> Sequence[Answer]:
        return super().report(caller, [replace(r, lease=self._newest(r.lease)) for r in batch])

    def launching(self, caller: Caller, batch: Sequence[Launching]) -> Sequence[Answer]:
        return super().launching(caller, [replace(w, lease=self._newest(w.lease)) for w in batch])

    def _newest(self, lease: LeaseRef) -> LeaseRef:
        with self._db.read():
            row = self._db.one(_ITEM, id=lease.item)
        assert row is not None
        return replace(lease, token=Token(row["token_epoch"], row["token_counter"]))


class UnlistedRenewed(SqlStore):
    """Renews every lease of an agent that beats, listed or not."""

    def _missed(self, missing: Sequence[str]) -> Any:
        return ()


class LaunchingRequeued(SqlStore):
    """Puts what expires in LAUNCHING back on its queue, as if nothing could have come of it."""

    def _fate(self, row: Any) -> Fate:
        return Fate.REQUEUED if row["state"] == ItemState.LAUNCHING else super()._fate(row)

    def _requeue(self, row: Any) -> None:
        super()._requeue(row)
        self._set(row["seq"], place_scope="", place_name="", place_uid="")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a new database once."""
    path = tmp_path_factory.mktemp("template") / "server.db"
    open_store(f"sqlite:///{path}", MovableClock()).close()
    return path


def _run(kind: type[SqlStore], template: Path, examples: int, *phases: Phase) -> None:
    """Drive stores of one kind through random histories, the same ones each time."""
    machine = type(kind.__name__, (StoreMachine,), {"kind": kind, "template": template})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=50,
            derandomize=True,
            database=None,
            deadline=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_store_keeps_its_promises(template: Path) -> None:
    """Lost answers, duplicates, delays, crashes, clock jumps and restarts, in any order."""
    _run(SqlStore, template, 40, Phase.generate)


@pytest.mark.parametrize("bug", [NoFencing, UnlistedRenewed, LaunchingRequeued])
def test_a_planted_bug_is_found(bug: type[SqlStore], template: Path) -> None:
    """The machine that finds nothing in the store finds each bug that is known to be one."""
    with pytest.raises(ViolationError):
        _run(bug, template, 400, Phase.generate)
