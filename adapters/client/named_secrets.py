"""Named secrets over REST."""

from __future__ import annotations

from collections.abc import Sequence

from launchyard.adapters.client.following import Following
from launchyard.adapters.client.reading import listed
from launchyard.adapters.client.server import read
from launchyard.adapters.client.transport import Call, place
from launchyard.ports.named_secrets import SecretInfo


class RestNamedSecrets(Following):
    """The `NamedSecrets` part of `Operator`."""

    def secrets(self, entity: str) -> Sequence[SecretInfo]:
        call = Call(method="GET", path=place("entities", entity, "secrets"))
        return [read(SecretInfo, one) for one in listed(self._http.json(call), "secrets")]

    def set_secret(self, entity: str, name: str, value: str) -> SecretInfo:
        path = place("entities", entity, "secrets", name)
        return read(
            SecretInfo, self._http.json(Call(method="PUT", path=path, body={"value": value}))
        )

    def remove_secret(self, entity: str, name: str) -> None:
        self._http.json(Call(method="DELETE", path=place("entities", entity, "secrets", name)))
