"""Every blob store in the box keeps the blob contract."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from launchyard.adapters.local.blobs import FolderBlobs
from launchyard.plugins.testkit.blobs import BlobsContract
from launchyard.ports.blobs import BlobError, Blobs


class TestFolder(BlobsContract):
    """Files below one folder."""

    @pytest.fixture
    def blobs(self, tmp_path: Path) -> Blobs:
        return FolderBlobs(tmp_path / "blobs")

    def test_a_file_in_the_way_is_named(self, tmp_path: Path) -> None:
        """The message says which folder and why."""
        (tmp_path / "blobs").write_text("a file")
        with pytest.raises(BlobError, match=r"blobs: .*(directory|exists)"):
            FolderBlobs(tmp_path / "blobs").put("a", io.BytesIO(b"x"))

    def test_only_the_owner_can_look(self, tmp_path: Path) -> None:
        """Outputs and archives are nobody else's business."""
        blobs = FolderBlobs(tmp_path / "blobs")
        blobs.put("a", io.BytesIO(b"x"))
        assert os.stat(tmp_path / "blobs").st_mode & 0o077 == 0  # noqa: PTH116
