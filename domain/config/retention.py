"""How long an agent keeps things on its machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from launchyard.domain.config.schema import Block, Field, Kind

_DAY_S: Final = 86400.0

RETENTION: Final = Block(
    key="retention",
    doc="How long the agent keeps things on its machine; `launchyard server` has its own.",
    fields=(
        Field(
            key="venvs",
            kind=Kind.SECONDS,
            doc="Environments after their last use, and journals set aside; 0 is for ever.",
            default=30 * _DAY_S,
            minimum=0,
        ),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionConfig:
    """How long the agent keeps what it built; 0 is for ever."""

    venvs_s: float
