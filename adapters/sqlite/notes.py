"""What housekeeping needs of a journal, read beside the agent that writes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from launchyard.adapters.sqlite.journal import FILE
from launchyard.ports.journal import JournalError

_BUSY_S: Final = 5.0


def rows_of(folder: str) -> list[str]:
    """Return the texts of all attempts that the journal in *folder* has.

    Raises:
        JournalError: it cannot be read; what is in use is not known then.
    """
    path = Path(folder, FILE)
    if not path.exists():
        return []
    try:
        uri = f"file:{quote(str(path.absolute()))}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_S)) as db:
            return [row for (row,) in db.execute("SELECT row FROM entries")]
    except sqlite3.Error as e:
        raise JournalError(f"the journal {path} cannot be read ({e})") from e


def set_asides(folder: str) -> Iterator[Path]:
    """Give the journals that were set aside in *folder*, with their parts."""
    yield from sorted(Path(folder).glob(f"{FILE}.set-aside-*"))
