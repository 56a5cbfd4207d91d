"""Changing source code after it has arrived: the uncommitted part of a job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Patcher(Protocol):
    """Applies patches in git's format.

    Promises: nothing outside of the folder is written, neither by name nor through a link; all of
    a patch is applied or none; the call ends as a fetch does. No exception but
    `ports.source.SourceError` leaves.
    """

    def apply(
        self, patch: bytes, folder: str, *, timeout_s: float, cancelled: Callable[[], bool]
    ) -> None:
        """Change the files in *folder* as *patch* says; its paths have one leading part."""
        ...
