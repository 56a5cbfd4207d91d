"""Which dialect a server speaks: its address tells.

`name+https://host` is spoken to by the plugin that brings a launch server of that name; `wandb` is
one of the names, and `wandb_address` knows its other forms. Any other address is one of ours.
"""

from __future__ import annotations

import re
from typing import Final

from launchyard.domain.wandb_address import WORD, is_wandb, wandb_url

OURS: Final = "launchyard"
_NAMED: Final = re.compile(r"([a-z][a-z0-9_-]*)\+(.+)", re.DOTALL)


def split_address(server: str) -> tuple[str, str]:
    """Return the name in front of an address, empty where there is none, and the address."""
    named = _NAMED.fullmatch(server)
    return (named[1], named[2]) if named else ("", server)


def dialect(server: str) -> str:
    """Return the name of the launch server that speaks to *server*."""
    return WORD if is_wandb(server) else split_address(server)[0] or OURS


def plain_address(server: str) -> str:
    """Return *server* without the name of its dialect."""
    return wandb_url(server, "") if is_wandb(server) else split_address(server)[1]
