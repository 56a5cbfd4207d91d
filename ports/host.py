"""The machine port: what of this machine is free."""

from __future__ import annotations

from typing import Protocol

from launchyard.domain.host import HostNeeds, HostState


class Machine(Protocol):
    """This machine, looked at anew with each call."""

    def state(self, needs: HostNeeds, folder: str) -> HostState:
        """Return what is free of everything that *needs* asks for, the disk being *folder*'s.

        Raises:
            OSError: something of it cannot be told; the message says what.
        """
        ...
