"""`secret`, and `launch --secret`: a value goes in by stdin or file, and names alone come out."""

from __future__ import annotations

from pathlib import Path

from launchyard.adapters.cli.codes import Code
from tests.adapters.cli.kit import Home

VALUE = "hunter2-hunter2"


def test_a_secret_s_life(home: Home) -> None:
    """Set from standard input, listed by name, asked for by a launch, removed."""
    done = home.run("secret", "set", "hf-token", stdin=f"{VALUE}\n")
    assert done.code == 0, done.err
    assert "--secret VARIABLE=hf-token" in done.err
    listed = home.run("secret", "list", "--json")
    assert [one["name"] for one in listed.json] == ["hf-token"]
    assert VALUE not in listed.out + done.out + done.err
    words = ("launch", "--secret", "HF_TOKEN=hf-token", "--json", "--", "true")
    item = home.run(*words).json["item"]
    assert item["spec"]["secrets"] == [{"env": "HF_TOKEN", "from": "secret:hf-token"}]
    slip = home.run("plan", "--secret", "HF_TOKEN=hf-tokn", "--", "true")
    assert slip.code == Code.CONFIG
    assert "did you mean `hf-token`?" in slip.err
    assert home.run("secret", "remove", "hf-token").code == 0
    gone = home.run("secret", "remove", "hf-token")
    assert gone.code == Code.NOT_FOUND
    assert "no secrets" in home.run("secret", "list").out + home.run("secret", "list").err


def test_a_value_never_stands_on_the_command_line(home: Home) -> None:
    """It is refused before anything is sent, and not repeated."""
    done = home.run("secret", "set", "hf", VALUE)
    assert done.code == Code.USAGE
    assert "process" in done.err or "everybody" in done.err
    assert VALUE not in done.out + done.err


def test_a_file_s_last_newline_is_no_part_of_it(home: Home, tmp_path: Path) -> None:
    """Unless that is wished, as ssh keys need; what cannot be a variable is told."""
    file = tmp_path / "value"
    file.write_text("\n")
    empty = home.run("secret", "set", "a", "--from-file", str(file))
    assert (empty.code, "must not be empty" in empty.err) == (Code.CONFIG, True)
    kept = home.run("secret", "set", "a", "--from-file", str(file), "--keep-newline")
    assert kept.code == 0
    file.write_bytes(b"\xff\xfe")
    assert "base64" in home.run("secret", "set", "a", "--from-file", str(file)).err
    file.write_text("a\0b")
    assert "zero byte" in home.run("secret", "set", "a", "--from-file", str(file)).err


def test_a_wrong_pair_is_told(home: Home) -> None:
    """Before anything is sent."""
    for pair in ("HF_TOKEN", "=hf", "HF_TOKEN="):
        done = home.run("plan", "--secret", pair, "--", "true")
        assert done.code == Code.USAGE
        assert "--secret ENV=NAME" in done.err
