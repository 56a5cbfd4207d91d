"""The kit for an attempt's bytes against every adapter: our REST client in front of our server."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote

import pytest

from launchyard.adapters.client.files import RestAttemptFiles
from launchyard.adapters.sql.settings import StoreSettings
from launchyard.plugins.testkit.attempt_files import AttemptFilesCase, AttemptFilesContract
from tests.servers import RunningServer, running_server


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Give one server for all tests of this module."""
    with running_server(tmp_path_factory.mktemp("server")) as server:
        server.make_queue()
        yield server


class TestRestAttemptFiles(AttemptFilesContract):
    """Our own pair."""

    @pytest.fixture
    def case(self, running: RunningServer) -> Iterator[AttemptFilesCase]:
        """Give a client with an agent's key, and a new item."""
        key, item = running.make_key("agent"), running.submit()
        with (
            closing(RestAttemptFiles(running.url, key)) as files,
            closing(RestAttemptFiles("http://127.0.0.1:9", key)) as silent,
        ):
            yield AttemptFilesCase(
                files=files,
                silent=silent,
                item=item,
                attempt=1,
                quota_b=StoreSettings().log_quota_b,
                log=lambda source: (
                    running.ask("GET", f"/items/{item}/logs", params={"source": source}).content
                ),
                output=lambda path: (
                    running.ask("GET", f"/items/{item}/outputs/{quote(path)}").content
                ),
                archive=lambda: _stored(running),
            )


def _stored(running: RunningServer) -> tuple[str, bytes]:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        info = tarfile.TarInfo("train.py")
        info.size = 9
        tar.addfile(info, io.BytesIO(b"print(1)\n"))
    data = gzip.compress(raw.getvalue())
    sha256 = hashlib.sha256(data).hexdigest()
    assert running.ask("PUT", f"/archives/{sha256}", data=data).ok
    return sha256, data
