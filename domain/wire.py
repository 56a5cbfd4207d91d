"""The one way from the values of `domain` and `ports` to JSON and back.

Field names and types are read once per class from its annotations, and compiled into functions;
whoever adds a field has nothing to do here. Unknown fields are ignored and absent ones take their
default, so that agent and server may be one release apart; `domain.newer` has the words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, TypeAlias, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from launchyard.domain.documents import Json, Path, dotted
from launchyard.domain.lease import Token
from launchyard.domain.newer import COUNTS_AS, LEFT_OUT, SKIPPED

_T = TypeVar("_T")
_Decode: TypeAlias = Callable[[Any], Any]
_Encode: TypeAlias = Callable[[Any], Any]

MOST_WHOLE: Final = 2**63 - 1
"""The largest whole number a store keeps; larger ones are refused at the border."""


class WireError(ValueError):
    """A document does not have the form of the type that was asked for; *path* says where."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{dotted(path)}: {message}" if path else message)
        self.path = path
        self.message = message

    def below(self, step: str | int) -> WireError:
        """Return the same error as seen from one step further up."""
        return type(self)((step, *self.path), self.message)


class _NewerError(WireError):
    """A word is unknown, which a newer peer may have meant."""


def to_json(value: object) -> Json:
    """Return *value* as JSON: a dataclass, or lists and mappings of them.

    Documents inside it (fields of type `Json`) are not copied.
    """
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [to_json(item) for item in value]
    return cast("Json", _encoder(cast("Any", type(value)))(value))


def from_json(kind: type[_T], document: object) -> _T:
    """Return the *kind* that *document* describes.

    Raises:
        WireError: it does not describe one.
    """
    return cast("_T", _decoder(cast("Any", kind))(document))


class _Document:
    """Stands for `Json` while annotations are read; the alias itself refers to itself."""


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind, localns={"Json": _Document})


@cache
def _encoder(kind: Any) -> _Encode:
    """Compile the way from a value of *kind* to JSON."""
    if kind is Token:
        return str
    if not isinstance(kind, type):
        return _compound(kind, _encoder, _list_encoder, _mapping_encoder)
    if issubclass(kind, StrEnum):
        return _enum_value
    if is_dataclass(kind):
        return _object_encoder(kind)
    if kind in {str, int, float, bool, NoneType, _Document}:
        return _same
    raise TypeError(f"{kind!r} has no form on the wire")


def _compound(
    kind: Any, one: Callable[[Any], Any], many: Callable[[Any], Any], named: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    """Build the way for `X | None`, a sequence or a mapping out of the way for what is in it."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        return _optional(one(_but_none(kind)))
    if origin in {tuple, Sequence}:
        return cast("_Decode", many(one(parts[0])))
    if origin is Mapping:
        return cast("_Decode", named(one(parts[1])))
    raise TypeError(f"{kind!r} has no form on the wire")


def _object_encoder(kind: type) -> _Encode:
    hints = _hints(kind)
    plan = [(field.name, _encoder(hints[field.name])) for field in fields(cast("Any", kind))]

    def encode(value: object) -> dict[str, Any]:
        return {name: write(getattr(value, name)) for name, write in plan}

    return encode


def _list_encoder(write: _Encode) -> _Encode:
    if write is _same:
        return list
    return lambda value: [write(item) for item in value]


def _mapping_encoder(write: _Encode) -> _Encode:
    if write is _same:
        return dict
    return lambda value: {key: write(item) for key, item in value.items()}


def _same(value: Any) -> Any:
    return value


def _enum_value(value: Any) -> Any:
    return value.value


def _optional(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else convert(value)


def _but_none(kind: Any) -> Any:
    """Return the X of an `X | None`."""
    rest = [part for part in get_args(kind) if part is not NoneType]
    if len(rest) != 1:
        raise TypeError(f"{kind!r} has no form on the wire: it is not one type or None")
    return rest[0]


@cache
def _decoder(kind: Any) -> _Decode:
    """Compile the way from JSON to a value of *kind*."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if not isinstance(kind, type):
        parts = set(get_args(kind))
        if SKIPPED & parts:
            whole = _list_decoder(_lenient(_decoder(get_args(kind)[0])))
            return lambda document: tuple(one for one in whole(document) if one is not None)
        read = _compound(kind, _decoder, _list_decoder, _mapping_decoder)
        return _lenient(read) if NoneType in parts and LEFT_OUT & parts else read
    if issubclass(kind, StrEnum):
        return _enum_decoder(kind)
    if is_dataclass(kind):
        return _object_decoder(kind)
    raise TypeError(f"{kind!r} has no form on the wire")


def _object_decoder(kind: type) -> _Decode:
    hints = _hints(kind)
    known = fields(cast("Any", kind))
    plan = {field.name: _decoder(hints[field.name]) for field in known}
    required = frozenset(field.name for field in known if _is_required(field))

    def decode(document: Any) -> Any:
        if not isinstance(document, dict):
            raise WireError((), f"must be an object, not {_name(document)}")
        values: dict[str, Any] = {}
        for name, read in plan.items():
            if name in document:
                try:
                    values[name] = read(document[name])
                except WireError as error:
                    raise error.below(name) from None
        if not required <= values.keys():
            raise WireError((min(required - values.keys()),), "is missing")
        return kind(**values)

    return decode


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _list_decoder(read: _Decode) -> _Decode:
    def decode(document: Any) -> Any:
        if not isinstance(document, list):
            raise WireError((), f"must be a list, not {_name(document)}")
        done: list[Any] = []
        try:
            done.extend(read(item) for item in document)
        except WireError as error:
            raise error.below(len(done)) from None
        return tuple(done)

    return decode


def _lenient(read: _Decode) -> _Decode:
    """Take what only a newer peer understands for absent."""

    def decode(document: Any) -> Any:
        try:
            return read(document)
        except _NewerError:
            return None

    return decode


def _mapping_decoder(read: _Decode) -> _Decode:
    def decode(document: Any) -> Any:
        if not isinstance(document, dict):
            raise WireError((), f"must be an object, not {_name(document)}")
        done: dict[str, Any] = {}
        for key, item in document.items():
            try:
                done[key] = read(item)
            except WireError as error:
                raise error.below(key) from None
        return done

    return decode


def _enum_decoder(kind: type[StrEnum]) -> _Decode:
    known = {member.value: member for member in kind}
    allowed = ", ".join(known)

    def decode(document: Any) -> Any:
        is_word = isinstance(document, str)
        found = (known.get(document) or COUNTS_AS.get(kind)) if is_word else None
        if found is None:
            raise (_NewerError if is_word else WireError)((), f"must be one of {allowed}")
        return found

    return decode


def _text(document: Any) -> Any:
    if type(document) is str:
        return document
    raise WireError((), f"must be a text, not {_name(document)}")


def _whole(document: Any) -> Any:
    if type(document) is not int:
        raise WireError((), f"must be a whole number, not {_name(document)}")
    if not -MOST_WHOLE <= document <= MOST_WHOLE:
        raise WireError((), "is too large a number")
    return document


def _number(document: Any) -> Any:
    if type(document) not in {int, float} or document - document != 0:
        raise WireError((), f"must be a number, not {_name(document)}")
    try:
        return float(document)
    except OverflowError:
        raise WireError((), "is too large a number") from None


def _flag(document: Any) -> Any:
    if type(document) is bool:
        return document
    raise WireError((), f"must be true or false, not {_name(document)}")


def _token(document: Any) -> Any:
    try:
        token = Token.parse(document)
    except (AttributeError, ValueError):
        raise WireError((), 'must be a token such as "0.3"') from None
    _whole(token.epoch), _whole(token.counter)
    return token


_PLAIN: Final[Mapping[Any, _Decode]] = {
    str: _text,
    int: _whole,
    float: _number,
    bool: _flag,
    Token: _token,
    _Document: _same,
}


def _name(document: object) -> str:
    """Name the JSON type of *document* as people call it."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return "null" if document is None else names.get(type(document), "a number")
