"""Every vault in the box keeps the vault contract."""

from __future__ import annotations

import pytest

from launchyard.adapters.cryptography.vault import AesVault
from launchyard.plugins.testkit.vault import VaultContract
from launchyard.ports.vault import Vault

KEYS = [bytes([n]) * 32 for n in range(3)]


class TestAes(VaultContract):
    """AES-256-GCM."""

    @pytest.fixture
    def vault(self) -> Vault:
        return AesVault(KEYS[:1])

    @pytest.fixture
    def stranger(self) -> Vault:
        return AesVault(KEYS[1:2])

    @pytest.fixture
    def follower(self) -> Vault:
        return AesVault([KEYS[2], KEYS[0]])

    @pytest.mark.parametrize("keys", [[], [b"short"], [KEYS[0], b""]])
    def test_a_weak_key_is_refused(self, keys: list[bytes]) -> None:
        """Nothing is sealed with less than 32 bytes."""
        with pytest.raises(ValueError, match="32 bytes"):
            AesVault(keys)
