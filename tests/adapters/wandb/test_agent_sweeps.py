"""Runs of sweeps: whether they may begin."""

from __future__ import annotations

import pytest

from launchyard.domain.exchange import ItemGrant, Verdict
from launchyard.ports.launch_server import ServerError
from tests.adapters.wandb.agent_kit import SPEC, Side
from tests.wandb_server import WandbServer


def test_many_sweeps_are_asked_about_in_one_request(side: Side, wandb_server: WandbServer) -> None:
    """Each once, whichever of its runs asks; one that is over, or gone, holds up no other."""
    for name, state in (("s1", "RUNNING"), ("s2", "CANCELED"), ("s3", "PAUSED")):
        wandb_server.sweep(name, state=state)
    sweeps = {
        wandb_server.push("q1", {**SPEC, "sweep_id": name}).id: name
        for name in ("s1", "s2", "s3", "s4", "s1", "s2")
    }
    grants: list[ItemGrant] = []
    while len(grants) < len(sweeps):
        grants += side.claim(free=6, wait_s=5).items
    wandb_server.requests.clear()
    wandb_server.fail(503, field="project", times=1)
    with pytest.raises(ServerError) as unwell:
        side.launch(*grants)
    assert unwell.value.retry
    answers = dict(zip((g.item for g in grants), side.launch(*grants), strict=True))
    refused = {sweeps[i]: a.detail for i, a in answers.items() if a.verdict is Verdict.REFUSED}
    assert refused == {
        "s2": "the sweep s2 is canceled, so no run begins",
        "s4": "the sweep s4 is unknown, so no run begins",
    }
    assert [r.operation for r in wandb_server.requests] == [
        "ackRunQueueItem",
        "GetSweepState",
        "GetSweepState",
    ]
    assert wandb_server.requests[-1].fields == ["project"] * 4
