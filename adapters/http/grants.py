"""What a lease is given on its way to the agent: its secrets opened, and its attempt's token."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from launchyard.domain.attempt_token import VARIABLE, subject, write_token
from launchyard.domain.exchange import ItemGrant
from launchyard.domain.secrets import item_context, named_context, references
from launchyard.ports.records import SealedSecrets
from launchyard.ports.store import Store
from launchyard.ports.vault import Vault, VaultError

_LOG: Final = logging.getLogger("launchyard.secrets")


class Grants:
    """Opens what the store holds sealed, at the last moment and for the holder alone."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def filled(self, grants: Iterable[ItemGrant]) -> tuple[ItemGrant, ...]:
        """Return *grants* as their holder gets them.

        A value that does not open is left out and logged; the agent then fails the launch with
        the name of what is missing, and every other item goes on.
        """
        return tuple(replace(grant, secrets=self._secrets(grant)) for grant in grants)

    def _secrets(self, grant: ItemGrant) -> Mapping[str, str]:
        signature = self._vault.sign(subject(grant.item, grant.attempt))
        token = {VARIABLE: write_token(grant.item, grant.attempt, signature)}
        if not grant.secrets:
            return token
        names, sealed = references(grant.spec), grant.secrets
        return token | self.opened(
            SealedSecrets(item=grant.item, entity=grant.entity, names=names, values=sealed)
        )

    def opened(self, secrets: SealedSecrets) -> dict[str, str]:
        """Return the values of an item's secrets by variable, less those that do not open."""
        found: dict[str, str] = {}
        for env, sealed in secrets.values.items():
            name, entity = secrets.names.get(env, ""), secrets.entity
            context = named_context(entity, name) if name else item_context(entity, env)
            try:
                found[env] = self._vault.open(sealed, context)
            except VaultError as error:
                _LOG.error("item %s goes without %s: %s", secrets.item, env, error)
        return found


def reseal(store: Store, vault: Vault) -> None:
    """Seal with the present key what an older one sealed, so that the older one can go.

    What no key opens stays as it is, and its name is logged: the key may come back.
    """
    for secret in store.secrets():
        if vault.is_current(secret.sealed):
            continue
        context = named_context(secret.entity, secret.name)
        try:
            text = vault.open(secret.sealed, context)
        except VaultError as error:
            _LOG.error("secret %s of %s is lost: %s", secret.name, secret.entity, error)
        else:
            store.set_secret(replace(secret, sealed=vault.seal(text, context)))
