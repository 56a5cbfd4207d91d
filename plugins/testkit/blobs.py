"""What every blob store must do, as tests."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod

import pytest

from launchyard.ports.blobs import BlobError, Blobs


class _Torn(io.BytesIO):
    """A stream that breaks in its midst."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Give one piece, then fail."""
        if self.tell():
            raise OSError("torn")
        return super().read(4 if size is None else min(4, abs(size)))


class BlobsContract(ABC):
    """Subclass as `TestMyBlobs` and give it a `blobs` fixture."""

    bad_names = ("", "../a", "a/../b", "/a", "a//b", "A", "a b", "a\n", "..", ".", "a/", "ä")

    @pytest.fixture
    @abstractmethod
    def blobs(self) -> Blobs:
        """Give an empty blob store."""

    def test_what_is_put_is_read(self, blobs: Blobs) -> None:
        """The bytes come back, and their number is told."""
        data = b"one\x00two"
        assert blobs.put("logs/a-1.txt", io.BytesIO(data)) == len(data)
        with blobs.open("logs/a-1.txt") as file:
            assert file.read() == data

    def test_an_empty_blob_is_kept(self, blobs: Blobs) -> None:
        """Nothing is something when it has a name."""
        assert blobs.put("empty", io.BytesIO()) == 0
        with blobs.open("empty") as file:
            assert file.read() == b""

    def test_a_blob_is_replaced(self, blobs: Blobs) -> None:
        """The second put under a name counts; a reader of the first is not disturbed."""
        blobs.put("a", io.BytesIO(b"first"))
        with blobs.open("a") as old:
            blobs.put("a", io.BytesIO(b"second"))
            assert old.read() == b"first"
        with blobs.open("a") as new:
            assert new.read() == b"second"

    def test_a_torn_put_leaves_nothing(self, blobs: Blobs) -> None:
        """A blob is whole or not there, and the one before it stays."""
        with pytest.raises(BlobError):
            blobs.put("new", _Torn(b"12345678"))
        assert blobs.names("") == []
        blobs.put("old", io.BytesIO(b"old"))
        with pytest.raises(BlobError):
            blobs.put("old", _Torn(b"12345678"))
        with blobs.open("old") as file:
            assert file.read() == b"old"

    def test_what_is_absent_is_missing(self, blobs: Blobs) -> None:
        """A reader can tell absence from trouble."""
        with pytest.raises(BlobError) as e:
            blobs.open("gone/a")
        assert e.value.missing

    def test_a_delete_can_be_repeated(self, blobs: Blobs) -> None:
        """Deleting what is not there is no trouble."""
        blobs.put("a/b", io.BytesIO(b"x"))
        blobs.delete("a/b")
        blobs.delete("a/b")
        blobs.delete("never/was")
        assert blobs.names("") == []

    def test_names_are_sorted_and_chosen_by_prefix(self, blobs: Blobs) -> None:
        """A prefix is of text, not of folders."""
        for name in ("b/2", "b/1", "a", "b-x"):
            blobs.put(name, io.BytesIO(b"x"))
        assert blobs.names("") == ["a", "b-x", "b/1", "b/2"]
        assert blobs.names("b/") == ["b/1", "b/2"]
        assert blobs.names("c") == []

    def test_bad_names_are_refused(self, blobs: Blobs) -> None:
        """No name leads out of the store, or means another."""
        for name in self.bad_names:
            with pytest.raises(BlobError) as e:
                blobs.put(name, io.BytesIO(b"x"))
            assert not e.value.missing
            with pytest.raises(BlobError):
                blobs.open(name)
        assert blobs.names("") == []
