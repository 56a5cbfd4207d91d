"""Documents and places in them."""

from __future__ import annotations

from launchyard.domain.documents import copy_json, dotted


def test_a_path_reads_as_people_write_it() -> None:
    """Keys by dots, positions in brackets."""
    assert dotted(("builder", "kaniko-config", "containers", 0, "args")) == (
        "builder.kaniko-config.containers[0].args"
    )


def test_a_copy_shares_nothing() -> None:
    """Changing the copy leaves the original as it was."""
    original = {"a": [{"b": 1}]}
    copied = copy_json(original)  # type: ignore[arg-type]
    assert copied == original
    copied["a"][0]["b"] = 2  # type: ignore[index, call-overload]
    assert original == {"a": [{"b": 1}]}
