"""What the words of a newer peer count as, which may be one release ahead of us.

Unknown fields are ignored everywhere. An unknown word is an error, for people's slips are found
so, save where a newer agent or server could break an older one by it; those are listed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import Command, ReclaimVerdict, Verdict
from launchyard.domain.reason import Reason

LEFT_OUT: Final[frozenset[Any]] = frozenset({Reason, AttemptState})
"""Where they may be absent, an unknown one is: the fact is a note, or an end without a reason.

So a new state of attempts is taken by servers one release before agents send it.
"""

COUNTS_AS: Final[Mapping[Any, StrEnum]] = {
    Verdict: Verdict.REFUSED,
    ReclaimVerdict: ReclaimVerdict.SUPERSEDED,
}
"""Nothing was taken, nothing is ours: an older agent then does nothing more."""

SKIPPED: Final[frozenset[Any]] = frozenset({Command})
"""Elements of lists that are skipped: what an older agent cannot do it is not asked for."""
