"""What every vault must do, as tests."""

from __future__ import annotations

from abc import ABC, abstractmethod

import pytest

from launchyard.ports.vault import Vault, VaultError

_TEXT = "hunter2 \N{SNOWMAN}\n" * 3


class VaultContract(ABC):
    """Subclass as `TestMyVault` and give it the fixtures `vault`, `stranger` and `follower`."""

    @pytest.fixture
    @abstractmethod
    def vault(self) -> Vault:
        """Give a vault."""

    @pytest.fixture
    @abstractmethod
    def stranger(self) -> Vault:
        """Give a vault that has none of the first one's keys."""

    @pytest.fixture
    @abstractmethod
    def follower(self) -> Vault:
        """Give a vault with a new key that knows the first one's key as an older one."""

    def test_what_is_sealed_opens(self, vault: Vault) -> None:
        """For its context, and it reads like nothing at all until then."""
        sealed = vault.seal(_TEXT, "a b")
        assert vault.open(sealed, "a b") == _TEXT
        assert "hunter2" not in sealed
        assert vault.is_current(sealed)
        assert vault.seal(_TEXT, "a b") != sealed

    def test_it_opens_for_nothing_else(self, vault: Vault, stranger: Vault) -> None:
        """Not for another context, and not in another vault; the message has no word of it."""
        sealed = vault.seal(_TEXT, "a b")
        for one, context in ((vault, "a c"), (vault, ""), (stranger, "a b")):
            with pytest.raises(VaultError) as e:
                one.open(sealed, context)
            assert "hunter2" not in repr(e.value)

    def test_a_changed_one_does_not_open(self, vault: Vault) -> None:
        """Whichever character was changed, and however much was cut."""
        sealed = vault.seal("a", "c")
        other = {"A": "B"}
        changed = [
            f"{sealed[:i]}{other.get(sealed[i], 'A')}{sealed[i + 1 :]}" for i in range(len(sealed))
        ]
        for text in (*changed, "", "a", sealed[:-1], sealed[:-4], sealed.rpartition(".")[0] + "."):
            with pytest.raises(VaultError):
                vault.open(text, "c")

    def test_a_signature_counts_for_its_text(self, vault: Vault, stranger: Vault) -> None:
        """And for no other, nor from another vault."""
        mark = vault.sign("one")
        assert vault.is_signed("one", mark)
        assert len(mark) == len(f"{int(mark, 16):064x}")
        for text, signature in (("two", mark), ("one", mark[:-1]), ("one", ""), ("one", "\xe4")):
            assert not vault.is_signed(text, signature)
        assert not stranger.is_signed("one", mark)

    def test_a_new_key_knows_the_older_one_s_work(self, vault: Vault, follower: Vault) -> None:
        """It opens and checks it, and seals anew what is to be kept."""
        sealed = vault.seal(_TEXT, "c")
        assert follower.open(sealed, "c") == _TEXT
        assert not follower.is_current(sealed)
        assert follower.is_signed("one", vault.sign("one"))
        assert not vault.is_signed("one", follower.sign("one"))
        with pytest.raises(VaultError):
            vault.open(follower.seal(_TEXT, "c"), "c")
