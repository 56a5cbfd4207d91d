"""What is known of a manifest's keys, so that a slip is found before a cluster sees it.

A key that is nobody's is left to the cluster, which may be newer than this list; one that is
nearly a known one is a slip.
"""

from __future__ import annotations

from collections.abc import Sequence

from launchyard.domain.config.problem import Problem
from launchyard.domain.documents import Json, Path


def check_manifest(
    manifest: dict[str, Json],  # noqa: ARG001 - thin
    path: Path,  # noqa: ARG001 - thin
    others: Sequence[str] = (),  # noqa: ARG001 - thin
) -> list[Problem]:
    """Return what is wrong with a Job or custom object; *others* may stand beside its keys."""
    return []
