"""A place where a test's plugins are installed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.plugins import kit


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Give a function that installs a plugin until the test's end."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(site)

    def put(name: str, code: str, head: str = kit.HEAD) -> None:
        kit.install(site, name, code, head)

    _forget()  # another folder's tests may have left one of the same name
    yield put
    _forget()


def _forget() -> None:
    for module in [name for name in sys.modules if name.startswith("ly_test_")]:
        del sys.modules[module]
