"""What every store must do with logs, outputs and archives: PROTOCOL 5."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from launchyard.plugins.testkit.store_base import StoreKit, refused, trouble
from launchyard.plugins.testkit.store_world import World
from launchyard.ports.records import FileRecord, Trouble
from launchyard.ports.store import Store


class FilesContract(StoreKit):
    """Cursor and bytes together, or not at all."""

    def test_a_log_grows_at_its_cursor(self, world: World) -> None:
        """Each source of each attempt has its own; anywhere else the cursor is told."""
        item, store = world.put().id, world.store
        first, end = len(b"hello "), len(b"hello world")
        assert store.append_log(item, 1, "agent", 0, b"hello ") == first
        assert store.append_log(item, 1, "agent", first, b"world") == end
        assert store.append_log(item, 1, "build", 0, b"") == 0
        for start in (0, first, end + 1):
            error = refused(partial(store.append_log, item, 1, "agent", start, b"x"))
            assert (error.trouble, error.cursor) == (Trouble.CURSOR, end)
        assert store.log_cursors(item, 1) == {"agent": end, "build": 0}

    def test_a_read_merges_chunks(self, world: World, opened: Callable[[], Store]) -> None:
        """From any byte, as many as wanted, in one piece; after a restart, too."""
        item = world.put().id
        whole = b"".join(f"line {n}\n".encode() for n in range(10))
        for n in range(0, len(whole), 7):
            world.store.append_log(item, 1, "agent", n, whole[n : n + 7])
        store = opened()
        for start in range(0, len(whole) + 2, 3):
            for most in (1, 10, 1000):
                chunk = store.read_log(item, 1, "agent", start, most)
                assert chunk.data == whole[start : start + most]
                assert (chunk.start, chunk.to) == (start, start + len(chunk.data))
                assert not chunk.truncated
        assert store.read_log(item, 1, "never", 0, 10).data == b""

    def test_a_quota_ends_in_a_visible_mark(self, world: World) -> None:
        """What fits is kept, the cut is shown, and all that follows is refused."""
        item, store = world.put().id, world.store
        store.append_log(item, 1, "build", 0, b"b" * 10)
        store.append_log(item, 1, "agent", 0, b"a" * 80)
        over = partial(store.append_log, item, 1, "agent", 80, b"c" * 50)
        assert trouble(over) is Trouble.PAST_QUOTA
        chunk = store.read_log(item, 1, "agent", 0, 1000)
        assert chunk.data.startswith(b"a" * 80 + b"c" * 10 + b"\n[launchyard: ")
        assert chunk.data.endswith(b"]\n")
        assert chunk.truncated
        assert not store.read_log(item, 1, "agent", 0, 10).truncated
        assert trouble(over) is Trouble.PAST_QUOTA
        assert trouble(lambda: store.append_log(item, 1, "build", 10, b"d")) is Trouble.PAST_QUOTA
        assert store.read_log(item, 1, "build", 10, 1000).truncated
        assert store.read_log(item, 1, "agent", 0, 1000) == chunk

    def test_outputs_are_kept_with_their_attempt(self, world: World) -> None:
        """Sorted by path; the same path again replaces."""
        item, store = world.put().id, world.store
        assert store.put_output(item, 1, _file("plot.png", 3)) == ""
        store.put_output(item, 1, _file("model/a.bin", 5))
        assert store.put_output(item, 1, _file("plot.png", 4)) == "blobs/plot.png"
        assert [(f.path, f.size_b) for f in store.outputs(item, 1)] == [
            ("model/a.bin", 5),
            ("plot.png", 4),
        ]

    def test_an_attempt_leaves_no_more_than_its_share(self, world: World) -> None:
        """One output, or one log of the job's own, too many is refused; what is there goes on."""
        item, store = world.put().id, world.store
        paths = [f"f{n}" for n in range(self.outputs)]
        for path in paths:
            store.expect_output(item, 1, path)
            store.put_output(item, 1, _file(path, 1))
        store.put_output(item, 1, _file(paths[0], 2))
        for call in (
            partial(store.expect_output, item, 1, "more"),
            partial(store.put_output, item, 1, _file("more", 1)),
        ):
            assert trouble(call) is Trouble.PAST_QUOTA
        assert [file.path for file in store.outputs(item, 1)] == paths
        for n in range(self.own_sources):
            store.append_log(item, 1, f"own.{n}", 0, b"")
        assert store.append_log(item, 1, "own.0", 0, b"x") == 1
        more = partial(store.append_log, item, 1, "own.more", 0, b"")
        assert "may have no more" in str(refused(more))
        assert trouble(more) is Trouble.PAST_QUOTA
        assert store.append_log(item, 1, "pod.main", 0, b"y") == 1

    def test_archives_are_found_by_their_digest(self, world: World) -> None:
        """One record for one content."""
        assert world.store.archive("0" * 64) is None
        world.store.put_archive(_file("code.tgz", 3))
        world.store.put_archive(_file("code.tgz", 3))
        found = world.store.archive("0" * 64)
        assert found is not None
        assert (found.size_b, found.blob) == (3, "blobs/code.tgz")

    def test_files_of_nothing_are_not_found(self, world: World) -> None:
        """Neither an unknown item nor an attempt that never was has any."""
        item, store = world.put().id, world.store
        for of, attempt in (("nothing", 1), (item, 2), (item, 0)):
            for call in (
                partial(store.append_log, of, attempt, "agent", 0, b"x"),
                partial(store.read_log, of, attempt, "agent", 0, 1),
                partial(store.log_cursors, of, attempt),
                partial(store.put_output, of, attempt, _file("a", 1)),
                partial(store.expect_output, of, attempt, "a"),
                partial(store.outputs, of, attempt),
            ):
                assert trouble(call) is Trouble.NOT_FOUND


def _file(path: str, size_b: int) -> FileRecord:
    return FileRecord(path=path, size_b=size_b, sha256="0" * 64, blob=f"blobs/{path}")
