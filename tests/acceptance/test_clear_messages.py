"""What goes wrong at a start is said in words: what, where, and what to do."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from tests.programs import Program, free_port, start, until, yard


def _plain(program: Program, code: int, *words: str) -> None:
    """Check the exit code, that *words* were said, and that no traceback was."""
    assert program.wait() == code, program.said()
    said = program.said()
    for word in words:
        assert word in said, said
    assert "Traceback" not in said


def test_a_wrong_key_is_refused_with_its_place(tmp_path: Path) -> None:
    """Exit code 4, and no key in the message."""
    with yard(tmp_path) as place:
        wrong = tmp_path / "wrong.key"
        wrong.write_text("a" * 40)
        words = ["agent", "-q", "main", "-e", "team", "--server", place.url]
        words += ["--key-file", str(wrong), "--state-dir", str(tmp_path / "a")]
        program = start(tmp_path, "wrong", [*words, "--operations-port", "0"])
        _plain(program, 4, "key")
        assert "a" * 40 not in program.said()


def test_an_unknown_queue_and_a_taken_port_are_named(tmp_path: Path) -> None:
    """Exit code 5 with the near name, and 6 with the port and the setting to change."""
    with yard(tmp_path) as place:
        words = ["agent", "-q", "mian", "-e", "team", "--server", place.url]
        words += ["--key-file", str(place.key_file), "--state-dir", str(tmp_path / "a")]
        _plain(start(tmp_path, "unknown", [*words, "--operations-port", "0"]), 5, "mian", "main")
        words[2] = "main"
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            agent = start(tmp_path, "taken", [*words, "--operations-port", port])
            _plain(agent, 6, port, "operations.port")


def test_a_second_agent_in_one_folder_is_refused(tmp_path: Path) -> None:
    """Exit code 6; the first one goes on, and SIGUSR1 has it say what all of it does."""
    with yard(tmp_path) as place:
        first = place.start_agent("agent")
        assert place.wait_done(place.submit("/bin/true"))["attempt_state"] == "succeeded"
        second = place.start_agent("agent")
        _plain(second, 6, str(tmp_path / "agent"))
        assert first.process.poll() is None
        first.signal(signal.SIGUSR1)
        until(lambda: "thread " in first.said(), "the stacks of all threads")
        for word in ("what everyone does:", "main/supervisor: alive", "local-process host: alive"):
            assert word in first.said()
        place.agents["first"] = first


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """Exit code 6 with the port and the flag to change it."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        words = ["server", "--port", str(port), "--state-dir", str(tmp_path / "s")]
        _plain(start(tmp_path, "taken", words), 6, str(port), "--port")


def test_a_corrupt_journal_is_named_with_the_remedy(tmp_path: Path) -> None:
    """The agent does not begin with an empty memory; `--rebuild-journal` does, on demand."""
    with yard(tmp_path) as place:
        first = place.start_agent()
        place.wait_done(place.submit("/bin/true"))
        assert first.stop() == 0
        (journal,) = (tmp_path / "agent").glob("journal*.db")
        journal.write_bytes(b"this is no database" * 500)
        for extra in journal.parent.glob(f"{journal.name}-*"):
            extra.unlink()
        _plain(place.start_agent(), 1, str(journal), "--rebuild-journal")
        words = ["agent", "-q", "main", "-e", "team", "--server", place.url]
        words += ["--key-file", str(place.key_file), "--state-dir", str(tmp_path / "agent")]
        words += ["--operations-port", "0", "--rebuild-journal"]
        place.agents["agent"] = start(tmp_path, "anew", words)
        assert place.wait_done(place.submit("/bin/true"))["attempt_state"] == "succeeded"


def test_a_server_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    """An agent that starts before its server says so, and works once it is there."""
    with yard(tmp_path) as place:
        assert place.server is not None
        place.server.stop()
        agent = place.start_agent()
        place.start_server()
        item = place.submit("/bin/true")
        assert place.wait_done(item)["attempt_state"] == "succeeded"
        assert "Traceback" not in agent.said()


@pytest.mark.parametrize("words", [["agent", "--nosuch"], ["nosuch"], ["queue", "create"]])
def test_wrong_usage_is_exit_code_2(tmp_path: Path, words: list[str]) -> None:
    """As click and every other program do."""
    _plain(start(tmp_path, "usage", words), 2)


def test_a_state_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The folder and what is wrong with it are in the message."""
    target = tmp_path / "file"
    target.write_text("in the way")
    words = ["server", "--port", str(free_port()), "--state-dir", str(target / "x")]
    program = start(tmp_path, "nofolder", words)
    assert program.wait() not in {0, 2}
    assert str(target) in program.said()
    assert "Traceback" not in program.said()
