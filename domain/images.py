"""References to container images, and the keys under which built things are found again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

DOCKER_HUB: Final = "docker.io"
_HUB_ALIASES: Final = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_COMPONENT: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_HOST: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
    r"|\[[0-9A-Fa-f:]+\])(?::(?P<port>[0-9]{1,5}))?"
)
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_LONGEST_NAME: Final = 255
_LAST_PORT: Final = 65535
_KEY_LENGTH: Final = 32


class ImageError(ValueError):
    """A text that is no image reference; the message says which part is wrong, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReference:
    """An image's full name; tag and digest are empty when the text has none."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        """Give the reference in full, registry included."""
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.registry}/{self.repository}{tag}{digest}"

    @property
    def pinned(self) -> bool:
        """Whether the reference can only ever mean one image."""
        return bool(self.digest)

    def with_default_tag(self) -> ImageReference:
        """Return this reference with the tag that engines assume where nothing is said."""
        return self if self.tag or self.digest else replace(self, tag="latest")


def parse_image(text: str) -> ImageReference:
    """Read an image reference the way container engines do; Docker Hub is the default.

    Raises:
        ImageError: *text* is no reference.
    """
    if not text or text != text.strip():
        raise ImageError("an image's name must not be empty or begin or end with a space")
    if "://" in text:
        raise _wrong(text, "leave out the scheme before `://`")
    name, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise _wrong(text, f"`{digest}` is no digest (sha256: and 64 hexadecimal digits)")
    name, tag = _split_tag(name)
    if tag is not None and not _TAG.fullmatch(tag):
        raise _wrong(text, f"the tag `{tag}` must be 1 to 128 letters, digits, `_`, `.` or `-`")
    registry, repository = _split_registry(name)
    _check(text, registry, repository)
    return ImageReference(registry=registry, repository=repository, tag=tag or "", digest=digest)


def _split_tag(name: str) -> tuple[str, str | None]:
    head, colon, tail = name.rpartition(":")
    return (head, tail) if colon and "/" not in tail else (name, None)


def _split_registry(name: str) -> tuple[str, str]:
    """Tell a registry from a first folder: it has a dot or a port, or is `localhost`."""
    first, slash, rest = name.partition("/")
    if not slash or not (set(first) & set(".:[") or first == "localhost"):
        first, rest = DOCKER_HUB, name
    registry = DOCKER_HUB if first.lower() in _HUB_ALIASES else first.lower()
    official = registry == DOCKER_HUB and "/" not in rest
    return registry, f"library/{rest}" if official else rest


def _check(text: str, registry: str, repository: str) -> None:
    host = _HOST.fullmatch(registry)
    if host is None or int(host["port"] or 0) > _LAST_PORT:
        raise _wrong(text, f"`{registry}` is no host name with an optional port")
    for part in repository.split("/"):
        if not part:
            raise _wrong(text, "there is an empty part between slashes")
        if part != part.lower():
            raise _wrong(text, f"`{part}` has capital letters; write `{part.lower()}`")
        if not _COMPONENT.fullmatch(part):
            raise _wrong(text, f"`{part}` may hold a-z, 0-9 and single separators inside")
    if len(registry) + 1 + len(repository) > _LONGEST_NAME:
        raise _wrong(text, f"the name is longer than {_LONGEST_NAME} characters")


def _wrong(text: str, why: str) -> ImageError:
    shown = text if len(text) <= _LONGEST_NAME else f"{text[:60]}…"
    return ImageError(f"`{shown}` is no image reference: {why}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentContents:
    """All that decides what a virtual environment holds.

    `requirements` are lines as pip reads them; `files` maps the name of every further file that
    takes part (a lock, a constraints file, a `pyproject.toml`) to its SHA-256. `indexes` are where
    packages come from unless the requirements say so themselves, without credentials.
    """

    python: str
    platform: str
    requirements: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    indexes: tuple[str, ...] = ()


def environment_key(contents: EnvironmentContents) -> str:
    """Return the content key of a virtual environment, 32 hexadecimal digits.

    Requirements that mean the same to pip give the same key: order, comments, blank lines,
    spaces and the spelling of project names do not count; the order of options does.
    """
    lines = list(requirement_lines(contents.requirements))
    options = [line for line in lines if line.startswith("-")]
    packages = sorted({line for line in lines if not line.startswith("-")})
    parts = (contents.python, contents.platform, options, packages, dict(contents.files))
    return _key("venv", *parts, list(contents.indexes))


_NAMED: Final = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?P<extras>\[[^\]]*\])?\s*(?P<rest>[=<>!~;@(].*)?"
)


def requirement_lines(lines: Iterable[str]) -> Iterable[str]:
    """Yield the requirements in *lines* in one spelling, without comments and blank lines."""
    text = "\n".join(lines).replace("\r\n", "\n").replace("\\\n", " ")
    for line in text.split("\n"):
        bare = " ".join(re.sub(r"(^|\s)#.*", "", line).split())
        if bare:
            yield _normal(bare)


def _normal(requirement: str) -> str:
    match = _NAMED.fullmatch(requirement)
    if match is None or requirement.startswith("-"):
        return requirement
    name = re.sub(r"[-_.]+", "-", match["name"]).lower()
    extras = (match["extras"] or "[]")[1:-1].replace(" ", "").lower()
    wanted = f"[{','.join(sorted(extras.split(',')))}]" if extras else ""
    version, semicolon, marker = (match["rest"] or "").partition(";")
    if not version.startswith("@"):
        version = version.replace(" ", "")
        return f"{name}{wanted}{version}{semicolon}{marker.strip()}"
    return f"{name}{wanted} {match['rest']}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageContents:
    """All that decides what a built image holds; `source` is a digest of the build context."""

    source: str
    dockerfile: str
    platform: str
    base: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)


def image_key(contents: ImageContents) -> str:
    """Return the content key of an image, 32 hexadecimal digits; it serves as its tag."""
    return _key(
        "image",
        contents.source,
        contents.dockerfile,
        contents.platform,
        contents.base,
        dict(contents.arguments),
    )


def _key(kind: str, *parts: str | list[str] | dict[str, str]) -> str:
    text = json.dumps([kind, *parts], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_LENGTH]
