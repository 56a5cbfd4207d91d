"""How values that nobody may read are kept, and how what we hand out is known again."""

from __future__ import annotations

from typing import Protocol


class VaultError(Exception):
    """A sealed value does not open; the message names the key that is missing, never a value."""


class Vault(Protocol):
    """Seals texts and signs them, with keys that it alone has.

    Promises, which `plugins.testkit.vault.VaultContract` tests in every vault:

    * a sealed text says nothing of the text but its length, and differs each time;
    * it opens for the context it was sealed for and for no other, and only as it was written;
    * what an older key sealed or signed counts as long as that key is known;
    * a signature is 64 hexadecimal digits, and comparing it takes the same time right or wrong.
    """

    def seal(self, text: str, context: str) -> str:
        """Return *text* so that only this vault can read it; *context* says what it belongs to."""
        ...

    def open(self, sealed: str, context: str) -> str:
        """Return the text again.

        Raises:
            VaultError: the key is not here, the context is another, or somebody changed it.
        """
        ...

    def is_current(self, sealed: str) -> bool:
        """Tell whether the key that seals now sealed this."""
        ...

    def sign(self, text: str) -> str:
        """Return the signature of *text* by the present key."""
        ...

    def is_signed(self, text: str, signature: str) -> bool:
        """Tell whether a key of this vault made *signature* for *text*."""
        ...
