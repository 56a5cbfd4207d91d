"""Read the values of `docker run`'s arguments in docker's own meaning, as the engine wants them."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from launchyard.domain.config.problem import shown
from launchyard.domain.config.schema import RefusedError
from launchyard.domain.documents import Json

Read: TypeAlias = Callable[[Json], Json]
"""Turns what people wrote into the engine's value, or raises `RefusedError`."""

_SIZE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([bkmgtp]?)i?b?", re.IGNORECASE)
_SPAN: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|us|s|m|h)")
_SPANS_NS: Final = {"us": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9}
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_NANO: Final = 1_000_000_000


def refuse(raw: Json, allowed: str, hint: str = "") -> RefusedError:
    """Return the error of a value that is none of *allowed*."""
    return RefusedError(f"`{shown(raw)}` does not fit", allowed=allowed, hint=hint)


def text(raw: Json) -> Json:
    """Read one word; a number is taken as it is written."""
    if isinstance(raw, bool) or not isinstance(raw, str | int | float) or "\0" in str(raw):
        raise refuse(raw, "a text")
    if not str(raw):
        raise refuse(raw, "a text", "fill it in or remove the key")
    return str(raw)


def texts(raw: Json) -> Json:
    """Read a list of words; one word is a list of one, as with a flag that is given once."""
    return [text(item) for item in (raw if isinstance(raw, list) else [raw])]


def flag(raw: Json) -> Json:
    """Read true or false."""
    if isinstance(raw, bool):
        return raw
    raise refuse(raw, "true or false")


def whole(low: int, high: int | None = None) -> Read:
    """Return the reader of a whole number from *low* to *high*."""
    limit = f"a whole number from {low} to {high}" if high is not None else f"{low} or more"

    def read(raw: Json) -> Json:
        plain = isinstance(raw, str) and re.fullmatch(r"-?[0-9]{1,18}", raw)
        value = int(raw) if plain and isinstance(raw, str) else raw
        if isinstance(value, bool) or not isinstance(value, int):
            raise refuse(raw, limit)
        if value < low or (high is not None and value > high):
            raise refuse(raw, limit)
        return value

    return read


def size(*, unlimited: bool = False) -> Read:
    """Return the reader of a number of bytes; docker counts k, m and g by 1024."""
    allowed = "bytes, or a text as 512m, 16g" + ("; -1 for no limit" if unlimited else "")

    def read(raw: Json) -> Json:
        if unlimited and str(raw) == "-1":
            return -1
        if isinstance(raw, bool) or not isinstance(raw, str | int):
            raise refuse(raw, allowed)
        match = _SIZE.fullmatch(str(raw).strip())
        if match is None:
            raise refuse(raw, allowed)
        power = "bkmgtp".index(match[2].lower() or "b")
        return int(float(match[1]) * 1024**power)

    return read


def cpus(raw: Json) -> Json:
    """Read a number of processors, as 1.5, in billionths."""
    try:
        value = float("x" if isinstance(raw, bool) else str(raw))
    except ValueError:
        raise refuse(raw, "a number of processors, as 1.5") from None
    if not 0 < value < 1 << 16:
        raise refuse(raw, "a number of processors, as 1.5")
    return round(value * _NANO)


def span(raw: Json) -> Json:
    """Read a time as 30s or 1m30s, in billionths of a second."""
    said = str(raw)
    parts = _SPAN.findall(said)
    if not parts or "".join(number + unit for number, unit in parts) != said:
        raise refuse(raw, "a time as 30s or 1m30s")
    return int(sum(float(number) * _SPANS_NS[unit] for number, unit in parts))


def choice(*words: str) -> Read:
    """Return the reader of one of *words*."""

    def read(raw: Json) -> Json:
        if raw in words:
            return raw
        raise refuse(raw, ", ".join(words))

    return read


def pairs(raw: Json) -> Json:
    """Read keys and values: an object, or words as KEY=VALUE."""
    return dict(_pairs(raw))


def _pairs(raw: Json) -> Iterator[tuple[str, Json]]:
    if isinstance(raw, dict):
        for key, value in raw.items():
            yield key, "" if value == "" else text(value)
        return
    for word in raw if isinstance(raw, list) else [raw]:
        key, equals, value = str(text(word)).partition("=")
        if not equals or not key:
            raise refuse(word, "KEY=VALUE", "give the value too: nothing is taken from the agent")
        yield key, value


def environment(raw: Json) -> Json:
    """Read variables: an object, or words as NAME=VALUE."""
    found: dict[str, Json] = dict(_pairs(raw))
    for name in found:
        if not _NAME.fullmatch(name):
            raise refuse(name, "names of variables")
    return found


def ulimits(raw: Json) -> Json:
    """Read limits as nofile=1024:2048; one number is both."""
    found: list[Json] = []
    for name, value in _pairs(raw):
        soft, _, hard = str(value).partition(":")
        try:
            found.append({"Name": name, "Soft": int(soft), "Hard": int(hard or soft)})
        except ValueError:
            raise refuse(f"{name}={value}", "as nofile=1024 or nofile=1024:2048") from None
    return found


def tmpfs(raw: Json) -> Json:
    """Read folders in memory, as /scratch or /scratch:size=1g."""
    found: dict[str, Json] = {}
    for word in raw if isinstance(raw, list) else [raw]:
        path, _, options = str(text(word)).partition(":")
        if not path.startswith("/"):
            raise refuse(word, "a whole path, as /scratch:size=1g")
        found[path] = options
    return found


def per_device(key: str, amount: Read) -> Read:
    """Return the reader of a limit for each device, as /dev/sda:1m; *key* is the engine's word."""

    def read(raw: Json) -> Json:
        found: list[Json] = []
        for word in raw if isinstance(raw, list) else [raw]:
            path, _, limit = str(text(word)).rpartition(":")
            if not path.startswith("/"):
                raise refuse(word, "a device and its limit, as /dev/sda:1m")
            found.append({"Path": path, key: amount(limit)})
        return found

    return read


def volumes(raw: Json) -> Json:
    """Read volumes, as /data:/data:ro or name:/data, kept as words."""
    found: list[Json] = []
    for word in raw if isinstance(raw, list) else [raw]:
        source, colon, rest = str(text(word)).partition(":")
        inside = rest.partition(":")[0] if colon else source
        if not inside.startswith("/") or source.startswith("."):
            raise refuse(word, "as /data:/data:ro or name:/data", "write whole paths")
        found.append(str(word))
    return found


def gpus(raw: Json) -> Json:
    """Read a request for GPUs: all, a number, or device=0,1; what says neither means one."""
    allowed = "`all`, a number, or `device=0,1`"
    request: dict[str, Json] = {"Driver": "", "Capabilities": [["gpu"]], "Options": {}}
    if isinstance(raw, bool) or not isinstance(raw, str | int):
        raise refuse(raw, allowed)
    said = str(raw).strip()
    given = _gpu_words(said)
    ids, count = given.pop("device", ""), given.pop("count", "")
    if given and not ids and not count:
        count = "1"
    if options := given.pop("options", ""):
        request["Options"] = pairs(list[Json](next(csv.reader([options]))))
    if driver := given.pop("driver", ""):
        request["Driver"] = driver
    if more := given.pop("capabilities", ""):
        request["Capabilities"] = [list[Json](dict.fromkeys(("gpu", *more.split(","))))]
    if given or bool(ids) == bool(count):
        raise refuse(raw, allowed)
    if ids:
        return [{**request, "DeviceIDs": list[Json](ids.split(","))}]
    if count != "all" and not count.isdigit():
        raise refuse(raw, allowed)
    return [{**request, "Count": -1 if count == "all" else int(count)}]


def _gpu_words(said: str) -> dict[str, str]:
    """Split as docker does: a comma inside quotes, or after `device=`, belongs to the value."""
    found: dict[str, str] = {}
    last = ""
    for word in next(csv.reader([said]), []):
        key, equals, value = word.partition("=")
        if equals:
            last = key
            found[key] = value
        elif last:
            found[last] += f",{word}"
        else:
            last = "count"
            found[last] = word
    return found


def merged(request: dict[str, Json], place: tuple[str, ...], value: Json) -> None:
    """Put *value* into *request* at *place*, beside what is there."""
    *above, key = place
    for step in above:
        inner = request.setdefault(step, {})
        if isinstance(inner, dict):
            request = inner
    before = request.get(key)
    if isinstance(before, dict) and isinstance(value, dict):
        request[key] = {**before, **value}
    else:
        request[key] = value


def as_words(variables: Mapping[str, str]) -> list[Json]:
    """Return variables as the engine takes them."""
    return [f"{name}={value}" for name, value in variables.items()]
