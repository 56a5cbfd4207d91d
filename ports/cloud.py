"""The cloud environment port: whose credentials the agent uses, and whether they work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class CloudError(Exception):
    """The cloud refused or could not be reached; the message names the remedy."""


class CloudEnvironment(Protocol):
    """One cloud with the default credentials of this process.

    Every call ends within 15 s, and no exception but `CloudError` leaves.
    """

    @property
    def scope(self) -> str:
        """Where handles of this cloud can be reached, as `aws:<account>/<region>`."""
        ...

    def verify(self) -> None:
        """Try the credentials with one harmless call.

        Raises:
            CloudError: they do not work.
        """
        ...

    def variables(self) -> Mapping[str, str]:
        """Return the variables by which this cloud's own tools find the same credentials."""
        ...
