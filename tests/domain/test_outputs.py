"""Which of a job's files are kept."""

from __future__ import annotations

import pytest

from launchyard.domain.outputs import is_wanted


@pytest.mark.parametrize(
    ("path", "patterns", "wanted"),
    [
        ("a/b", [], True),
        ("model.pt", ["model.pt"], True),
        ("x/model.pt", ["model.pt"], False),
        ("plots/a.png", ["plots/*.png"], True),
        ("plots/deep/a.png", ["plots/*.png"], False),
        ("plots/deep/a.png", ["plots"], True),
        ("plots/deep/a.png", ["./plots/"], True),
        ("plots2/a.png", ["plots"], False),
        ("plots/deep/er/a.png", ["plots/**/*.png"], True),
        ("plots/a.png", ["plots/**/*.png"], True),
        ("a.png", ["**/*.png"], True),
        ("a/b/c", ["**"], True),
        ("a/x/b/x/c", ["**/x/**/x/c"], True),
        ("a/x/b/c", ["**/x/**/x/c"], False),
        ("run1.log", ["run[0-9].log", "other"], True),
        ("Model.pt", ["model.pt"], False),
    ],
)
def test_patterns_choose_files(path: str, patterns: list[str], *, wanted: bool) -> None:
    """`*` stays within a name, `**` goes down, a folder means all in it; without any, all."""
    assert is_wanted(path, patterns) is wanted


def test_a_cruel_pattern_costs_little() -> None:
    """Patterns are a stranger's: their cost is no more than their length times the path's."""
    assert not is_wanted("/".join("x" * 200), ["/".join(["**", "x"] * 100) + "/y"])
