"""Telling from git's own words what went wrong, and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from launchyard.domain.reason import Reason
from launchyard.domain.remotes import Remote, scrub
from launchyard.ports.source import SourceError

_MOST_LINES: Final = 3


@dataclass(frozen=True, slots=True)
class _Trouble:
    words: re.Pattern[str]
    reason: Reason
    retry: bool
    remedy: str


def _trouble(words: str, reason: Reason, remedy: str, *, retry: bool = False) -> _Trouble:
    return _Trouble(re.compile(words, re.IGNORECASE), reason, retry, remedy)


# The first that fits counts: git ends most errors with the same general lines.
_TROUBLES: Final = (
    _trouble(
        r"no space left on device|disk quota exceeded",
        Reason.DISK_FULL,
        "make room on the agent's disk",
        retry=True,
    ),
    _trouble(
        r"gitmodules(url|path|name|update|symlink|parse)|transport '.*' not allowed"
        r"|submodule (url|path) .*disallowed",
        Reason.SOURCE_REFUSED,
        "its .gitmodules names an address or a path that is not fetched; repair it",
    ),
    _trouble(
        r"fsck error|bad object|did not send all necessary objects|index-pack failed.*invalid"
        r"|object corrupt|inflate: data stream error",
        Reason.SOURCE_CORRUPT,
        'the repository is damaged; "git fsck" there tells where',
    ),
    _trouble(
        r"host key verification failed",
        Reason.SOURCE_REFUSED,
        "add the host's key to the known_hosts file of the agent's user",
    ),
    _trouble(
        r"certificate|SSL peer|unable to get local issuer",
        Reason.SOURCE_REFUSED,
        "give the agent the server's certificate authority by GIT_SSL_CAINFO",
    ),
    _trouble(
        r"could not read (username|password)|authentication failed|permission denied"
        r"|returned error: 40[13]|access denied|invalid credentials",
        Reason.SOURCE_REFUSED,
        "the agent may not read it: check the address, and give the agent's user a key or a"
        " credential helper",
    ),
    _trouble(
        r"repository .*not found|returned error: 404|does not appear to be a git repository"
        r"|no such (file|repository)|project .*could not be found",
        Reason.SOURCE_NOT_FOUND,
        "check the address, and that the agent's user may read the repository",
    ),
)
_ELSE: Final = _trouble(
    "", Reason.SOURCE_UNREACHABLE, "check the network between the agent and its host", retry=True
)


def explain(stderr: str, remote: Remote) -> SourceError:
    """Return the error for a git command that failed with *stderr*, free of credentials."""
    text = scrub(stderr, remote)
    trouble = next((t for t in _TROUBLES if t.words.search(text)), _ELSE)
    said = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [x for x in said if x.startswith(("fatal:", "error:", "remote:", "ssh:"))] or said
    quoted = "; ".join(telling[:_MOST_LINES]) or "git gave no reason"
    message = f"fetching {remote.url} failed: {quoted[:500]} - {trouble.remedy}"
    return SourceError(message, reason=trouble.reason, retry=trouble.retry)
