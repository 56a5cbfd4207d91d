"""What is taken out of a log's lines, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchyard.domain.redaction import redact

KEY = "bw4ix8dqgszgooa08nzbgxg32px481sc2fju02xm9445p48z"
ATTEMPT = f"lyat{'0f' * 50}"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"Authorization: Bearer {KEY}", "Authorization: Bearer ***"),
        ("authorization: basic YXBpOmh1bnRlcjI=", "authorization: basic ***"),
        (f"the key {KEY} is new", "the key *** is new"),
        (f"LAUNCHYARD_TOKEN={ATTEMPT}", "LAUNCHYARD_TOKEN=***"),
        (f"got {ATTEMPT}.", "got ***."),
        ("https://ann:hunter2@host/x", "https://***@host/x"),
        ('{"wandb_api_key": "hunter2x"}', '{"wandb_api_key": "***"}'),
        ("HF_TOKEN=hunter2x, password: hunter2x", "HF_TOKEN=***, password: ***"),
    ],
)
def test_a_secret_goes(text: str, clean: str) -> None:
    """By its form, or by the name beside it."""
    assert redact(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "0190c8a4-5f0e-7cc3-98c5-a1b2c3d4e5f6 is done",
        f"sha256:{'ab12' * 16}",
        "ab12" * 12,
        "token 0.3 is stale, token=12.34",
        "there is no secret 'hf'; did you mean 'hf-token'?",
        "https://host/team@2/x",
        "POST /api/v1/entities/team/secrets 201",
    ],
)
def test_what_people_need_stays(text: str) -> None:
    """Ids, digests, lease tokens, names."""
    assert redact(text) == text


@given(st.text())
def test_twice_is_once(text: str) -> None:
    """A line may pass more than one net."""
    assert redact(redact(text)) == redact(text)
