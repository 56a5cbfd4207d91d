"""What a code archive may hold: rules for its members, judged before anything is written."""

from __future__ import annotations

import posixpath
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

_SET_ID_BITS: Final = 0o6000


class Kind(StrEnum):
    """What a member of an archive is; `OTHER` is everything a source tree has no use for."""

    FILE = "file"
    FOLDER = "folder"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    OTHER = "other"


class Rule(StrEnum):
    """Which rule a member breaks."""

    NAME = "name"
    ABSOLUTE = "absolute"
    PARENT = "parent"
    LENGTH = "length"
    KIND = "kind"
    MODE = "mode"
    LINK = "link"
    THROUGH = "through"
    DUPLICATE = "duplicate"
    CASE = "case"
    COUNT = "count"
    SIZE = "size"
    RATIO = "ratio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much an archive may hold; `ratio` counts only beyond `ratio_free_b`."""

    packed_b: int = 512 * 1024**2
    total_b: int = 2 * 1024**3
    single_b: int = 1024**3
    members: int = 100_000
    ratio: int = 100
    ratio_free_b: int = 64 * 1024**2
    path_b: int = 1024
    part_b: int = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One entry as the archive tells it; `target` is where a link points, `mode` its bits."""

    name: str
    kind: Kind
    size_b: int = 0
    mode: int = 0o644
    target: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an archive is refused: the broken rule, and a sentence for people."""

    rule: Rule
    message: str


@dataclass(slots=True)
class Seen:
    """What was accepted of one archive so far; `check_member` alone writes it."""

    members: int = 0
    total_b: int = 0
    kinds: dict[str, Kind] = field(default_factory=dict)
    listed: set[str] = field(default_factory=set)
    spellings: dict[str, str] = field(default_factory=dict)


def clean_name(name: str) -> str:
    """Return *name* without `./`, doubled and closing slashes; the root itself is empty."""
    return "/".join(part for part in name.split("/") if part not in {"", "."})


def check_member(member: Member, seen: Seen, limits: Limits) -> Problem | None:
    """Judge the next *member* of an archive, and remember it when it is fit to be written.

    A tree of accepted members, written in their order, stays inside its folder: nothing lies
    beneath a link, and no link leaves.
    """
    path = clean_name(member.name)
    problem = (
        _check_name(member.name, limits)
        or _check_kind(member, path)
        or _check_amount(member, seen, limits)
        or _check_place(member, path, seen)
        or _check_link(member, path, seen, limits)
    )
    if problem is None:
        _remember(member, path, seen)
    return problem


def check_flow(unpacked_b: int, packed_b: int, limits: Limits) -> Problem | None:
    """Judge the bytes that have come out of *packed_b* bytes so far; call it while reading."""
    if packed_b > limits.packed_b:
        text = f"the archive is larger than the limit of {mebibytes(limits.packed_b)}"
        return Problem(Rule.SIZE, text)
    if unpacked_b > limits.total_b + limits.ratio_free_b:
        text = f"the archive is larger than {mebibytes(limits.total_b)} when it is unpacked"
        return Problem(Rule.SIZE, text)
    if unpacked_b > limits.ratio_free_b and unpacked_b > limits.ratio * packed_b:
        text = f"the archive grows more than {limits.ratio}-fold when it is unpacked"
        return Problem(Rule.RATIO, text)
    return None


def mebibytes(size_b: int) -> str:
    """Return *size_b* the way messages give sizes."""
    return f"{size_b / 1024**2:.1f} MiB"


def _check_name(name: str, limits: Limits) -> Problem | None:
    shown = _shown(name)
    if not name or "\0" in name:
        return Problem(Rule.NAME, f"the name {shown} is empty or holds a NUL character")
    try:
        size_b = len(name.encode())
    except UnicodeEncodeError:
        return Problem(Rule.NAME, f"the name {shown} is not valid UTF-8; rename the file")
    if name.startswith("/"):
        return Problem(Rule.ABSOLUTE, f"{shown} is an absolute path")
    parts = name.split("/")
    if ".." in parts:
        return Problem(Rule.PARENT, f'{shown} has ".." in its path')
    if size_b > limits.path_b or any(len(part.encode()) > limits.part_b for part in parts):
        text = f"the path {shown} is longer than {limits.path_b} bytes, or a part of it than"
        return Problem(Rule.LENGTH, f"{text} {limits.part_b}")
    return None


def _check_kind(member: Member, path: str) -> Problem | None:
    shown = _shown(member.name)
    if member.kind is Kind.OTHER:
        text = f"{shown} is a device, a pipe or another special file; only files, folders and"
        return Problem(Rule.KIND, f"{text} links are taken")
    if not path and member.kind is not Kind.FOLDER:
        return Problem(Rule.NAME, f"{shown} names the root of the archive, but is no folder")
    if member.mode & _SET_ID_BITS and member.kind is not Kind.FOLDER:
        return Problem(Rule.MODE, f"{shown} has the set-user-id or set-group-id bit")
    return None


def _check_amount(member: Member, seen: Seen, limits: Limits) -> Problem | None:
    if seen.members >= limits.members:
        return Problem(Rule.COUNT, f"the archive has more than {limits.members} members")
    if not 0 <= member.size_b <= limits.single_b:
        text = f"{_shown(member.name)} is larger than the limit of {mebibytes(limits.single_b)}"
        return Problem(Rule.SIZE, text)
    if seen.total_b + member.size_b > limits.total_b:
        text = f"the archive's files are larger than {mebibytes(limits.total_b)} together"
        return Problem(Rule.SIZE, text)
    return None


def _check_place(member: Member, path: str, seen: Seen) -> Problem | None:
    """Refuse a second member of one name, and one whose parent is not a folder."""
    if path in seen.listed:
        return Problem(Rule.DUPLICATE, f"{_shown(path)} is in the archive twice")
    for place in _line(path):
        other = seen.spellings.get(_key(place))
        if other is not None and other != place:
            text = f"{_shown(place)} and {_shown(other)} differ only in case or Unicode form"
            return Problem(Rule.CASE, f"{text}; rename one of them")
        kind = seen.kinds.get(place)
        if place != path and kind not in {None, Kind.FOLDER}:
            text = f"{_shown(path)} lies beneath {_shown(place)}, which is no folder"
            return Problem(Rule.THROUGH, text)
    if member.kind is not Kind.FOLDER and path in seen.kinds:
        return Problem(Rule.DUPLICATE, f"{_shown(path)} is in the archive as a folder, too")
    return None


def _check_link(member: Member, path: str, seen: Seen, limits: Limits) -> Problem | None:
    if member.kind is Kind.SYMLINK:
        return _check_symlink(path, member.target, limits)
    if member.kind is Kind.HARDLINK:
        target = clean_name(member.target)
        bad = _check_name(member.target, limits) is not None
        if bad or seen.kinds.get(target) not in {Kind.FILE, Kind.HARDLINK}:
            text = f"{_shown(path)} is a hard link to {_shown(member.target)}, which is no file"
            return Problem(Rule.LINK, f"{text} before it in the archive")
    return None


def _check_symlink(path: str, target: str, limits: Limits) -> Problem | None:
    """Refuse a target outside the archive, and one that climbs after it went down.

    `a/../b` may leave through a link named `a`; leading `..` steps pass real folders only,
    because nothing lies beneath a link.
    """
    shown = f"{_shown(path)} links to {_shown(target)}"
    text_ok = target and "\0" not in target and target.isprintable()
    if not text_ok or len(target.encode(errors="replace")) > limits.path_b:
        return Problem(Rule.LINK, f"{shown}, which is empty, too long or not plain text")
    if target.startswith("/"):
        return Problem(Rule.LINK, f"{shown}, an absolute path outside the archive")
    steps = clean_name(target).split("/")
    climbs = next((i for i, step in enumerate(steps) if step != ".."), len(steps))
    if ".." in steps[climbs:]:
        return Problem(Rule.LINK, f'{shown}, where ".." comes after a name; shorten the target')
    if climbs > path.count("/"):
        return Problem(Rule.LINK, f"{shown}, which is outside the archive")
    return None


def _remember(member: Member, path: str, seen: Seen) -> None:
    seen.members += 1
    seen.total_b += member.size_b
    for place in _line(path):
        seen.kinds.setdefault(place, Kind.FOLDER)
        seen.spellings.setdefault(_key(place), place)
    seen.kinds[path] = member.kind
    seen.listed.add(path)


def _line(path: str) -> list[str]:
    """Return *path* and the folders above it, the highest first."""
    places: list[str] = []
    while path:
        places.append(path)
        path = posixpath.dirname(path)
    return places[::-1]


def _key(path: str) -> str:
    """Return what two paths share that one file on some systems."""
    folded = unicodedata.normalize("NFC", path).casefold()
    return unicodedata.normalize("NFC", folded)


def _shown(name: str) -> str:
    """Return *name* quoted, without control characters, and cut to a readable length."""
    longest = 120
    return ascii(name if len(name) <= longest else name[:longest] + "...")
