"""Pull secrets: one for each registry in each namespace, shared by all jobs there."""

from __future__ import annotations

import threading
import time
from typing import Any, Final

from launchyard.adapters.kubernetes.client import Cluster
from launchyard.adapters.kubernetes.errors import KubernetesError
from launchyard.adapters.kubernetes.logins import Logins
from launchyard.adapters.kubernetes.paths import SECRETS, Address
from launchyard.domain.documents import Json
from launchyard.domain.reason import Reason
from launchyard.domain.targets.kubernetes_plan import KubernetesPlan
from launchyard.domain.targets.kubernetes_pulls import TYPE, pull_secret, registries_of
from launchyard.ports.runner import RunnerError

_TRUST_S: Final = 300.0
Where = tuple[Address, str]


class PullSecrets:
    """Sees to it that the secrets of a plan's registries are there; thread-safe.

    One that this process has seen is taken for granted for five minutes, unless its login changes.
    No job owns them, and nothing here deletes them.
    """

    def __init__(self, logins: Logins) -> None:
        self._logins, self._lock = logins, threading.Lock()
        self._seen: dict[tuple[Where, str], tuple[float, Json]] = {}

    def ensure(self, cluster: Cluster, where: Where, plan: KubernetesPlan) -> dict[str, str]:
        """Return the names of the secrets by registry, those that are missing made.

        Raises:
            RunnerError: a login cannot be had, or the cluster refuses.
        """
        found: dict[str, str] = {}
        for registry in registries_of(plan):
            login = self._logins.of(registry)
            if login is None:
                continue
            secret = pull_secret(registry, login.user, login.password)
            self._put(cluster, where, registry, secret)
            found[registry] = str(secret["metadata"]["name"])  # type: ignore[index,call-overload]
        return found

    def _put(self, cluster: Cluster, where: Where, registry: str, secret: dict[str, Any]) -> None:
        now, key = time.monotonic(), (where, registry)
        with self._lock:
            until, data = self._seen.get(key, (0.0, None))
        if until > now and data == secret["data"]:
            return
        self._replace(cluster, SECRETS.path(where[1]), secret)
        with self._lock:
            self._seen[key] = (now + _TRUST_S, secret["data"])

    def _replace(self, cluster: Cluster, path: str, secret: dict[str, Any]) -> None:
        name = secret["metadata"]["name"]
        try:
            old = cluster.call("GET", f"{path}/{name}")
        except KubernetesError as e:
            if not e.absent:
                raise
        else:
            _check_type(old, name)
            if old.get("data") != secret["data"]:
                cluster.call("PATCH", f"{path}/{name}", {"data": secret["data"]})
            return
        try:
            cluster.call("POST", path, secret)
        except KubernetesError as e:
            # Another agent's, made in between: its login is as new as ours.
            if not e.exists:
                raise


def _check_type(found: dict[str, Any], name: str) -> None:
    if found.get("type") != TYPE:
        text = f"there is a secret {name} already, and it is no login of a registry: remove it"
        raise RunnerError(text, reason=Reason.NAME_TAKEN)
