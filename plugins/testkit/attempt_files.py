"""What every place for an attempt's bytes must do, as tests."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pytest

from launchyard.ports.launch_server import AttemptFiles, LogCursorError, ServerError

_ABSENT: Final = "0" * 64
_PIECE_B: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFilesCase:
    """An adapter in front of a real server, an attempt, and the readers' side.

    *item*'s *attempt* is under way and has no bytes yet. `log` and `output` read what was stored,
    `archive` stores the bytes of a code archive and returns its SHA-256. `quota_b` is what the
    server takes of one attempt's logs. `silent` is an adapter for a server that nobody answers for.
    """

    files: AttemptFiles
    silent: AttemptFiles
    item: str
    attempt: int
    quota_b: int
    log: Callable[[str], bytes]
    output: Callable[[str], bytes]
    archive: Callable[[], tuple[str, bytes]]


class AttemptFilesContract(ABC):
    """Subclass as `TestMyFiles` and give it a `case` fixture."""

    @pytest.fixture
    @abstractmethod
    def case(self) -> Any:
        """Give, or yield, an `AttemptFilesCase` with an attempt of its own."""

    def append(self, case: AttemptFilesCase, start: int, data: bytes, source: str = "main") -> int:
        """Append to one of the attempt's logs."""
        return case.files.append_log(case.item, case.attempt, source, start, data)

    def put(self, case: AttemptFilesCase, path: str, data: bytes) -> None:
        """Store one output."""
        case.files.put_output(case.item, case.attempt, path, io.BytesIO(data))

    def test_a_log_grows_by_its_cursor(self, case: AttemptFilesCase) -> None:
        """Each source by its own, byte by byte as it was sent."""
        one, two, made = b"one\n\x00\xff", b"two\n", b"made\n"
        assert self.append(case, 0, one) == len(one)
        assert self.append(case, len(one), two) == len(one + two)
        assert self.append(case, 0, made, "build") == len(made)
        assert case.log("main") == one + two
        assert case.log("build") == made

    @pytest.mark.parametrize("start", [0, 2, 9])
    def test_a_wrong_cursor_stores_nothing_and_tells_the_right_one(
        self, case: AttemptFilesCase, start: int
    ) -> None:
        """So that a repeat whose first answer was lost doubles nothing, and nothing is left out."""
        self.append(case, 0, b"once\n")
        with pytest.raises(LogCursorError) as caught:
            self.append(case, start, b"once\n")
        assert (caught.value.cursor, caught.value.full) == (5, False)
        assert case.log("main") == b"once\n"

    def test_a_full_log_says_so(self, case: AttemptFilesCase) -> None:
        """Past the quota no more is sent; what came before it is kept."""
        start = self.append(case, 0, b"kept\n")
        piece = b"x" * min(_PIECE_B, case.quota_b)
        full: LogCursorError | None = None
        while full is None and start <= case.quota_b + len(piece):
            try:
                start = self.append(case, start, piece)
            except LogCursorError as e:
                full = e
        assert full is not None
        assert full.full
        assert case.log("main").startswith(b"kept\n")

    def test_an_output_is_stored_and_replaced(self, case: AttemptFilesCase) -> None:
        """Also an empty one, and one with a name that addresses have to quote."""
        for path in ("metrics.json", "plots/a b#1?é.txt"):
            self.put(case, path, b"first")
            self.put(case, path, b"the second")
            assert case.output(path) == b"the second"
        self.put(case, "empty", b"")
        assert case.output("empty") == b""

    def test_an_output_stays_below_the_outputs(self, case: AttemptFilesCase) -> None:
        """A path that leads elsewhere is refused for good."""
        for path in ("../a", "a/../../b", "a//b"):
            with pytest.raises(ServerError) as caught:
                self.put(case, path, b"x")
            assert not caught.value.retry

    def test_an_archive_is_read_whole(self, case: AttemptFilesCase) -> None:
        """And more than once."""
        sha256, data = case.archive()
        for _ in range(2):
            with case.files.open_archive(sha256) as file:
                assert file.read() == data

    def test_an_archive_that_is_not_there(self, case: AttemptFilesCase) -> None:
        """It is told from a server that is away."""
        with pytest.raises(FileNotFoundError):
            case.files.open_archive(_ABSENT)

    def test_an_unknown_item_is_refused_for_good(self, case: AttemptFilesCase) -> None:
        """Trying again would be in vain, and a log's shipper must know that."""
        with pytest.raises(ServerError) as caught:
            case.files.append_log("nothing", 1, "main", 0, b"x")
        assert not caught.value.retry
        assert not isinstance(caught.value, LogCursorError)

    def test_a_server_that_is_away_is_to_be_tried_again(self, case: AttemptFilesCase) -> None:
        """Nothing but the port's own error leaves."""
        for ask in (
            lambda: case.silent.append_log(case.item, case.attempt, "main", 0, b"x"),
            lambda: case.silent.put_output(case.item, case.attempt, "a", io.BytesIO(b"x")),
            lambda: case.silent.open_archive(_ABSENT),
        ):
            with pytest.raises(ServerError) as caught:
                ask()
            assert caught.value.retry
