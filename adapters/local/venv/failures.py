"""What an installer's last words mean: which dependency failed, and what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from launchyard.adapters.local.venv.scrub import scrub
from launchyard.domain.reason import Reason
from launchyard.ports.builder import BuildError

_FULL: Final = re.compile(r"No space left on device|os error 28|Disk quota exceeded")
_NETWORK: Final = re.compile(
    r"Max retries exceeded|Temporary failure in name resolution|Connection (?:refused|reset)"
    r"|ConnectTimeout|Read timed out|dns error|error sending request|operation timed out"
    r"|Network is unreachable"
)
_NAME: Final = (
    r"[`'\"]?(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[^\]]*\])?(?:\s?[=<>!~]=?[^\s`'\",)]+)?)"
)
_ABSENT: Final = "there is no such version for this Python; check its name and version"
_CONFLICT: Final = "what is required contradicts itself; loosen one of the versions"
_NOT_BUILT: Final = "it has to be built from source and that failed; the log says why"
_NOT_READ: Final = "the line is no requirement; write it as `name==version`"
_NOT_FETCHED: Final = "it could not be fetched; the log says why"
_SIGNS: Final = tuple(
    (re.compile(pattern), remedy)
    for pattern, remedy in (
        (r"Invalid requirement: ['\"](?P<name>[^'\"]+)", _NOT_READ),
        (r"Couldn't parse requirement .*? cause: .*? found \S+ (?P<name>.+?) \^", _NOT_READ),
        (rf"No matching distribution found for {_NAME}", _ABSENT),
        (rf"Could not find a version that satisfies the requirement {_NAME}", _ABSENT),
        (rf"Package {_NAME} requires a different Python", "it does not fit this Python"),
        (rf"Cannot install {_NAME}", _CONFLICT),
        (rf"Because you require {_NAME} and", _CONFLICT),
        (rf"Because {_NAME} was not found", "nothing has this name; check its spelling"),
        (rf"Because (?:there (?:is|are) no versions? of|only) {_NAME}", _ABSENT),
        (rf"and you require {_NAME}", _CONFLICT),
        (rf"(?:Failed building wheel|Could not build wheels) for {_NAME}", _NOT_BUILT),
        (rf"Failed to (?:download and )?build {_NAME}", _NOT_BUILT),
        (r"Failed to fetch: \S+/simple/(?P<name>[^/\s`]+)", _NOT_FETCHED),
        (rf"Failed to download {_NAME}", _NOT_FETCHED),
    )
)
_LAST_BEGUN: Final = re.compile(
    rf"^\s*(?:Collecting|Processing|Building) (?:\S*/)?{_NAME}", re.MULTILINE
)
_BASE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def install_failed(said: str, asked: Sequence[str]) -> BuildError:
    """Return the error for an installer that failed and *said* so, of the lines *asked* for."""
    text = _flat(said)
    if _FULL.search(text):
        message = "the disk is full; make room on the disk of the agent's state folder"
        return BuildError(message, reason=Reason.DISK_FULL, retry=True)
    retry = _NETWORK.search(text) is not None
    name, remedy = _failed(said, text)
    if not name:
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        name, remedy = "", lines[-1] if lines else "the installer said nothing"
    if retry:
        remedy = "the package index could not be reached"
    what = f"the dependency `{_as_asked(name, asked)}`" if name else "what the job requires"
    message = scrub(f"{what} cannot be installed: {remedy}")
    return BuildError(message, reason=Reason.DEPENDENCY_FAILED, retry=retry)


def _failed(said: str, text: str) -> tuple[str, str]:
    """Return which dependency failed and why, or empty texts."""
    for pattern, remedy in _SIGNS:
        if match := pattern.search(text):
            return match["name"], remedy
    begun = list(_LAST_BEGUN.finditer(said))
    return (begun[-1]["name"], _NOT_BUILT) if begun else ("", "")


def _flat(said: str) -> str:
    """Return the text without the frames and line ends that installers draw around it."""
    return " ".join(re.sub(r"[│╰▶├]|─▶", " ", said).split())


def _as_asked(name: str, asked: Sequence[str]) -> str:
    """Return the line that asked for *name* as its author wrote it, if there is one."""
    match = _BASE.match(name)
    base = _plain(match[0]) if match else name
    for line in asked:
        found = _BASE.match(line)
        if found and _plain(found[0]) == base and "://" not in line:
            return line
    return name.rstrip(".,:;")


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
