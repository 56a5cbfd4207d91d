"""A target that plays jobs instead of running them."""

from __future__ import annotations

from collections.abc import Sequence

from launchyard.domain.config.schema import Block
from launchyard.plugins import hookimpl
from launchyard.plugins.specs import Place, Setting, TargetProvider
from launchyard.ports.runner import Runner
from launchyard.ports.target import Target

launchyard_api = 1
NAME = "rehearsal"


def _runner(place: Place) -> Runner:
    from launchyard_rehearsal.runner import RehearsalRunner  # noqa: PLC0415 - only in its process

    return RehearsalRunner(place.folder)


def _target(setting: Setting) -> Target:
    from launchyard_rehearsal.target import RehearsalTarget  # noqa: PLC0415

    return RehearsalTarget(setting)


@hookimpl
def targets() -> Sequence[TargetProvider]:
    """Bring the one target."""
    return [
        TargetProvider(
            name=NAME,
            doc="Plays jobs instead of running them.",
            config=Block(key=NAME, doc="Nothing to set."),
            make=_runner,
            target=_target,
            process=NAME,
        )
    ]
