"""What was fetched for attempts that never began: nobody else would take it away."""

from __future__ import annotations

from collections.abc import Callable

from launchyard.actors.messages import Discard, ToHost
from launchyard.domain.attempt import AttemptState
from launchyard.domain.attempts import Attempt
from launchyard.domain.spec import NoSource
from launchyard.ports.target import Planned


def discard_source(
    row: Attempt, planned: Callable[[Attempt], Planned], to_builder: Callable[[ToHost], None]
) -> None:
    """Have the source of an attempt that ended without a handle taken away.

    Where a submit may have arrived unheard of, something may run in the folder: then it stays.
    """
    never_began = row.place is None or row.state is AttemptState.CANCELLED
    if row.product is None or row.has_handle or not never_began:
        return
    try:
        build = planned(row).build
    except Exception:  # noqa: BLE001 - a plugin may raise anything: no folder then
        return
    if build is not None and not isinstance(build.source, NoSource):
        to_builder(Discard(build.into))
