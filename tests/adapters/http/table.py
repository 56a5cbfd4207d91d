"""The table of routes without a server behind it."""

from __future__ import annotations

from typing import Any, cast

from launchyard.adapters.http.house import House
from launchyard.adapters.http.services import HttpSettings, Services


def table() -> House:
    """Return a house whose routes may be listed, never called."""
    nothing = cast("Any", None)
    return House(
        Services(
            store=nothing,
            vault=nothing,
            blobs=nothing,
            archives=nothing,
            clock=nothing,
            metrics=nothing,
            settings=HttpSettings(version="0", scratch=""),
            read_text=nothing,
            render=nothing,
            targets={},
        )
    )
