"""Archives made by hand to do harm, each refused before a byte of it is out of place."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchyard.adapters.archive.archives import TarArchives
from launchyard.domain.archive import Limits
from launchyard.ports.archive import ArchiveError, ArchiveTrouble, Contents

LIMITS = Limits()
REFUSED, TOO_BIG, CORRUPT = ArchiveTrouble.REFUSED, ArchiveTrouble.TOO_BIG, ArchiveTrouble.CORRUPT


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> object:
    """Return a header without content."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


def file(name: str, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    """Return a header with content."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    return info, data


def plain(*members: object, tail: bytes = bytes(1024)) -> bytes:
    """Return a tar of *members*."""
    out = io.BytesIO()
    for member in members:
        info, data = member if isinstance(member, tuple) else (member, b"")
        out.write(info.tobuf(tarfile.PAX_FORMAT) + data + bytes(-len(data) % 512))
    return out.getvalue() + tail


def archive(*members: object, tail: bytes = bytes(1024)) -> bytes:
    """Return a gzipped tar of *members*."""
    return gzip.compress(plain(*members, tail=tail))


def unpack(data: bytes, into: Path, sha256: str | None = None, limits: Limits = LIMITS) -> Contents:
    """Unpack *data* into a folder."""
    into.mkdir(exist_ok=True)
    digest = sha256 or hashlib.sha256(data).hexdigest()
    return TarArchives().unpack(io.BytesIO(data), str(into), digest, limits)


def refused(data: bytes, tmp_path: Path, limits: Limits = LIMITS) -> ArchiveError:
    """Return the error of *data*, which inspecting finds as well; all is as it was before."""
    with pytest.raises(ArchiveError) as e:
        unpack(data, tmp_path / "into", limits=limits)
    with pytest.raises(ArchiveError) as other:
        TarArchives().inspect(io.BytesIO(data), limits)
    assert str(e.value) == str(other.value)
    assert [p.name for p in tmp_path.rglob("*")] == ["into"]
    return e.value


GOOD = file("good.py", b"x = 1\n")
LONG_HEADER = tarfile.TarInfo("a")
LONG_HEADER.pax_headers = {"comment": "x" * 2_000_000}
ATTACKS = {
    "absolute": [entry("/etc/cron.d/x")],
    "above": [entry("../x")],
    "above inside": [entry("a/../../x")],
    "link to a file outside": [entry("l", tarfile.SYMTYPE, "/etc/passwd")],
    "link above": [entry("a/l", tarfile.SYMTYPE, "../../x")],
    "link by a link": [
        entry("p/q/d", tarfile.SYMTYPE, "../.."),
        entry("e", tarfile.SYMTYPE, "p/q/d/../x"),
    ],
    "write through a link": [entry("d", tarfile.SYMTYPE, "good"), file("d/x", b"1")],
    "write over a link": [entry("d", tarfile.SYMTYPE, "good.py"), file("d", b"1")],
    "hard link outside": [entry("l", tarfile.LNKTYPE, "/etc/passwd")],
    "hard link above": [entry("l", tarfile.LNKTYPE, "../x")],
    "hard link to a link": [
        entry("l", tarfile.SYMTYPE, "good.py"),
        entry("m", tarfile.LNKTYPE, "l"),
    ],
    "character device": [entry("null", tarfile.CHRTYPE)],
    "block device": [entry("sda", tarfile.BLKTYPE)],
    "pipe": [entry("pipe", tarfile.FIFOTYPE)],
    "unknown kind": [entry("odd", b"Z")],
    "sparse": [entry("odd", tarfile.GNUTYPE_SPARSE)],
    "set user id": [entry("su", mode=0o4755)],
    "twice": [entry("a"), entry("a")],
    "case": [entry("A"), entry("a")],
    "unicode": [entry("\u00e9"), entry("e\u0301")],
    "a file as a folder": [entry("a"), entry("a/b")],
    "a long name": [entry("x" * 5000)],
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_attacks_are_refused(attack: list[object], tmp_path: Path) -> None:
    """Nothing is written outside, nothing is left inside, and no second try would help."""
    e = refused(archive(GOOD, *attack), tmp_path)
    assert (e.trouble, e.retry) == (REFUSED, False)


def test_a_bomb_by_ratio_is_refused(tmp_path: Path) -> None:
    """Zeros that grow a thousand-fold end when the ratio is known, not when they are written."""
    limits = Limits(ratio_free_b=1024**2)
    assert refused(archive(file("z", bytes(8 * 1024**2))), tmp_path, limits).trouble is TOO_BIG


def test_a_bomb_by_count_is_refused(tmp_path: Path) -> None:
    """So are more members than the limit."""
    data = archive(*(entry(str(i), tarfile.DIRTYPE) for i in range(51)))
    assert refused(data, tmp_path, Limits(members=50)).trouble is TOO_BIG


def test_a_bomb_by_size_is_refused_by_its_header(tmp_path: Path) -> None:
    """A huge file is refused for what its header says, before its content is read."""
    info = tarfile.TarInfo("huge")
    info.size = 1024**4
    assert refused(archive(info), tmp_path).trouble is TOO_BIG


def test_a_packed_size_has_a_limit(tmp_path: Path) -> None:
    """Bytes that do not compress are bounded, too."""
    data = archive(file("r", hashlib.shake_128(b"x").digest(300_000)))
    assert refused(data, tmp_path, Limits(packed_b=100_000)).trouble is TOO_BIG


def test_a_header_cannot_fill_the_memory(tmp_path: Path) -> None:
    """Extended headers, which are read whole, are bounded."""
    assert "header is too long" in str(refused(archive(LONG_HEADER), tmp_path))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not gzip at all",
        plain(GOOD),
        gzip.compress(b""),
        gzip.compress(b"no tar" * 200),
        archive(GOOD)[:-9],
        archive(GOOD)[:40],
        archive(GOOD) + b"more",
        archive(GOOD, tail=b""),
        archive(GOOD, tail=b"x" * 512),
        archive(GOOD, tail=bytes(1024) + b"x"),
        archive(GOOD, tail=bytes(4 * 1024**2)),
        gzip.compress(plain(file("a", b"x" * 5000))[:2000]),
    ],
)
def test_damage_is_told(data: bytes, tmp_path: Path) -> None:
    """Cut, padded, or never a gzipped tar: a bad end is not taken for the end."""
    e = refused(data, tmp_path)
    assert (e.trouble, e.retry) == (CORRUPT, False)


def test_a_wrong_digest_leaves_nothing(tmp_path: Path) -> None:
    """Proper members of the wrong archive are taken back; the transfer may go better next time."""
    with pytest.raises(ArchiveError, match="expected sha256 00") as e:
        unpack(archive(GOOD), tmp_path / "into", sha256="0" * 64)
    assert (e.value.trouble, e.value.retry) == (CORRUPT, True)
    assert list((tmp_path / "into").iterdir()) == []


def test_a_torn_transfer_may_be_tried_again(tmp_path: Path) -> None:
    """Half an archive is a matter of the transfer, and told from a damaged original."""
    data = archive(GOOD)
    with pytest.raises(ArchiveError, match="did not arrive whole") as e:
        unpack(data[:50], tmp_path / "into", sha256=hashlib.sha256(data).hexdigest())
    assert e.value.retry


def test_good_members_arrive(tmp_path: Path) -> None:
    """Links, hard links, folders in any order, other writers' modes and several gzip parts."""
    members = [
        entry("./", tarfile.DIRTYPE),
        file("d/run.sh", b"1"),
        entry("d", tarfile.DIRTYPE, mode=0o2775),
        entry("soft", tarfile.SYMTYPE, "d/run.sh"),
        entry("hard", tarfile.LNKTYPE, "d/run.sh"),
    ]
    tar = plain(*members)
    data = gzip.compress(tar[:700]) + gzip.compress(tar[700:])
    contents = unpack(data, tmp_path / "into")
    assert (contents.files, contents.unpacked_b) == (3, 1)
    into = tmp_path / "into"
    assert {p.name for p in into.iterdir()} == {"d", "soft", "hard"}
    assert (into / "soft").read_text() == (into / "hard").read_text() == "1"
    assert (into / "d").stat().st_mode & 0o7777 == 0o755


def test_trouble_of_the_stream_is_its_own(tmp_path: Path) -> None:
    """An error of the connection is neither damage nor a full disk, and leaves nothing."""

    class Broken:
        def __init__(self) -> None:
            self.data = io.BytesIO(archive(file("a", hashlib.shake_128(b"x").digest(300_000))))

        def read(self, size: int) -> bytes:
            if self.data.tell() > 100_000:
                raise ConnectionResetError
            return self.data.read(size)

    (tmp_path / "into").mkdir()
    with pytest.raises(ConnectionResetError):
        TarArchives().unpack(cast("BinaryIO", Broken()), str(tmp_path / "into"), "0" * 64, LIMITS)
    assert list((tmp_path / "into").iterdir()) == []


def flipped(data: bytes, place: int, value: int) -> bytes:
    """Return *data* with one byte changed."""
    place %= len(data)
    return data[:place] + bytes([value]) + data[place + 1 :]


@settings(max_examples=300)
@given(st.integers(0, 10**6), st.integers(0, 255), st.booleans())
def test_no_damage_escapes(place: int, value: int, inside: bool) -> None:
    """Whatever byte is broken, packed or unpacked, only the port's own error leaves."""
    pax = entry("ü" * 100)
    tar = plain(GOOD, pax, entry("l", tarfile.SYMTYPE, "good.py"))
    change: Callable[[], bytes] = lambda: (  # noqa: E731
        gzip.compress(flipped(tar, place, value))
        if inside
        else flipped(gzip.compress(tar), place, value)
    )
    try:
        TarArchives().inspect(io.BytesIO(change()), LIMITS)
    except ArchiveError as e:
        assert str(e)  # noqa: PT017 - most changes are errors, some are not
