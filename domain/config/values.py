"""Read one value as its key's description wants it, or say why it cannot be."""

from __future__ import annotations

import math
import re
from typing import Final

from launchyard.domain.config.problem import shown
from launchyard.domain.config.schema import Field, Kind, Note, RefusedError
from launchyard.domain.config.suggest import close, either
from launchyard.domain.documents import Json, copy_json

_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "0"})
_PLACEHOLDER: Final = re.compile(r"<[A-Za-z][\w .:/-]*>")
_CHOICES: Final = re.compile(r"[\w./-]+(?:\s*\|\s*[\w./-]+)+")
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(s|m|min|h|d)?")
_SIZE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]i?)?b?", re.IGNORECASE)
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_SECONDS: Final = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_LARGEST: Final = 2**63 - 1


def parse(entry: Field, raw: Json, *, text: bool = False) -> tuple[Json, tuple[Note, ...]]:
    """Return *raw* normalised, with notes; *text* when it comes from a variable or a flag.

    Raises:
        RefusedError: the value is of no use; `within` is the path of the bad part inside it.
    """
    try:
        return _parsed(entry, raw, text=text)
    except RefusedError:
        if not entry.secret:
            raise
        remedy = f"write {allowed(entry)}"
        raise RefusedError("does not fit", allowed=allowed(entry), hint=remedy) from None


def _parsed(entry: Field, raw: Json, *, text: bool) -> tuple[Json, tuple[Note, ...]]:
    match entry.kind:
        case Kind.TEXT:
            return _text(entry, raw)
        case Kind.TEXTS:
            return _texts(entry, raw, text=text)
        case Kind.BOOLEAN:
            return _boolean(raw), ()
        case Kind.DOCUMENT:
            return _document(raw), ()
        case Kind.INTEGER | Kind.SECONDS | Kind.BYTES:
            return _number(entry, raw, text=text), ()


def allowed(entry: Field) -> str:
    """Return what the key takes, in words."""
    if entry.choices:
        return ", ".join(entry.choices)
    if entry.says:
        return entry.says
    words = {
        Kind.TEXT: "a text",
        Kind.INTEGER: "a whole number",
        Kind.BOOLEAN: "true or false",
        Kind.SECONDS: "seconds, or a text as 90s, 10m, 2h",
        Kind.BYTES: "bytes, or a text as 50MiB, 1GB",
        Kind.TEXTS: "a list of texts",
        Kind.DOCUMENT: "keys and values",
    }
    return words[entry.kind] + _range(entry, words[entry.kind])


def _range(entry: Field, words: str) -> str:
    low, high = entry.minimum, entry.maximum
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    if low is None:
        return ""
    return f"; {low:g} or more" if "," in words else f", {low:g} or more"


def placeholder(text: str) -> str:
    """Return the `<placeholder>` that documentation left in *text*, or nothing."""
    found = _PLACEHOLDER.search(text)
    return found.group() if found else ""


def alternatives(text: str) -> tuple[str, ...]:
    """Return the words of a choice written as `a|b|c`, or nothing when *text* is none."""
    if not _CHOICES.fullmatch(text):
        return ()
    return tuple(word.strip() for word in text.split("|"))


def _text(entry: Field, raw: Json) -> tuple[Json, tuple[Note, ...]]:
    if not isinstance(raw, str):
        raise _not_text(entry, raw)
    word = raw.strip()
    if not word:
        raise RefusedError("is empty", allowed=allowed(entry), hint="fill it in or remove the key")
    if left := placeholder(word):
        raise RefusedError(
            f"still holds the placeholder `{left}`",
            allowed=allowed(entry),
            hint=f"put your own value in the place of `{left}`",
        )
    if entry.choices:
        return _choice(entry, word), ()
    if entry.pattern and not re.fullmatch(entry.pattern, word):
        raise RefusedError(
            f"{shown(word)!r} does not fit",
            allowed=allowed(entry),
            hint=f"write {allowed(entry)}",
        )
    return entry.shape(word) if entry.shape else (word, ())


def _not_text(entry: Field, raw: Json) -> RefusedError:
    if isinstance(raw, bool | int | float):
        quoted = f'"{shown(raw)}"'
        return RefusedError(
            "is read as a number or truth value, not as text",
            allowed=allowed(entry),
            hint=f"put it in quotes: {quoted}",
            replacement=quoted,
        )
    what = "list" if isinstance(raw, list) else "block of keys" if raw is not None else "null"
    return RefusedError(
        f"expected a text, found a {what}",
        allowed=allowed(entry),
        hint="write one value after the colon",
    )


def _choice(entry: Field, word: str) -> str:
    if word in entry.choices:
        return word
    offered = [choice for choice in alternatives(word) if choice in entry.choices]
    if offered:
        raise RefusedError(
            f"`{word}` lists choices instead of making one",
            allowed=allowed(entry),
            hint=f"pick one of {either(offered)}",
            replacement=offered[0],
        )
    near = close(word, entry.choices)
    raise RefusedError(
        f"`{shown(word)}` is none of its values",
        allowed=allowed(entry),
        hint=f"did you mean {either(near)}?" if near else f"pick one of {either(entry.choices)}",
        replacement=near[0] if near else None,
    )


def _texts(entry: Field, raw: Json, *, text: bool) -> tuple[Json, tuple[Note, ...]]:
    if isinstance(raw, str):
        raw = list[Json](part.strip() for part in raw.split(",")) if text else [raw]
        raw = [part for part in raw if part or not text]
    if not isinstance(raw, list):
        raise RefusedError(
            "is no list",
            allowed=allowed(entry),
            hint=f"write each entry on a line of its own: `- {shown(raw)}`",
        )
    words: list[Json] = []
    for index, item in enumerate(raw):
        try:
            words.append(_text(entry, item)[0])
        except RefusedError as error:
            error.within = (index,)
            raise
    return words, ()


def _boolean(raw: Json) -> bool:
    word = raw.strip().casefold() if isinstance(raw, str) else raw
    if word is True or (isinstance(word, str) and word in _TRUE):
        return True
    if word is False or (isinstance(word, str) and word in _FALSE):
        return False
    raise RefusedError(
        f"`{shown(raw)}` is neither true nor false",
        allowed="true or false",
        hint="write `true` or `false`",
    )


def _document(raw: Json) -> Json:
    if isinstance(raw, dict):
        return copy_json(raw)
    raise RefusedError(
        "expected keys and values",
        allowed="keys and values",
        hint="indent its keys below it, or remove it",
    )


def _number(entry: Field, raw: Json, *, text: bool) -> float | int:
    number = _plain_number(entry, raw, text=text)
    low, high = entry.minimum, entry.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        limit = low if low is not None and number < low else high
        raise RefusedError(
            f"{shown(raw)} is out of range",
            allowed=allowed(entry),
            hint=f"the nearest value is {limit:g}",
        )
    return number


def _plain_number(entry: Field, raw: Json, *, text: bool) -> float | int:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise _no_number(entry, raw)
    if isinstance(raw, str):
        return _worded(entry, raw.strip(), text=text)
    if not math.isfinite(raw) or abs(raw) > _LARGEST:
        raise _no_number(entry, raw)
    if entry.kind is Kind.SECONDS:
        return float(raw)
    if isinstance(raw, float):
        raise _no_number(entry, raw)
    return raw


def _worded(entry: Field, word: str, *, text: bool) -> float | int:
    if entry.kind is Kind.SECONDS and (match := _DURATION.fullmatch(word)):
        number = float(match[1]) * _SECONDS[match[2] or "s"]
        if math.isfinite(number):
            return number
    if entry.kind is Kind.BYTES and (match := _SIZE.fullmatch(word)):
        return _size(entry, word, match)
    if entry.kind is Kind.INTEGER and _INTEGER.fullmatch(word):
        if text:
            return int(word)
        raise RefusedError(
            "is a text, not a number",
            allowed=allowed(entry),
            hint=f"remove the quotes: {int(word)}",
        )
    raise _no_number(entry, word)


def _size(entry: Field, word: str, match: re.Match[str]) -> int:
    unit = (match[2] or "").casefold()
    power = " kmgt".index(unit[0]) if unit else 0
    number = float(match[1]) * (1024 if unit.endswith("i") else 1000) ** power
    if not math.isfinite(number) or number > _LARGEST:
        raise _no_number(entry, word)
    return int(number)


def _no_number(entry: Field, raw: Json) -> RefusedError:
    left = placeholder(raw) if isinstance(raw, str) else ""
    what = f"still holds the placeholder `{left}`" if left else f"`{shown(raw)}` does not fit"
    return RefusedError(what, allowed=allowed(entry), hint=f"write {allowed(entry)}")
