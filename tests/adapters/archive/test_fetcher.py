"""The fetcher of code archives: what the contract does not say."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from launchyard.adapters.archive.archives import TarArchives
from launchyard.adapters.archive.fetcher import ArchiveConfig, ArchiveFetcher
from launchyard.domain.archive import Limits
from launchyard.domain.reason import Reason
from launchyard.ports.source import ArchiveRequest, Fetched, SourceError
from tests.adapters.archive.trees import make


@pytest.fixture
def data(tmp_path: Path) -> bytes:
    """Give an archive with a folder and a link to a folder."""
    folder = make(tmp_path / "x", {"pkg/train.py": "1", "file": "2"})
    (folder / "link").symlink_to("pkg")
    TarArchives().pack(str(folder), str(tmp_path / "c.tgz"), Limits())
    return (tmp_path / "c.tgz").read_bytes()


def fetch(data: bytes, into: Path, sha256: str = "", subdir: str = "") -> Fetched:
    """Fetch *data* as an archive."""
    request = ArchiveRequest(
        sha256=sha256 or hashlib.sha256(data).hexdigest(),
        open=lambda: io.BytesIO(data),
        subdir=subdir,
    )
    fetcher = ArchiveFetcher(ArchiveConfig(limits=Limits(members=5)))
    return fetcher.fetch(request, str(into), timeout_s=60, cancelled=lambda: False)


@pytest.mark.parametrize("subdir", ["pkg", "./pkg/", "link"])
def test_a_subdir_is_entered(data: bytes, tmp_path: Path, subdir: str) -> None:
    """A folder of the archive is given; a link that stays inside may stand for one."""
    assert Path(fetch(data, tmp_path / "into", subdir=subdir).folder, "train.py").is_file()


@pytest.mark.parametrize(
    ("subdir", "reason"),
    [
        ("nope", Reason.SOURCE_NOT_FOUND),
        ("file", Reason.SOURCE_NOT_FOUND),
        ("../x", Reason.SOURCE_REFUSED),
        ("/", Reason.SOURCE_REFUSED),
    ],
)
def test_a_bad_subdir_is_refused(data: bytes, tmp_path: Path, subdir: str, reason: Reason) -> None:
    """Absent or outside; nothing is left behind."""
    with pytest.raises(SourceError) as e:
        fetch(data, tmp_path / "into", subdir=subdir)
    assert e.value.reason is reason
    assert list((tmp_path / "into").iterdir()) == []


def test_a_torn_archive_may_be_fetched_again(data: bytes, tmp_path: Path) -> None:
    """Bytes that do not have the digest are the transfer's fault."""
    with pytest.raises(SourceError) as e:
        fetch(data[:100], tmp_path / "into", hashlib.sha256(data).hexdigest())
    assert (e.value.reason, e.value.retry) == (Reason.SOURCE_CORRUPT, True)


def test_a_damaged_archive_may_not(tmp_path: Path) -> None:
    """Bytes that have the digest and are no archive will be none tomorrow."""
    with pytest.raises(SourceError) as e:
        fetch(b"no archive", tmp_path / "into")
    assert (e.value.reason, e.value.retry) == (Reason.SOURCE_CORRUPT, False)


def test_the_limits_hold(tmp_path: Path) -> None:
    """What the server let through by larger limits is refused here."""
    folder = make(tmp_path / "x", dict.fromkeys("abcdef", ""))
    TarArchives().pack(str(folder), str(tmp_path / "c.tgz"), Limits())
    with pytest.raises(SourceError, match="more than 5") as e:
        fetch((tmp_path / "c.tgz").read_bytes(), tmp_path / "into")
    assert (e.value.reason, e.value.retry) == (Reason.SOURCE_REFUSED, False)
