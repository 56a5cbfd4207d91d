"""Taking secrets out of text for people, wherever they slipped in: the last net, not the first."""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "***"

_RULES: Final = (
    # What a request shows, whatever its form.
    (
        ("bearer", "basic"),
        re.compile(r"\b(bearer|basic)(\s+)[A-Za-z0-9+/=._~-]{8,}", re.IGNORECASE),
        rf"\1\2{HIDDEN}",
    ),
    # The token of an attempt.
    (("lyat",), re.compile(r"\blyat[0-9a-f]{100}\b"), HIDDEN),
    # One of our keys: 48 characters, which a digest is not, for it has letters beyond `f`.
    (("",), re.compile(r"\b(?=[a-z0-9]*[g-z])[a-z0-9]{48}\b"), HIDDEN),
    # User and password in an address.
    (
        ("://",),
        re.compile(r"\b([a-z][a-z0-9+.-]*://)[^/\s@]+@", re.IGNORECASE),
        rf"\1{HIDDEN}@",
    ),
    # A value beside a name that says what it is.
    (
        ("key", "secret", "token", "passw", "credential"),
        re.compile(
            r"((?:api_?key|secret|token|passw(?:or)?d|credentials?)[\"']?\s*[:=]\s*[\"']?)"
            r"(?!\*\*\*|\d+\.\d+\b)[^\s\"',;&}]{6,}",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
)
"""What is taken out, and before it small words without one of which a text has nothing of it."""


def redact(text: str) -> str:
    """Return *text* without what looks like a key, a token or a password."""
    low = text.casefold()
    for words, pattern, instead in _RULES:
        if any(word in low for word in words):
            text = pattern.sub(instead, text)
    return text
