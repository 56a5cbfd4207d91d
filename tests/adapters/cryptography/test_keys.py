"""The file of keys: made once, its owner's alone, and told apart from anything else."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from launchyard.adapters.cryptography.keys import KeysError, parse_keys, read_or_make

ONE, TWO = "1a" * 32, "2b" * 32


def test_the_first_start_makes_a_key(tmp_path: Path) -> None:
    """And every later one reads it."""
    path = tmp_path / "secrets.keys"
    [made] = read_or_make(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_or_make(path) == [made]
    assert len(made) == 32
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_others_may_read_is_closed(tmp_path: Path) -> None:
    """However it came to be."""
    path = tmp_path / "secrets.keys"
    path.write_text(ONE)
    path.chmod(0o644)
    read_or_make(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "text", [f"{ONE}\n{TWO}\n", f"# new, by ann\n{ONE}\n\n # old\n{TWO}", f"{ONE},{TWO}"]
)
def test_several_keys_keep_their_order(text: str) -> None:
    """The first one seals; lines in a file, commas in a variable."""
    assert parse_keys(text, "it") == [bytes.fromhex(ONE), bytes.fromhex(TWO)]


@pytest.mark.parametrize("text", ["", "# nothing", ONE[:-2], f"{ONE}\nsecret", f"{ONE} {TWO}"])
def test_what_is_no_key_is_told_without_a_word_of_it(text: str) -> None:
    """Where it stands, and what is needed."""
    with pytest.raises(KeysError, match="64 hexadecimal digits") as e:
        parse_keys(text, "THE FILE")
    assert str(e.value).startswith("THE FILE")
    assert "secret" not in str(e.value)
    assert ONE[:-2] not in str(e.value)
