"""Macros: `${name}` in text that people write, resolved in one pass over text of known origin.

A document is parsed once, where its origin is known, and what is put in later is never parsed:

    parse(queue's configuration) → fill(template values) → put(overrides) → resolve(names)

* Text of the queue, and of a W&B server's specs (which arrive merged), resolves the built-ins and
  the agent's environment, less what looks like a credential. `$${x}` is the literal `${x}`.
* Template values are literal, whatever they look like.
* A submitter's overrides are literal too, built-ins included; only names that stand, spelled out,
  in the agent's `macro_env` list resolve there (`$${x}` escapes those). All else in them comes
  out exactly as it went in.
* Unknown and refused names stay in the text as they are, and are reported.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from launchyard.domain.documents import Json, Path, copy_json
from launchyard.domain.macro_policy import MacroPolicy, Origin, Why
from launchyard.domain.merge import merge_patch

BUILTINS: Final = (
    "project_name",
    "entity_name",
    "run_id",
    "run_name",
    "image_uri",
    "author",
)
_MACRO: Final = re.compile(r"\$(?P<escape>\$?)\{(?P<name>\w+)\}")
PLACEHOLDER: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_NO_VALUES: Final[Mapping[str, Json]] = {}


@dataclass(frozen=True, slots=True)
class Macro:
    """One `${name}`, or an escaped `$${name}`, in a text."""

    name: str
    escaped: bool = False

    def __str__(self) -> str:
        """Give the macro as it was written."""
        return f"{'$' * self.escaped}${{{self.name}}}"


@dataclass(frozen=True, slots=True)
class Text:
    """A parsed string: literal parts and macros, and who wrote them."""

    parts: tuple[str | Macro, ...]
    origin: Origin

    def __str__(self) -> str:
        """Give the text as it was written."""
        return "".join(map(str, self.parts))


Tree: TypeAlias = "bool | int | float | str | Text | list[Tree] | dict[str, Tree] | None"


TextMap: TypeAlias = Callable[[Text, Path], str]


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document whose strings are literal unless they are a `Text`."""

    root: Tree


@dataclass(frozen=True, slots=True)
class Finding:
    """A name that was left in the text at *path*, and why."""

    path: Path
    name: str
    why: Why


@dataclass(frozen=True, slots=True)
class Resolved:
    """A document for the target, and the names that were left in it."""

    document: Json
    findings: tuple[Finding, ...] = ()

    @property
    def unknown(self) -> tuple[Finding, ...]:
        """Names that neither built-ins nor environment know."""
        return tuple(f for f in self.findings if f.why is Why.UNKNOWN)

    @property
    def refused(self) -> tuple[Finding, ...]:
        """Names that the agent keeps to itself."""
        return tuple(f for f in self.findings if f.why in {Why.CREDENTIAL, Why.NOT_LISTED})


def parse(document: Json, origin: Origin) -> Parsed:
    """Read the macros of every string leaf; keys are never touched."""
    return Parsed(_parse(document, origin))


def _parse(value: Json, origin: Origin) -> Tree:
    if isinstance(value, dict):
        return {key: _parse(item, origin) for key, item in value.items()}
    if isinstance(value, list):
        return [_parse(item, origin) for item in value]
    if isinstance(value, str) and _MACRO.search(value):
        return Text(tuple(_parts(value)), origin)
    return value


def _parts(text: str) -> Iterator[str | Macro]:
    end = 0
    for match in _MACRO.finditer(text):
        if match.start() > end:
            yield text[end : match.start()]
        yield Macro(match["name"], escaped=bool(match["escape"]))
        end = match.end()
    if end < len(text):
        yield text[end:]


def fill(parsed: Parsed, values: Mapping[str, Json]) -> tuple[Parsed, tuple[str, ...]]:
    """Put template values for `{{name}}`, and name the ones that *values* does not have.

    A string that is one placeholder and nothing else takes the value with its type; elsewhere the
    value becomes text. A value is literal: neither macros nor placeholders in it are read.
    """
    missing: dict[str, None] = {}
    root = _fill(parsed.root, values, missing)
    return Parsed(root), tuple(missing)


def _fill(value: Tree, values: Mapping[str, Json], missing: dict[str, None]) -> Tree:
    if isinstance(value, dict):
        return {key: _fill(item, values, missing) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, values, missing) for item in value]
    if isinstance(value, Text):
        parts = (_fill_text(p, values, missing) if isinstance(p, str) else p for p in value.parts)
        return Text(tuple(parts), value.origin)
    if not isinstance(value, str):
        return value
    whole = PLACEHOLDER.fullmatch(value)
    if whole is not None and whole[1] in values:
        return cast("Tree", copy_json(values[whole[1]]))
    return _fill_text(value, values, missing)


def _fill_text(text: str, values: Mapping[str, Json], missing: dict[str, None]) -> str:
    def replacement(match: re.Match[str]) -> str:
        if match[1] not in values:
            missing[match[1]] = None
            return match[0]
        value = values[match[1]]
        return value if isinstance(value, str) else json.dumps(value)

    return PLACEHOLDER.sub(replacement, text)


def put(parsed: Parsed, overrides: Json) -> Parsed:
    """Merge a submitter's *overrides* onto a parsed document, as RFC 7396 says."""
    patch = parse(overrides, Origin.SUBMITTER).root
    # A `Text` is a scalar to the merge, immutable and so safe to share.
    return Parsed(cast("Tree", merge_patch(cast("Json", parsed.root), cast("Json", patch))))


def compose(queue_config: Json, overrides: Json, values: Mapping[str, Json] = _NO_VALUES) -> Parsed:
    """Parse a queue's configuration, put template *values* in, then *overrides* on it."""
    parsed = parse(queue_config, Origin.QUEUE)
    return put(fill(parsed, values)[0] if values else parsed, overrides)


def plain(parsed: Parsed) -> Json:
    """Return the document as it was written, with nothing resolved."""
    return _map(parsed.root, (), lambda text, _path: str(text))


def resolve(
    parsed: Parsed,
    builtins: Mapping[str, str | None],
    env: Mapping[str, str],
    policy: MacroPolicy,
) -> Resolved:
    """Replace every macro that may be, once; the output is not looked at again.

    *builtins* go before *env*, so that no variable shadows one; a null or absent one is empty.
    """
    names = {name: builtins.get(name) or "" for name in (*BUILTINS, *builtins)}
    findings: list[Finding] = []

    def text_of(text: Text, path: Path) -> str:
        scope = _Scope(text.origin, names, env, policy)
        found = [scope.replace(p) if isinstance(p, Macro) else (p, None) for p in text.parts]
        for part, (_, why) in zip(text.parts, found, strict=True):
            if why is not None and isinstance(part, Macro):
                findings.append(Finding(path, part.name, why))
        return "".join(replacement for replacement, _ in found)

    return Resolved(_map(parsed.root, (), text_of), tuple(findings))


@dataclass(frozen=True, slots=True)
class _Scope:
    """What one text may name."""

    origin: Origin
    builtins: Mapping[str, str]
    env: Mapping[str, str]
    policy: MacroPolicy

    def replace(self, macro: Macro) -> tuple[str, Why | None]:
        """Return the text that takes the macro's place, and why it is the macro itself if so."""
        name = macro.name
        if self.origin is Origin.SUBMITTER and not self.policy.opens(name):
            return str(macro), None if macro.escaped else Why.OVERRIDE
        if macro.escaped:
            return f"${{{name}}}", None
        if name in self.builtins:
            return self.builtins[name], None
        value = self.env.get(name)
        why = self.policy.objection(name, value, self.origin)
        if why is None and value is None:
            why = Why.UNKNOWN
        return (str(macro), why) if why is not None or value is None else (value, None)


def _map(value: Tree, path: Path, text_of: TextMap) -> Json:
    """Return a plain copy of a tree, each `Text` replaced by what *text_of* makes of it."""
    if isinstance(value, dict):
        return {key: _map(item, (*path, key), text_of) for key, item in value.items()}
    if isinstance(value, list):
        return [_map(item, (*path, index), text_of) for index, item in enumerate(value)]
    return text_of(value, path) if isinstance(value, Text) else value
