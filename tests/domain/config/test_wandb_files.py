"""What W&B's agent accepts as its configuration works here unchanged."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from launchyard.domain.documents import Json, dotted

from .kit import checked

W_AND_B: Sequence[Json] = (
    {
        "entity": None,
        "queues": ["default", "other"],
        **dict.fromkeys(("max_jobs", "max_schedulers", "secure_mode", "verbosity")),
        **dict.fromkeys(("stopped_run_timeout", "environment", "registry", "builder")),
    },
    {
        "entity": "team",
        "queues": ["default"],
        "max_jobs": -1,
        "max_schedulers": -1,
        "secure_mode": True,
        "verbosity": 2,
        "stopped_run_timeout": 0,
        "environment": {"type": "azure", "region": None},
        "builder": {
            "type": "kaniko",
            "destination": "https://mine.azurecr.io/images",
            "platform": "linux/arm64",
            "build-context-store": "https://acct.blob.core.windows.net/box/path",
            "build-job-name": "image-build",
            "secret-name": "s",
            "secret-key": "k",
            "kaniko-image": "registry/kaniko/executor:latest",
            "kaniko-config": {"spec": {"template": {"spec": {"containers": [{"args": ["a=b"]}]}}}},
        },
    },
    {
        "entity": "team",
        "queues": ["default"],
        "environment": {"type": "gcp", "region": "r", "project": "p"},
        "registry": {"type": "gcr", "repository": "a", "image-name": "b"},
        "builder": {"type": None, "destination": None, "platform": None, "secret-name": None},
    },
    {
        "entity": "team",
        "environment": {"type": None, "region": None},
        "registry": {"type": None},
        "builder": {"type": "noop", "build-context-store": None},
    },
)


@pytest.mark.parametrize("document", W_AND_B)
def test_every_key_of_w_and_bs_agent_is_read(document: Json) -> None:
    """With and without a value, and with nothing to complain of."""
    result = checked(document)
    assert [problem.text for problem in result.problems] == []
    assert result.config is not None


@pytest.mark.parametrize("block", ["environment", "builder"])
def test_what_w_and_b_passes_over_stops_nothing(block: str) -> None:
    """Its files work unchanged: keys of its cloud or builder that are nobody's are told alone."""
    of_type = {"environment": {"type": "gcp", "region": "r", "project": "p"}, "builder": {}}[block]
    result = checked({block: {**of_type, "zzz": 1}})
    assert result.config is not None
    assert [(dotted(p.path), p.message) for p in result.problems] == [
        (f"{block}.zzz", "unknown key")
    ]
