"""YAML comes with the line of every value, and slips with their repair."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchyard.adapters.yaml.reader import read, read_on
from launchyard.domain.config.check import check
from launchyard.domain.config.problem import DocumentError, Problem, repaired
from launchyard.domain.config.schema import KnownTypes
from launchyard.domain.documents import Json

COLON = "\uff1a"


def only(text: str) -> Problem:
    """Return the one problem of *text*."""
    (problem,) = read_on(text, "c.yaml").problems
    return problem


def test_every_value_has_its_line() -> None:
    """Lines count from 1; a block stands where its key stands."""
    text = "# first\na: 1\n\nb:\n  - x\n  - y: 2\nc: {d: 3}\n"
    document = read(text, "c.yaml")
    assert document.value == {"a": 1, "b": ["x", {"y": 2}], "c": {"d": 3}}
    lines = {("a",): 2, ("b",): 4, ("b", 0): 5, ("b", 1): 6, ("b", 1, "y"): 6, ("c", "d"): 7}
    assert {path: document.lines[path] for path in lines} == lines
    assert document.line(("b", 1, "y", "z")) == 6


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("~", None),
        ("", None),
        ("12:30:45", "12:30:45"),
        ("2024-01-31", "2024-01-31"),
        ("0644", 420),
        ("012345670123", "012345670123"),
        ("0x1F", 31),
        ("1e3", 1000.0),
        ("-1", -1),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("1e999", "1e999"),
        ("'1'", "1"),
        ("9" * 30, "9" * 30),
        (r'"\ud83d\ude80"', "\U0001f680"),
    ],
)
def test_words_are_read_as_people_mean_them(written: str, value: Json) -> None:
    """Only true and false are truth values; times, dates and long ids stay texts."""
    assert read(f"a: {written}\n", "c.yaml").value == {"a": value}


def test_an_empty_text_is_null() -> None:
    """A file of comments alone is no mistake."""
    assert read("", "c.yaml").value is None
    assert read("# nothing\n", "c.yaml").value is None


@pytest.mark.parametrize(
    ("text", "line", "hint", "mended"),
    [
        (f"a: 1\nb{COLON}\n  c: 2\n", 2, "write `b:`", {"a": 1, "b": {"c": 2}}),
        (f"a:\n  type{COLON}x\n", 2, "write `type: x`", {"a": {"type": "x"}}),
        (f"a: 1\nb{COLON} x # y\n", 2, "write `b: x # y`", {"a": 1, "b": "x"}),
        ("a:\n\tb: 1\n", 2, "indent with two spaces", {"a": {"b": 1}}),
        ("a:\n  b: 1\n\tc: 2\n", 3, "indent with two spaces", {"a": {"b": 1, "c": 2}}),
        ("a: x,\nb: 1\n", 1, "write `x`", {"a": "x", "b": 1}),
        ("a:\n  - x,\n", 2, "write `x`", {"a": ["x"]}),
        ("a: 1\n// b\nc: 2\n", 2, "write `# b`", {"a": 1, "c": 2}),
        ("a: x\n  // b\n", 2, "write `# b`", {"a": "x"}),
        ("type: a | b\n", 1, "pick one of `a` or `b`", {"type": "a"}),
        ("1: x\n", 1, 'put it in quotes: "1"', {"1": "x"}),
    ],
)
def test_slips_are_told_and_repaired(text: str, line: int, hint: str, mended: Json) -> None:
    """The hint says what to write; the repair makes the text mean it."""
    problem = only(text)
    assert (problem.line, problem.source) == (line, "c.yaml")
    assert hint in problem.hint
    assert read(repaired(text, [problem]), "c.yaml").value == mended
    assert read_on(text, "c.yaml").value == mended


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\na: 2\n", 2, "stands here and on line 1"),
        ("a: 'x\nb: 1\n", 1, "a quote opened here"),
        ('a: 1\nb: "x\n', 2, "a quote opened here"),
        ("a: [1, 2\nb: 3\n", 1, "a bracket opened here"),
        ("a: 1\n---\nb: 2\n", 3, "more than one document"),
        ("a: <region>\n", 1, "the placeholder `<region>`"),
        ("? [a]\n: 1\n", 1, "a key is not a text"),
        ("a: !secret x\n", 1, "has the tag `!secret`"),
        ("a: !!python/name:os.system\n", 1, "has the tag"),
        ("a: x: y\n", 1, "is no YAML"),
        ("a: *b\n", 1, "is no YAML"),
        ("a: @b\n", 1, "is no YAML"),
        ("a: &x [*x]\n", 1, "an alias refers to what is around it"),
        ("a: \x07\n", None, "characters that YAML does not allow"),
        ('a: "\\UFFFFFFFF"\n', None, "escape"),
        ("[" * 5000, None, "nested too deep"),
        ("a" * 2_000_000, None, "is longer than"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(text: str, line: int | None, words: str) -> None:
    """No exception of the parser leaves, and the line is the one to look at."""
    with pytest.raises(DocumentError) as caught:
        read(text, "c.yaml")
    (problem,) = caught.value.problems
    assert words in problem.message
    assert problem.line == line
    assert problem.hint


def test_slips_come_at_once_together_with_wrong_values() -> None:
    """The reader goes on behind a slip, so that one look at the list mends the file."""
    text = f"max_jobs: 0x\nregion: a,\nbuilder{COLON}\n\ttype: dokcer\n  // x\nentity: <team>\n"
    result = check(read_on(text, "c.yaml"), {}, {}, KnownTypes())
    assert [p.line for p in result.errors] == [1, 2, 3, 4, 4, 5, 6]
    assert "did you mean `docker`?" in [p.hint for p in result.errors]


def test_block_texts_are_left_alone() -> None:
    """Code inside a block text may hold tabs, slashes and anything else."""
    text = f"script: |\n  if x:\n  \ty()\n  // z\n  a{COLON}b,\nlast: 1\n"
    assert read(text, "c.yaml").value == {
        "script": f"if x:\n\ty()\n// z\na{COLON}b,\n",
        "last": 1,
    }
    told = read_on(text + "bad: 'x\n", "c.yaml").problems
    assert [p.line for p in told] == [7]


@pytest.mark.parametrize("value", ["'a,'", "'<b>'", "a, b", "x|y", f"say{COLON} yes", "a // b"])
def test_quoted_and_ordinary_values_are_left_alone(value: str) -> None:
    """Quotes always help; a comma or a bar inside a value is no slip."""
    assert read(f"key: {value}\n", "c.yaml").value == {"key": value.strip("'")}


def test_values_of_credentials_stay_out_of_messages() -> None:
    """A slip in the line of a key does not print the key."""
    for text in ("api_key: abcdef,\n", f"a: 1\ntoken{COLON}abcdef\n", "a: 1\n\tapi_key: abcdef\n"):
        assert all("abcdef" not in p.text + p.value for p in read_on(text, "c.yaml").problems)


def test_merges_and_aliases_are_put_in() -> None:
    """Anchors work as in W&B's reader, and what is put in is a copy."""
    text = "base: &b {x: 1, y: [2]}\nmade:\n  <<: *b\n  x: 3\nother: *b\n"
    value = read(text, "c.yaml").value
    assert value == {
        "base": {"x": 1, "y": [2]},
        "made": {"x": 3, "y": [2]},
        "other": {"x": 1, "y": [2]},
    }
    assert isinstance(value, dict)
    assert value["base"] is not value["other"]


def test_a_bomb_of_aliases_is_refused_quickly() -> None:
    """Nine lines that would be a billion values are one problem."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert "grows too large" in only("\n".join(lines)).message


@settings(deadline=None)
@given(st.text(max_size=60) | st.text(alphabet=f"ab:{COLON}-|>,[]{{}}&*!'\"# \t\n/<1", max_size=40))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Every text gives a document or problems, each with words and a hint."""
    document = read_on(text, "c.yaml")
    assert all(p.message and p.hint for p in document.problems)
    check(document, {}, {}, KnownTypes())


@settings(deadline=None)
@given(st.text(alphabet=f"ab:{COLON}-,# \t\n/<>|1", max_size=40))
def test_repairs_make_no_new_slips(text: str) -> None:
    """After at most a few rounds of repairs nothing is left that a repair could mend."""
    for _ in range(4):
        text = repaired(text, read_on(text, "c.yaml").problems)
    assert all(problem.repair is None for problem in read_on(text, "c.yaml").problems)
