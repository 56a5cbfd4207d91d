"""The key of a W&B server, read where it is kept: whoever replaces it need not start us again."""

from __future__ import annotations

import netrc
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from launchyard.domain.documents import Json


def key_in(settings: Mapping[str, Json]) -> Callable[[], str]:
    """Return what gives the key as it is now.

    Of *settings* it takes `server`, its `key` at the start, and the `key_file` that it came from,
    if there is one: a file with the key alone, or a netrc file. While nothing can be read there
    that of the start counts.
    """
    key, file = str(settings["key"]), settings.get("key_file")
    if not isinstance(file, str) or not file:
        return lambda: key
    host = urlsplit(str(settings["server"])).hostname or ""
    return lambda: _read(Path(file), host) or key


def _read(file: Path, host: str) -> str:
    try:
        text = file.read_text().strip()
        if len(text.split()) == 1:
            return text if text.isascii() and text.isprintable() else ""
        found = netrc.netrc(str(file)).hosts.get(host)
    except (OSError, UnicodeDecodeError, netrc.NetrcParseError):
        return ""
    return found[2] or "" if found else ""
