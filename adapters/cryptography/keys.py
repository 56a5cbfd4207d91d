"""Where the vault's keys come from: a variable, or a file that the first start makes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

from launchyard.adapters.cryptography.vault import KEY_B

_HEAD: Final = """\
# Keys of Launchyard's secrets, 64 hexadecimal digits each. The first one seals; the others
# are older ones that still open. Without this file the secrets in the database are lost.
"""
_FORM: Final = f"{KEY_B * 2} hexadecimal digits"


class KeysError(Exception):
    """The keys cannot be had; the message never holds one."""


def parse_keys(text: str, name: str) -> list[bytes]:
    """Return the keys in *text*, one a line or joined by commas; lines with # say nothing.

    Raises:
        KeysError: there is none, or a line holds something else; *name* says where.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    found = [word.strip() for line in lines for word in line.split(",") if word.strip()]
    if not found:
        raise KeysError(f"{name} holds no key: {_FORM} are needed")
    return [_key(line, f"{name}, key {number}") for number, line in enumerate(found, 1)]


def read_or_make(path: Path) -> list[bytes]:
    """Return the keys in the file; a new file with a new key appears whole or not at all.

    Raises:
        KeysError: the file holds no keys.
        OSError: it cannot be read or made.
    """
    if path.exists():
        path.chmod(0o600)
        return parse_keys(path.read_text("ascii", errors="replace"), str(path))
    key = os.urandom(KEY_B)
    handle, under_way = tempfile.mkstemp(prefix=".keys-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{_HEAD}{key.hex()}\n")
            file.flush()
            os.fsync(file.fileno())  # a lost key loses every secret
        Path(under_way).replace(path)
    except BaseException:
        Path(under_way).unlink(missing_ok=True)
        raise
    return [key]


def _key(line: str, where: str) -> bytes:
    try:
        key = bytes.fromhex(line)
    except ValueError:
        key = b""
    if len(key) != KEY_B:
        raise KeysError(f"{where} is no key: {_FORM} are needed")
    return key
