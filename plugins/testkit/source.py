"""What every source fetcher must do, as tests."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from launchyard.domain.reason import Reason
from launchyard.ports.source import Fetched, SourceError, SourceFetcher


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCase:
    """A fetcher and requests to try it with.

    `good` holds exactly the files of `SourceContract.files` and has `revision`; `absent` asks for
    what is not there, `unreachable` cannot be reached, and `silent` is answered never, though its
    opener's reads end by themselves. `secret` is a credential somewhere in `unreachable` and
    `absent`, or empty when this kind of source has none.
    """

    fetcher: SourceFetcher[Any]
    good: Any
    revision: str
    absent: Any
    unreachable: Any
    silent: Any
    asked: Callable[[], bool]
    """Whether `silent` has been asked for, so that a cancel comes in the midst of a fetch."""
    secret: str = ""


class SourceContract(ABC):
    """Subclass as `TestMyFetcher` and give it a `case` fixture."""

    files: ClassVar[dict[str, str]] = {"train.py": "print(1)\n", "bin/run.sh": "#!/bin/sh\n"}
    """The files of the good source; those that end in `.sh` are executable."""

    timeout_s = 60.0

    @pytest.fixture
    @abstractmethod
    def case(self, tmp_path: Path) -> Any:
        """Give, or yield, a `SourceCase`; `tmp_path / "into"` is not to be touched."""

    def test_the_files_arrive(self, case: SourceCase, tmp_path: Path) -> None:
        """The folder is made, and holds the files and nothing else; scripts can run."""
        fetched = self.fetch(case, case.good, tmp_path / "a/into")
        assert fetched == Fetched(folder=str(tmp_path / "a/into"), revision=case.revision)
        assert self.read(tmp_path / "a/into") == self.files
        for name in self.files:
            assert os.access(tmp_path / "a/into" / name, os.X_OK) == name.endswith(".sh")

    def test_a_fetch_can_be_repeated(self, case: SourceCase, tmp_path: Path) -> None:
        """The same request gives the same revision and files, into an empty folder, too."""
        (tmp_path / "into").mkdir()
        first = self.fetch(case, case.good, tmp_path / "into")
        second = self.fetch(case, case.good, tmp_path / "into2")
        assert first.revision == second.revision
        assert self.read(tmp_path / "into") == self.read(tmp_path / "into2")

    def test_nothing_outside_is_written(self, case: SourceCase, tmp_path: Path) -> None:
        """The folder's neighbours are as they were."""
        (tmp_path / "a").mkdir()
        (tmp_path / "a/neighbour").touch()
        self.fetch(case, case.good, tmp_path / "a/into")
        assert {p.name for p in (tmp_path / "a").iterdir()} == {"neighbour", "into"}

    def test_a_full_folder_is_refused(self, case: SourceCase, tmp_path: Path) -> None:
        """What lies there is neither mixed with the source nor removed."""
        (tmp_path / "into").mkdir()
        (tmp_path / "into/precious").write_text("mine")
        error = self.refuse(case, case.good, tmp_path / "into")
        assert (error.reason, error.retry) == (Reason.SOURCE_REFUSED, False)
        assert self.read(tmp_path / "into") == {"precious": "mine"}

    def test_an_absent_source_is_not_found(self, case: SourceCase, tmp_path: Path) -> None:
        """Another try would not help; nothing is left behind and no credential is told."""
        error = self.refuse(case, case.absent, tmp_path / "into")
        assert (error.reason, error.retry) == (Reason.SOURCE_NOT_FOUND, False)
        self.check_trace(case, error, tmp_path / "into")

    def test_an_unreachable_source_may_be_tried_again(
        self, case: SourceCase, tmp_path: Path
    ) -> None:
        """The trouble may pass; nothing is left behind and no credential is told."""
        error = self.refuse(case, case.unreachable, tmp_path / "into")
        assert (error.reason, error.retry) == (Reason.SOURCE_UNREACHABLE, True)
        self.check_trace(case, error, tmp_path / "into")

    def test_a_cancelled_fetch_ends(self, case: SourceCase, tmp_path: Path) -> None:
        """A fetch that waits for an answer sees that it is no longer wanted."""
        into = tmp_path / "into"
        with pytest.raises(SourceError) as e:
            case.fetcher.fetch(
                case.silent, str(into), timeout_s=self.timeout_s, cancelled=case.asked
            )
        assert case.asked()
        assert (e.value.reason, e.value.retry) == (Reason.CANCELLED, False)
        self.check_trace(case, e.value, into)

    def test_a_cancel_can_come_first(self, case: SourceCase, tmp_path: Path) -> None:
        """A fetch that nobody wants from the start brings nothing."""
        with pytest.raises(SourceError) as e:
            case.fetcher.fetch(
                case.good, str(tmp_path / "into"), timeout_s=self.timeout_s, cancelled=lambda: True
            )
        assert e.value.reason is Reason.CANCELLED
        self.check_trace(case, e.value, tmp_path / "into")

    def test_a_fetch_ends_in_time(self, case: SourceCase, tmp_path: Path) -> None:
        """A source that never answers costs the time that was given; later it may answer."""
        with pytest.raises(SourceError) as e:
            case.fetcher.fetch(
                case.silent, str(tmp_path / "into"), timeout_s=0.5, cancelled=lambda: False
            )
        assert (e.value.reason, e.value.retry) == (Reason.SOURCE_UNREACHABLE, True)
        self.check_trace(case, e.value, tmp_path / "into")

    def fetch(self, case: SourceCase, request: object, into: Path) -> Fetched:
        """Fetch *request* without a wish to stop."""
        return case.fetcher.fetch(
            request, str(into), timeout_s=self.timeout_s, cancelled=lambda: False
        )

    def refuse(self, case: SourceCase, request: object, into: Path) -> SourceError:
        """Return the error of *request*, which has to fail."""
        with pytest.raises(SourceError) as e:
            self.fetch(case, request, into)
        return e.value

    @staticmethod
    def read(folder: Path) -> dict[str, str]:
        """Return the text of every file below *folder*."""
        return {
            str(path.relative_to(folder)): path.read_text()
            for path in folder.rglob("*")
            if path.is_file()
        }

    @staticmethod
    def check_trace(case: SourceCase, error: SourceError, into: Path) -> None:
        """Hold an error to what a failure may leave: no files, and no credential in a message."""
        assert not into.exists() or not any(into.iterdir())
        told: BaseException | None = error
        while told is not None:
            assert not case.secret or case.secret not in repr(told)
            told = told.__cause__ or (None if told.__suppress_context__ else told.__context__)
