"""Reading what a source requires, and everything that takes part in that.

The result stands alone: includes are put in, and paths are absolute, so that each installer reads
it the same way wherever it runs.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from launchyard.domain.reason import Reason
from launchyard.ports.builder import BuildError, BuildRequest

NAMES: Final = ("requirements.txt", "requirements.frozen.txt", "pyproject.toml")
"""Where requirements are looked for, in this order."""

_PROJECT: Final = "pyproject.toml"
_BESIDES: Final = frozenset({"__pycache__", ".git"})
_MOST_DEPTH: Final = 10
_OPTION: Final = re.compile(
    r"(?P<name>-r|--requirement|-c|--constraint|-e|--editable|-f|--find-links)(?:\s+|=|(?<=-[rcef]))"
    r"(?P<value>\S.*)"
)
_ARCHIVE: Final = re.compile(r"[^\s@;]+\.(?:whl|tar\.gz|zip)(?:\s*;.*)?")
_DIRECT: Final = re.compile(r"(?P<name>[^@;]+?)\s*@\s*file:(?P<path>.*)")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Requirement lines for an installer (`shown` without absolute paths), and digests of files."""

    lines: tuple[str, ...]
    shown: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)


def wanted(request: BuildRequest) -> Wanted | None:
    """Return what *request* wants installed, or None when there is nothing to run it for.

    Code that requires nothing still gets an environment, an empty one that all such jobs share:
    it is what puts `python` on their PATH.

    Raises:
        BuildError: a file is missing, wrong, or outside of the source.
    """
    reader = _Reader(request.source)
    given = request.requirements
    if isinstance(given, tuple) and given:
        reader.take("\n".join(given), request.source, 0)
    elif isinstance(given, str) and given:
        reader.take_file(given, request.source, 0)
    elif name := _found(request.source):
        reader.take_file(name, request.source, 0)
    return reader.result()


def _found(source: str) -> str:
    if not source:
        return ""
    return next((name for name in NAMES if Path(source, name).is_file()), "")


class _Reader:
    """Collects lines; everything it opens lies below *source*."""

    def __init__(self, source: str) -> None:
        self._root = Path(source).resolve() if source else None
        self._lines: list[str] = []
        self._shown: list[str] = []
        self._files: dict[str, str] = {}

    def result(self) -> Wanted | None:
        if not self._lines and (self._root is None or not any(self._root.iterdir())):
            return None
        return Wanted(tuple(self._lines), tuple(self._shown), self._files)

    def take_file(self, name: str, folder: str, depth: int) -> None:
        path = self._inside(name, folder)
        text = _read(path, name)
        if path.name == _PROJECT:
            text = "\n".join(_project(text, name))
        self.take(text, str(path.parent), depth)

    def take(self, text: str, folder: str, depth: int) -> None:
        if depth > _MOST_DEPTH:
            raise _wrong("requirements files include each other without end")
        for line in _logical(text):
            option = _OPTION.fullmatch(line)
            if option is None:
                self._requirement(line, folder)
            else:
                self._option(option["name"], option["value"].strip(), folder, depth)

    def _option(self, name: str, value: str, folder: str, depth: int) -> None:
        if name in {"-r", "--requirement"}:
            self.take_file(value, folder, depth + 1)
        elif name in {"-c", "--constraint"}:
            path = self._inside(value, folder)
            self._add(f"-c {path}", f"-c {value}")
            self._digest(path)
        elif name in {"-f", "--find-links"}:
            self._links(value, folder)
        elif "://" in value or value.startswith(("git+", "hg+", "svn+", "bzr+")):
            self._add(f"-e {value}", f"-e {value}")
        else:
            # Shared by jobs, so it cannot point into the folder of one of them.
            self._local(value, folder)

    def _requirement(self, line: str, folder: str) -> None:
        direct = _DIRECT.fullmatch(line)
        if direct:
            self._inside(direct["path"].removeprefix("//"), folder)
        local = line.startswith((".", "/", "file:")) or _ARCHIVE.fullmatch(line)
        if local and "://" not in line.removeprefix("file://"):
            self._local(line, folder)
        else:
            self._add(line, line)

    def _local(self, line: str, folder: str) -> None:
        """Take a folder or archive of the source, by its contents."""
        value, semicolon, marker = line.partition(";")
        bare, bracket, extras = value.strip().partition("[")
        path = self._inside(bare.removeprefix("file://").removeprefix("file:"), folder)
        self._add(f"{path}{bracket}{extras}{semicolon}{marker}", line)
        self._digest(path)

    def _links(self, value: str, folder: str) -> None:
        """Take a place to look in: like an index it may be anywhere."""
        here = Path(folder, value).resolve() if folder and "://" not in value else None
        if here is not None and here.exists():
            self._add(f"--find-links {here}", f"--find-links {value}")
            if self._root is not None and here.is_relative_to(self._root):
                self._digest(here)
        else:
            self._add(f"--find-links {value}", f"--find-links {value}")

    def _add(self, line: str, shown: str) -> None:
        self._lines.append(line)
        self._shown.append(shown)

    def _inside(self, name: str, folder: str) -> Path:
        if self._root is None:
            raise _wrong(f"`{name}` is a file, and there is no source with it")
        path = Path(folder, name).resolve()
        if not path.is_relative_to(self._root):
            raise _wrong(f"`{name}` is outside of the source", reason=Reason.SOURCE_REFUSED)
        if not path.exists():
            raise _wrong(f"`{name}` is not in the source")
        return path

    def _digest(self, path: Path) -> None:
        assert self._root is not None  # noqa: S101 - `path` is inside of it
        for file in sorted(_files(path)):
            name = str(file.relative_to(self._root))
            self._files[name] = hashlib.sha256(_content(file)).hexdigest()


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if name not in _BESIDES]
        for name in names:
            yield Path(folder, name)


def _content(file: Path) -> bytes:
    try:
        return os.fsencode(file.readlink()) if file.is_symlink() else file.read_bytes()
    except OSError as error:
        raise _wrong(f"`{file.name}` cannot be read: {error.strerror}") from None


def _logical(text: str) -> Iterator[str]:
    """Yield lines without comments, blanks and continuations."""
    joined = text.replace("\r\n", "\n").replace("\\\n", " ")
    for line in joined.split("\n"):
        bare = re.sub(r"(^|\s)#.*", "", line).strip()
        if bare:
            yield bare


def _read(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise _wrong(f"`{name}` is no text in UTF-8") from None
    except OSError as error:
        raise _wrong(f"`{name}` cannot be read: {error.strerror}") from None


def _project(text: str, name: str) -> list[str]:
    """Return the dependencies of a `pyproject.toml`; the project itself is not installed."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _wrong(f"`{name}` is no TOML: {error}") from None
    except RecursionError:
        raise _wrong(f"`{name}` is nested too deep to be read") from None
    project = document.get("project", {})
    listed: Any = project.get("dependencies", []) if isinstance(project, dict) else []
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise _wrong(f"`{name}`: project.dependencies must be a list of texts")
    dynamic = project.get("dynamic", ()) if isinstance(project, dict) else ()
    elsewhere = "poetry" in document.get("tool", {}) and "dependencies" not in project
    if not listed and ("dependencies" in dynamic or (elsewhere and _poetry(document))):
        raise _wrong(
            f"`{name}` does not list its dependencies under [project]:"
            " list them there, or put them into requirements.txt"
        )
    return listed


def _poetry(document: Mapping[str, Any]) -> bool:
    table = document["tool"]["poetry"]
    found = table.get("dependencies", {}) if isinstance(table, dict) else {}
    return bool(set(found) - {"python"})


def _wrong(message: str, reason: Reason = Reason.SPEC_INVALID) -> BuildError:
    return BuildError(f"requirements: {message}", reason=reason)
