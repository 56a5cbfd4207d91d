"""Keeping credentials in addresses out of what people read."""

from __future__ import annotations

import re
from typing import Final

_LOGIN: Final = re.compile(r"(?<=://)[^/\s@'\"]+@")


def scrub(text: str) -> str:
    """Return *text* with the user data of every address in it blotted out."""
    return _LOGIN.sub("***@", text)
