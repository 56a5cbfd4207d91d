"""A vault with AES-256-GCM and HMAC-SHA-256; several keys, so that one can follow another."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from launchyard.ports.vault import VaultError

KEY_B: Final = 32
_NONCE_B: Final = 12
_VERSION: Final = "v1"
_PARTS: Final = 3


def key_id(key: bytes) -> str:
    """Return the name of a key, which stands with each value that it sealed."""
    return hashlib.sha256(b"launchyard key id\0" + key).hexdigest()[:8]


class AesVault:
    """A `Vault`; the first of *keys* seals and signs, the others only open and check."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) != KEY_B for key in keys):
            raise ValueError(f"a vault takes one key or more, of {KEY_B} bytes each")
        self._current = key_id(keys[0])
        self._ciphers = {key_id(key): AESGCM(_derived(key, b"seal")) for key in keys}
        self._signers = [_derived(key, b"sign") for key in keys]

    def seal(self, text: str, context: str) -> str:
        nonce = os.urandom(_NONCE_B)
        sealed = self._ciphers[self._current].encrypt(nonce, text.encode(), _bound(context))
        return f"{_VERSION}.{self._current}.{base64.b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, context: str) -> str:
        key, data = _parts(sealed)
        cipher = self._ciphers.get(key)
        if cipher is None:
            raise VaultError(f"the key {key} that sealed it is not among this server's keys")
        try:
            text = cipher.decrypt(data[:_NONCE_B], data[_NONCE_B:], _bound(context))
        except (InvalidTag, ValueError):
            raise VaultError("it was changed, or belongs to something else") from None
        return text.decode()

    def is_current(self, sealed: str) -> bool:
        return sealed.startswith(f"{_VERSION}.{self._current}.")

    def sign(self, text: str) -> str:
        return hmac.digest(self._signers[0], text.encode(), "sha256").hex()

    def is_signed(self, text: str, signature: str) -> bool:
        known = [hmac.digest(key, text.encode(), "sha256").hex() for key in self._signers]
        given = signature.encode()
        # Every key is asked, so that the time does not tell which one it was.
        return sum(hmac.compare_digest(one.encode(), given) for one in known) > 0


def _derived(key: bytes, use: bytes) -> bytes:
    """Return a key for one use, so that no key serves two algorithms."""
    return HKDF(SHA256(), KEY_B, None, b"launchyard " + use).derive(key)


def _bound(context: str) -> bytes:
    return f"launchyard {_VERSION} {context}".encode()


def _parts(sealed: str) -> tuple[str, bytes]:
    words = sealed.split(".")
    if len(words) != _PARTS or words[0] != _VERSION:
        raise VaultError("it is no value that this version of launchyard sealed")
    try:
        data = base64.b64decode(words[2], validate=True)
    except binascii.Error:
        raise VaultError("it was cut or changed") from None
    # The last character may hold bits that no byte takes: several texts would say the same.
    if base64.b64encode(data).decode() != words[2]:
        raise VaultError("it was cut or changed")
    return words[1], data
