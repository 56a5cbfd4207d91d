"""Typical slips of people who copy configuration from web pages, and their repair."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import yaml

from launchyard.domain.config.problem import HIDDEN, Problem, Repair, shown
from launchyard.domain.config.suggest import either
from launchyard.domain.config.values import alternatives, placeholder
from launchyard.domain.documents import Path

FULL_COLON: Final = "\uff1a"
_FULL_KEY: Final = re.compile(
    rf"(?P<before>\s*(?:- +)?[A-Za-z_][\w.-]*)\s*{FULL_COLON}\s*(?P<rest>.*)"
)
_TAB: Final = re.compile(r"(?P<blank>[ \t]*\t[ \t]*)(?P<rest>\S.*)")
_SLASHES: Final = re.compile(r"(?P<blank>\s*)//(?P<rest>.*)")
_COMMA: Final = re.compile(r"\s*(?:- +)?[\w.-]+:\s.*[^\s,](?P<comma>,)\s*(?:#.*)?")
_WORD: Final = re.compile(r"(?P<blank>\s*)(?P<word>[A-Za-z][\w.]*);?")
_BLOCK: Final = re.compile(r"^(?P<blank> *)(?:- +)*(?:[^#]*:)?\s*[|>][-+0-9]{0,2}\s*(?:#.*)?$")
_SECTION: Final = re.compile(r"\[[\w -]+\]")
_ASSIGNED: Final = re.compile(r"[\w.-]+\s*=.*")
_CREDENTIAL: Final = re.compile(r"key|token|secret|passw", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a text; `number` counts from 1."""

    number: int
    text: str

    def slip(self, message: str, mended: str, hint: str = "") -> Problem:
        """Return the problem of this line with *mended* in its place."""
        secret = bool(_CREDENTIAL.search(self.text.partition(FULL_COLON)[0].partition(":")[0]))
        said = HIDDEN if secret else mended.strip()
        return Problem(
            path=(),
            message=message,
            line=self.number,
            value=HIDDEN if secret else self.text.strip(),
            hint=hint or f"write `{said}`",
            repair=Repair(line=self.number, old=self.text, new=mended),
        )


def code_lines(text: str) -> Iterator[Line]:
    """Yield the lines that are YAML's own: without blank ones, comments and block texts."""
    inside: int | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        indent = len(line) - len(line.lstrip(" "))
        if inside is not None and (not stripped or indent > inside):
            continue
        inside = None
        if not stripped or stripped.startswith("#"):
            continue
        if match := _BLOCK.match(line):
            inside = len(match["blank"])
        yield Line(number, line)


def line_slips(lines: Sequence[Line]) -> Iterator[Problem]:
    """Yield the slips that single lines show, each with the whole line mended."""
    for line in lines:
        problem = line_slip(line)
        if problem is not None:
            yield problem


def line_slip(line: Line) -> Problem | None:
    """Return what is wrong with *line*, all its slips mended at once."""
    messages: list[str] = []
    mended = line.text
    if match := _TAB.fullmatch(mended):
        messages.append("is indented with a tab, which YAML does not allow")
        mended = match["blank"].replace("\t", "  ") + match["rest"]
    if match := _SLASHES.fullmatch(mended):
        messages.append("`//` begins no comment in YAML")
        mended = f"{match['blank']}#{match['rest']}"
    if match := _FULL_KEY.fullmatch(mended):
        messages.append(f"has the full-width colon `{FULL_COLON}` after its key")
        mended = f"{match['before']}: {match['rest']}".rstrip()
    if messages and (match := _COMMA.fullmatch(mended)) and not mended.lstrip().startswith("#"):
        messages.append("ends in a stray comma")
        mended = mended[: match.start("comma")] + mended[match.end("comma") :]
    if not messages:
        return None
    hint = ""
    if "\t" in line.text[: len(line.text) - len(line.text.lstrip())]:
        hint = "indent with two spaces for each level"
        if len(messages) > 1:
            hint += f", and write `{mended.strip()}`"
    return line.slip(" and ".join(messages), mended, hint)


def list_slips(lines: Sequence[Line]) -> Iterator[Problem]:
    """Yield a slip for each line of a text that is nothing but words below each other."""
    words = [_WORD.fullmatch(line.text.rstrip()) for line in lines]
    if len(words) == 1 or not all(words):
        return
    for line, match in zip(lines, words, strict=True):
        if match is not None:
            mended = f"{match['blank']}- {match['word']}"
            yield line.slip("is an entry of a list without its dash", mended)


def settings_file(lines: Sequence[Line]) -> Problem | None:
    """Return the problem of a text that is an INI file, as AWS' tools read; values stay unsaid."""
    texts = [line.text.strip() for line in lines]
    if not texts or not _SECTION.fullmatch(texts[0]) or len(texts) == 1:
        return None
    if not all(_SECTION.fullmatch(text) or _ASSIGNED.fullmatch(text) for text in texts[1:]):
        return None
    return Problem(
        path=(),
        message="is a settings file of `[sections]` and `key=value`, not YAML",
        line=lines[0].number,
        allowed="`key: value` on each line",
        hint="keep AWS credentials in ~/.aws/credentials; the agent finds them there",
    )


def scalar_slips(path: Path, node: yaml.ScalarNode, text: str) -> Iterator[Problem]:
    """Yield what is wrong with a value without quotes that YAML itself lets pass."""
    first, last = node.start_mark.line, node.end_mark.line
    if first != last or FULL_COLON in node.value:
        whole = enumerate(text.split("\n")[first : last + 1], first + 1)
        yield from line_slips([Line(number, line) for number, line in whole if line.strip()])
    written = Written(path, first + 1, node.value)
    mended = node.value.rstrip(", ") if path else node.value
    if mended and mended != node.value:
        yield written.comma(mended)
    if left := placeholder(mended):
        yield written.left(left)
    elif written.key.casefold().endswith("type") and (offered := alternatives(mended)):
        yield written.choice(offered)


@dataclass(frozen=True, slots=True)
class Written:
    """A value without quotes as it stands in the text."""

    path: Path
    line: int
    text: str

    @property
    def key(self) -> str:
        """Return the nearest key around the value."""
        return next((step for step in reversed(self.path) if isinstance(step, str)), "")

    def comma(self, mended: str) -> Problem:
        """Return the problem of a comma at the end."""
        return Problem(
            path=self.path,
            message="ends in a stray comma, which would be part of the value",
            line=self.line,
            value=shown(self.text, key=self.key),
            hint=f"write `{shown(mended, key=self.key)}`; "
            "put the value in quotes if the comma belongs to it",
            repair=Repair(line=self.line, old=self.text, new=mended),
        )

    def left(self, left: str) -> Problem:
        """Return the problem of a placeholder."""
        return Problem(
            path=self.path,
            message=f"still holds the placeholder `{left}`",
            line=self.line,
            value=shown(self.text, key=self.key),
            hint=f"put your own value in the place of `{left}`, or quotes around it if it is meant",
        )

    def choice(self, offered: tuple[str, ...]) -> Problem:
        """Return the problem of a choice that nobody made."""
        return Problem(
            path=self.path,
            message=f"`{self.text}` lists choices instead of making one",
            line=self.line,
            value=self.text,
            allowed=", ".join(offered),
            hint=f"pick one of {either(offered)}",
            repair=Repair(line=self.line, old=self.text, new=offered[0]),
        )
