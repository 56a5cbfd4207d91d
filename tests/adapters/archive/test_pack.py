"""Making code archives of real folders."""

from __future__ import annotations

import gzip
import io
import os
import socket
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launchyard.adapters.archive.archives import TarArchives
from launchyard.domain.archive import Limits
from launchyard.ports.archive import ArchiveError, ArchiveTrouble
from tests.adapters.archive.trees import make, packed

LIMITS = Limits()


def refused(folder: Path, limits: Limits = LIMITS) -> ArchiveError:
    """Return the error of a folder that cannot be packed; nothing is left behind."""
    into = folder.parent / "code.tgz"
    with pytest.raises(ArchiveError) as e:
        TarArchives().pack(str(folder), str(into), limits)
    assert not into.exists()
    return e.value


def tree(folder: Path) -> dict[str, object]:
    """Describe all below *folder*."""
    found: dict[str, object] = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = path.readlink()
        elif path.is_dir():
            found[name] = "folder"
        else:
            found[name] = (path.read_bytes(), path.stat().st_mode & 0o777)
    return found


def test_equal_trees_give_equal_bytes(tmp_path: Path) -> None:
    """Place, times, owners and the order of creation do not show."""
    one = make(tmp_path / "1/x", {"a": "1", "b/c": "2"})
    two = make(tmp_path / "2/y", {"b/c": "2", "a": "1"})
    os.utime(two / "a", (1, 1))
    (two / "a").chmod(0o600)
    archives = TarArchives()
    first = archives.pack(str(one), str(tmp_path / "1.tgz"), LIMITS)
    second = archives.pack(str(two), str(tmp_path / "2.tgz"), LIMITS)
    assert first == second
    assert (tmp_path / "1.tgz").read_bytes() == (tmp_path / "2.tgz").read_bytes()
    assert first.files == 2
    assert first.size_b == (tmp_path / "1.tgz").stat().st_size


def test_the_executable_bit_is_part_of_a_tree(tmp_path: Path) -> None:
    """A script that runs here runs there, so it makes another archive."""
    folder = make(tmp_path / "x", {"run.sh": ""})
    archives = TarArchives()
    before = archives.pack(str(folder), str(tmp_path / "1.tgz"), LIMITS)
    (folder / "run.sh").chmod(0o755)
    assert archives.pack(str(folder), str(tmp_path / "1.tgz"), LIMITS).sha256 != before.sha256


def test_an_empty_folder_is_an_archive(tmp_path: Path) -> None:
    """There may be nothing to send; that is no error of the archive's."""
    (tmp_path / "x").mkdir()
    assert packed(tmp_path / "x") == []


def test_an_archive_does_not_hold_itself(tmp_path: Path) -> None:
    """A file that is being written inside the folder is not part of it."""
    folder = make(tmp_path / "x", {"a": "", "out.tgz": "old"})
    TarArchives().pack(str(folder), str(folder / "out.tgz"), LIMITS)
    with tarfile.open(folder / "out.tgz") as tar:
        assert tar.getnames() == ["a"]


def test_links_inside_are_kept(tmp_path: Path) -> None:
    """A link is a link on the other side, also one to a folder, and a dangling one."""
    folder = make(tmp_path / "x", {"a/b": "1"})
    for name, target in {"l": "a/b", "d": "a", "a/up": "../l", "gone": "nowhere"}.items():
        (folder / name).symlink_to(target)
    assert packed(folder) == ["a", "a/b", "a/up", "d", "gone", "l"]


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "a/../../secret"])
def test_links_out_are_refused_unless_ignored(tmp_path: Path, target: str) -> None:
    """The link is named, with a remedy that works."""
    folder = make(tmp_path / "x", {"a/b": "1"})
    (folder / "out").symlink_to(target)
    e = refused(folder)
    assert e.trouble is ArchiveTrouble.REFUSED
    assert "'out'" in str(e)
    assert ".launchyardignore" in str(e)
    (folder / ".launchyardignore").write_text("/out\n")
    assert packed(folder) == [".launchyardignore", "a", "a/b"]


def test_names_that_clash_elsewhere_are_refused(tmp_path: Path) -> None:
    """What the server would refuse is refused before it is sent."""
    folder = make(tmp_path / "x", {"Data": "", "data": ""})
    assert "differ only in case" in str(refused(folder))


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """A name of bytes that are not UTF-8 says which."""
    (tmp_path / "x").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "x") + b"/\xff")).touch()
    assert "UTF-8" in str(refused(tmp_path / "x"))


@pytest.mark.parametrize(
    ("limits", "biggest"),
    [
        (Limits(total_b=1000), "'data'"),
        (Limits(single_b=500), "'data'"),
        (Limits(members=5), "'many'"),
        (Limits(packed_b=300), "'data'"),
    ],
)
def test_too_much_names_the_biggest(tmp_path: Path, limits: Limits, biggest: str) -> None:
    """Each limit's error leads with the part to leave out, and says where to write it."""
    many = {f"many/{i}": "" for i in range(6)}
    folder = make(tmp_path / "x", {"a": "1", "data/big": os.urandom(1000).hex(), **many})
    e = refused(folder, limits)
    assert e.trouble is ArchiveTrouble.TOO_BIG
    assert f"The biggest parts are {biggest}" in str(e)
    assert ".launchyardignore" in str(e)


def test_special_files_are_passed_over(tmp_path: Path) -> None:
    """A pipe or a socket in the folder neither blocks nor fails."""
    folder = make(tmp_path / "x", {"a": ""})
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "s"))
        assert packed(folder) == ["a"]


def test_no_folder_is_an_error(tmp_path: Path) -> None:
    """A wrong path is named."""
    assert "check the path" in str(refused(tmp_path / "x"))


@pytest.mark.parametrize("name", ["secret", "shut", ".gitignore"])
def test_what_cannot_be_read_is_named(name: str) -> None:
    """A file or folder without rights ends in a clear error, not in a smaller archive."""
    with tempfile.TemporaryDirectory() as base:
        folder = make(Path(base) / "x", {"a": "", "secret": "", "shut/x": "", ".gitignore": ""})
        Path(base).chmod(0o777)
        (folder / name).chmod(0)
        user = os.geteuid()
        if user == 0:  # root reads everything
            os.seteuid(65534)
        try:
            e = refused(folder)
        finally:
            if user == 0:
                os.seteuid(0)
            (folder / name).chmod(0o700)
    assert e.trouble is ArchiveTrouble.UNREADABLE
    assert name in str(e)


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    """The archive's own file fails, not the folder."""
    folder = make(tmp_path / "x", {"a": ""})
    with pytest.raises(ArchiveError, match="written") as e:
        TarArchives().pack(str(folder), str(tmp_path / "no/such.tgz"), LIMITS)
    assert e.value.trouble is ArchiveTrouble.DISK_FULL


def test_five_thousand_files_come_back(tmp_path: Path) -> None:
    """A large project makes one archive and unpacks to the same tree."""
    files = {f"pkg{i % 50}/mod{i}.py": f"x = {i}\n" for i in range(5000)}
    folder = make(tmp_path / "x", files)
    contents = TarArchives().pack(str(folder), str(tmp_path / "c.tgz"), LIMITS)
    assert contents.files == 5000
    with (tmp_path / "c.tgz").open("rb") as file:
        assert TarArchives().inspect(file, LIMITS) == contents


steps = st.sampled_from(["a", "b", "Ü ö", "x.py", "-dash", "'q'", "l" * 200])
names = st.lists(steps, min_size=1, max_size=3).map("/".join)
trees = st.dictionaries(names, st.tuples(st.binary(max_size=2000), st.booleans()), max_size=8)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trees)
def test_a_tree_survives_the_journey(files: dict[str, tuple[bytes, bool]]) -> None:
    """What is packed is unpacked: bytes, executable bits, links, empty folders."""
    with tempfile.TemporaryDirectory() as base:
        folder, into = Path(base, "x"), Path(base, "y")
        folder.mkdir()
        into.mkdir()
        for name, (data, runs) in files.items():
            path = folder / name
            if any(p.is_file() for p in [*path.parents, path]) or path.is_dir():
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            path.chmod(0o755 if runs else 0o644)
        (folder / "empty").mkdir()
        (folder / "link").symlink_to("a")
        packed = TarArchives().pack(str(folder), f"{base}/c.tgz", LIMITS)
        with Path(base, "c.tgz").open("rb") as file:
            assert TarArchives().unpack(file, str(into), packed.sha256, LIMITS) == packed
        assert tree(into) == tree(folder)


def test_the_format_is_plain(tmp_path: Path) -> None:
    """Any tar reads it: no owner, no time, normal modes."""
    folder = make(tmp_path / "x", {"a": "1"})
    TarArchives().pack(str(folder), str(tmp_path / "c.tgz"), LIMITS)
    data = gzip.decompress((tmp_path / "c.tgz").read_bytes())
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        info = tar.getmember("a")
    assert (info.mtime, info.uid, info.gid, info.uname, info.mode) == (0, 0, 0, "", 0o644)
