"""Answers that never arrive: the call was carried out, and the caller does not know."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.proxy import proxy
from tests.programs import LIMIT_S, once, ran_once, yard

CALLS = ("claim", "launching", "reports", "heartbeat")


@pytest.mark.parametrize("call", CALLS)
def test_a_lost_answer_neither_loses_nor_doubles_a_job(tmp_path: Path, call: str) -> None:
    """The agent repeats the call, and the repeat means the same."""
    seen = [0]

    def lose(head: bytes) -> bool:
        if f"/{call} ".encode() not in head.split(b"\r\n", 1)[0]:
            return False
        seen[0] += 1
        return seen[0] in {1, 2}

    with yard(tmp_path) as place, proxy(place.port, lose) as between:
        place.through = between.port
        markers = [tmp_path / f"job{n}" for n in range(3)]
        items = [place.submit(*once(marker)) for marker in markers]
        place.start_agent()
        for item in items:
            assert place.wait_done(item)["attempt_state"] == "succeeded"
        assert between.lost.wait(LIMIT_S)
        assert all(ran_once(marker) for marker in markers)
