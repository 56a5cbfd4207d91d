"""What goes wrong is said in three lines, with an exit code that tells it apart."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from launchyard.adapters.cli.main import run
from launchyard.adapters.cli.yard import free_port
from tests.adapters.cli.kit import Done, Home
from tests.servers import RunningServer


def _three_lines(done: Done, code: int, *words: str) -> None:
    """Check the code, and that what, why and remedy are there."""
    assert done.code == code, done.err
    assert done.err.startswith("error: ")
    for word in words:
        assert word in done.err
    assert done.out == ""


def test_nobody_has_logged_in(stranger: Home) -> None:
    """The remedy is the command for people who are new here."""
    _three_lines(stranger.run("ps"), 4, "no server is known", "launchyard up", "launchyard login")


def test_a_wrong_key(home: Home, tmp_path: Path) -> None:
    """Exit code 4, and the key is not in the message."""
    (tmp_path / "wrong").write_text("w" * 40)
    done = home.run("ps", "--key-file", str(tmp_path / "wrong"))
    _three_lines(done, 4, "key", "launchyard login")
    assert "w" * 40 not in done.err


@pytest.mark.parametrize("text", ["short", "", "UPPER" * 10])
def test_what_is_no_key_is_not_sent(home: Home, tmp_path: Path, text: str) -> None:
    """It may be a password of something else."""
    (tmp_path / "odd").write_text(text)
    done = home.run("ps", "--key-file", str(tmp_path / "odd"), "--server", "http://127.0.0.1:1")
    _three_lines(done, 4, "is no key", str(tmp_path / "odd"))
    assert not text or text not in done.err


def test_the_server_is_away(home: Home) -> None:
    """Exit code 7 with the address."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        _three_lines(home.run("ps", "--server", url), 7, url, "connection refused")


def test_an_unknown_queue_gets_a_near_name(home: Home) -> None:
    """Exit code 5."""
    done = home.run("launch", "-q", "mian", "--", "true")
    _three_lines(done, 5, "mian", "did you mean", "main")


def test_an_unknown_item(home: Home) -> None:
    """By a short name, and by a whole id."""
    _three_lines(home.run("show", "zzzz"), 5, "zzzz", "launchyard ps")
    _three_lines(home.run("show", "01a1fce3-2f76-71ff-a166-73a7f0033825"), 5, "01a1fce3")


def test_a_name_that_is_taken(home: Home) -> None:
    """Exit code 6."""
    name = home.env["LAUNCHYARD_QUEUE"]
    _three_lines(home.run("queue", "create", name), 6, name)


def test_a_spec_that_is_wrong_is_told_whole(home: Home, tmp_path: Path) -> None:
    """Exit code 3; each problem with its path."""
    (tmp_path / "spec.yaml").write_text("priority: high\ntimeout_s: -1\n")
    done = home.run("launch", "-c", "spec.yaml", "--", "true")
    _three_lines(done, 3, "priority", "timeout_s")


def test_a_slip_in_a_file_is_told_with_its_line(home: Home, tmp_path: Path) -> None:
    """Before anything is sent."""
    (tmp_path / "queue.yaml").write_text("timeout: 10m\nnice\uff1a 3\n")
    done = home.run("queue", "create", "slip", "--config", "queue.yaml")
    _three_lines(done, 3, "queue.yaml:2")


def test_a_taken_port(stranger: Home) -> None:
    """`up` and `server` name the port and the flag; exit code 6."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        _three_lines(stranger.run("up", "--port", port), 6, port, "--port")
        _three_lines(stranger.run("server", "--port", port), 6, port, "--port")
        words = ("up", "--port", str(free_port()), "--operations-port", port)
        _three_lines(stranger.run(*words), 6, port, "--operations-port")


def test_a_reason_is_not_said_twice(home: Home) -> None:
    """What is wrong with a name is the whole message."""
    done = home.run("queue", "create", "bad name")
    assert done.code == 3
    assert done.err.count("must begin with") == 1


def test_a_misspelt_target_is_told(home: Home) -> None:
    """It may be a plugin's that only the agents have, so the queue is made all the same."""
    done = home.run("queue", "create", "slips", "-r", "lokal-process")
    assert (done.code, "did you mean `local-process`?" in done.err) == (0, True)
    assert "did you mean" not in home.run("queue", "create", "own", "-r", "our-cluster").err


def test_a_misspelt_command(stranger: Home) -> None:
    """Exit code 2 with the near name."""
    done = stranger.run("lanch")
    assert (done.code, "Did you mean `launch`?" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["launch"], "nothing to launch"),
        (["launch", "--dir", ".", "--git", "https://h/x.git", "--", "true"], "different code"),
        (["launch", "--git-version", "main", "--", "true"], "belong to --git"),
        (["launch", "--env", "NAME", "--", "true"], "--env NAME=VALUE"),
        (["launch", "-E", "'open", "--dir", "."], "entry point"),
        (["login", "ftp://server"], "no address"),
        (["queue", "create"], "Missing argument"),
        (["outputs"], "Missing argument"),
    ],
)
def test_wrong_usage(home: Home, words: list[str], told: str) -> None:
    """Exit code 2, as every other program."""
    done = home.run(*words)
    assert (done.code, told in done.err) == (2, True), done.err


def test_a_damaged_context_is_named(stranger: Home) -> None:
    """With the file, and what to do."""
    file = stranger.folder / "launchyard" / "contexts.json"
    file.parent.mkdir()
    file.write_text("{")
    _three_lines(stranger.run("ps"), 3, str(file), "log in again")


@pytest.mark.parametrize(
    "words",
    [
        ["launch", "-c", "FILE"],
        ["launch", "-R", "FILE", "--", "true"],
        ["launch", "--retry-policy", "FILE", "--", "true"],
        ["queue", "create", "q", "--config", "FILE"],
        ["queue", "apply", "-f", "FILE"],
    ],
)
def test_a_file_that_is_no_text_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """With the line, and what to do; it is no bug of ours."""

    class Offline:
        def operator(self, url: str, key: str) -> None:
            """Have no server."""

        read_document = operator

    file = tmp_path / "spec.yaml"
    file.write_bytes("a: 1\nb: caf\N{LATIN SMALL LETTER E WITH ACUTE}\n".encode("latin-1"))
    environment = {"XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    environment |= {"LAUNCHYARD_SERVER": "http://127.0.0.1:1", "LAUNCHYARD_KEY": "k" * 40}
    environment |= {"LAUNCHYARD_ENTITY": "team", "LAUNCHYARD_QUEUE": "q"}
    given = [str(file) if word == "FILE" else word for word in words]
    code = run(Offline(), given, environment)  # type: ignore[arg-type]
    err = capfd.readouterr().err
    assert code == 3, err
    for part in (f"{file} is no text", "line 2", "0xe9", "UTF-8"):
        assert part in err


def test_a_bug_is_kept_in_a_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The traceback is there for the report, readable by its owner alone, and not on the screen."""

    class Broken:
        def plugins(self) -> None:
            raise ZeroDivisionError("a bug")

    environment = {"XDG_STATE_HOME": str(tmp_path)}
    code = run(Broken(), ["plugins"], environment)  # type: ignore[arg-type]
    err = capfd.readouterr().err
    (kept,) = (tmp_path / "launchyard" / "crashes").iterdir()
    assert (code, str(kept) in err, "Traceback" in err) == (1, True, False)
    assert "ZeroDivisionError: a bug" in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    run(Broken(), ["plugins"], environment | {"LAUNCHYARD_DEBUG": "1"})  # type: ignore[arg-type]
    assert "Traceback" in capfd.readouterr().err


def test_a_reader_that_has_seen_enough_is_no_error(home: Home, server: RunningServer) -> None:
    """`launchyard ps | head -1` ends quietly, as click has it."""
    read, write = os.pipe()
    os.close(read)
    process = home.begin("version", stdout=write)
    os.close(write)
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (1, "")
