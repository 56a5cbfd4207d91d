"""The words in which a configuration is described.

Checks, suggestions, the editor's JSON Schema and the reference table all come from one
description, so that none of them can know a key that another has forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from launchyard.domain.documents import Json, Path

PREFIX: Final = "LAUNCHYARD_AGENT_"


class RefusedError(Exception):
    """A value that cannot be used; `replacement` is the value that was probably meant."""

    def __init__(
        self, message: str, *, allowed: str = "", hint: str = "", replacement: str | None = None
    ) -> None:
        super().__init__(message)
        self.message, self.allowed, self.hint = message, allowed, hint
        self.replacement = replacement
        self.within: Path = ()


@dataclass(frozen=True, slots=True)
class Note:
    """Something to tell about a value that is used all the same."""

    message: str
    hint: str = ""


Shape: TypeAlias = Callable[[str], tuple[str, tuple[Note, ...]]]
"""Normalises a text and adds notes, or raises `RefusedError`."""


class Kind(StrEnum):
    """What a key holds."""

    TEXT = "text"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    SECONDS = "seconds"
    BYTES = "bytes"
    TEXTS = "list of texts"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One key: null always means "leave it at its default".

    `env` and `fallbacks` come besides the variable that every key has; `fallbacks` pairs a block's
    type with a variable of that cloud's tools, which is asked last. `types` names the block types
    that read the key, all when it is empty. `says` puts `pattern` into words. `in_container` is the
    default there, if it is another one.
    """

    key: str
    kind: Kind
    doc: str
    default: Json = None
    in_container: Json = None
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    known: str = ""
    minimum: float | None = None
    maximum: float | None = None
    pattern: str = ""
    says: str = ""
    env: tuple[str, ...] = ()
    fallbacks: tuple[tuple[str, str], ...] = ()
    flag: str = ""
    secret: bool = False
    types: tuple[str, ...] = ()
    shape: Shape | None = None

    @property
    def attribute(self) -> str:
        """Return the name under which code knows the value, with its unit."""
        unit = {Kind.SECONDS: "_s", Kind.BYTES: "_b"}.get(self.kind, "")
        return self.key.replace("-", "_") + unit

    @property
    def names(self) -> tuple[str, ...]:
        """Return the key and its other spellings."""
        return (self.key, *self.aliases)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Keys that belong together; the root is the block without a key."""

    key: str
    doc: str
    fields: tuple[Field, ...] = ()
    blocks: tuple[Block, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Return every key that may stand in this block."""
        fields = tuple(name for entry in self.fields for name in entry.names)
        return (*fields, *(block.key for block in self.blocks))

    def leaves(self, path: Path = ()) -> Iterator[tuple[Path, Field]]:
        """Yield every key below this block with its path."""
        for entry in self.fields:
            yield (*path, entry.key), entry
        for block in self.blocks:
            yield from block.leaves((*path, block.key))

    def levels(self, path: Path = ()) -> Iterator[tuple[Path, Block]]:
        """Yield this block and every block below it with its path."""
        yield path, self
        for block in self.blocks:
            yield from block.levels((*path, block.key))


def variables(path: Path, entry: Field) -> tuple[str, ...]:
    """Return the environment variables that set the key at *path*, the strongest first."""
    if entry.kind is Kind.DOCUMENT:
        return entry.env
    name = "_".join(str(step) for step in path).replace("-", "_").replace(".", "_").upper()
    return (PREFIX + name, *entry.env)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTypes:
    """What the registered plugins bring, as far as a configuration can name it.

    `blocks` adds keys: `builder.<type>`, `registry.<type>`, `environment.<type>` or
    `targets.<name>` to their description. `missing` gives, under the same names, the extra that
    is not installed, and `absent` holds those that this release knows and nobody brings.
    """

    environments: tuple[str, ...] = ("aws", "gcp", "azure", "local")
    registries: tuple[str, ...] = ("ecr", "gcr", "acr", "local")
    builders: tuple[str, ...] = ("docker", "kaniko", "noop", "venv")
    targets: tuple[str, ...] = (
        "local-process",
        "local-container",
        "kubernetes",
        "sagemaker",
        "vertex",
    )
    blocks: Mapping[str, Block] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()

    def named(self, family: str) -> tuple[str, ...]:
        """Return the names of *family*: environments, registries, builders or targets."""
        families = {
            "environments": self.environments,
            "registries": self.registries,
            "builders": self.builders,
            "targets": self.targets,
        }
        return families[family]
