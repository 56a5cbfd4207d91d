"""What is printed as YAML reads back as the same document."""

from __future__ import annotations

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from launchyard.adapters.yaml.reader import read
from launchyard.adapters.yaml.writer import write
from launchyard.domain.documents import Json

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    [
        "yes",
        "1e3",
        "0644",
        "a,",
        "<b>",
        "x|y",
        "~",
        "",
        " a",
        "2024-01-31",
        "//",
        "a\nb\n",
        "012345",
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(DOCUMENTS)
def test_a_document_survives_the_round_trip(document: Json) -> None:
    """For our reader, and for W&B's, which takes `yes` for true."""
    text = write(document)
    assert read(text, "c.yaml").value == document
    assert yaml.safe_load(text) == document


def test_the_text_is_what_people_would_write() -> None:
    """Block style, keys in their order, quotes where something could be misread."""
    text = write({"queues": ["default", "on"], "max_jobs": -1, "note": "a\nb\n", "empty": {}})
    assert text == ("queues:\n  - default\n  - 'on'\nmax_jobs: -1\nnote: |\n  a\n  b\nempty: {}\n")
