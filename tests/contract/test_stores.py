"""Every store in the box keeps the store contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from launchyard.adapters.sql.settings import StoreSettings
from launchyard.adapters.sql.store import open_store
from launchyard.plugins.testkit.store import StoreContract
from launchyard.plugins.testkit.store_base import Opening


class TestSqlite(StoreContract):
    """SQLite in a file."""

    @pytest.fixture
    def opening(self, tmp_path: Path) -> Opening:
        settings = StoreSettings(
            ttl_s=self.ttl_s,
            host_lost_s=self.host_lost_s,
            log_quota_b=self.quota_b,
            own_sources=self.own_sources,
            outputs=self.outputs,
        )
        url = f"sqlite:///{tmp_path / 'server.db'}"
        return Opening(lambda clock: open_store(url, clock, settings))
