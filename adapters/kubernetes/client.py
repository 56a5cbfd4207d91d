"""A cluster's API through the `kubernetes` SDK; only run hosts import this module.

The SDK reads kubeconfigs, finds credentials (files, in-cluster, exec) and makes connections. What
goes over them is plain JSON: the SDK's models cost more memory than the objects, and refuse those
that a newer cluster or a custom resource brings.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import kubernetes.client
import urllib3

from launchyard.adapters.kubernetes.credentials import (
    INSIDE,
    configure,
    connection_errors,
    own_namespace,
)
from launchyard.adapters.kubernetes.errors import (
    FORBIDDEN,
    NOT_FOUND,
    UNAUTHORIZED,
    UNAVAILABLE,
    KubernetesError,
    refusal,
)
from launchyard.adapters.kubernetes.paths import Address
from launchyard.adapters.kubernetes.readiness import READY, Readiness
from launchyard.adapters.kubernetes.stream import Stream

LIMIT_S: Final = 12.0
"""How long one call may take, its repetitions included; the port promises 15 s."""

SILENCE_S: Final = 100.0
"""How long a stream may say nothing, less a tenth at most; then its connection counts as gone."""

PAGE: Final = 500
_CONNECT_S: Final = 4.0
_TRY_S: Final = 6.0
_FIRST_WAIT_S: Final = 0.1
_RENEW_S: Final = 10.0
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})


class Cluster:
    """One cluster's API; its methods may be called from any thread.

    *inside* is the folder with the account of the pod that this process may run in.
    """

    def __init__(
        self, address: Address, connections: int = 320, inside: Path = Path(INSIDE)
    ) -> None:
        self._address, self._connections, self._inside = address, connections, inside
        self._lock, self._renewing = threading.Lock(), threading.Lock()
        self._tried_s, self._due_s = float("-inf"), float("inf")
        self._failed, self._readiness = "", Readiness()
        self._sdk: Any = None
        self._plurals: dict[tuple[str, str, str], str] = {}
        self.namespace = own_namespace(address, inside)
        self._load()

    def scope(self, namespace: str) -> str:
        """Return where the jobs of a namespace can be reached.

        A cluster is its `kube-system` namespace; to who may not see that, it is its address.
        """
        try:
            found = self.call("GET", "/api/v1/namespaces/kube-system")
            name = str(found["metadata"]["uid"])
        except KubernetesError as e:
            if (e.status, e.word) != (FORBIDDEN, "Forbidden"):
                raise
            host = str(self._sdk.configuration.host)
            name = hashlib.sha256(host.encode()).hexdigest()[:32]
        return f"k8s:{name}/{namespace}"

    def plural(self, api: str, kind: str) -> str:
        """Return the name that a kind has in paths, as the cluster's discovery tells it.

        Raises:
            KubernetesError: the cluster has no such kind.
        """
        group, _, version = api.rpartition("/")
        key = (group, version, kind)
        if key not in self._plurals:
            path = f"/apis/{api}" if group else f"/api/{version}"
            try:
                found = self.call("GET", path)
            except KubernetesError as e:
                if not e.absent and not (e.astray and self._lacks(group, version)):
                    raise
                found = {}
            for one in found.get("resources") or ():
                if "/" not in one["name"]:
                    self._plurals[group, version, one["kind"]] = one["name"]
        if key not in self._plurals:
            message = f"the cluster has no kind `{kind}` of {api}: install its controller"
            raise KubernetesError(message, status=NOT_FOUND, word="NotFound")
        return self._plurals[key]

    def _lacks(self, group: str, version: str) -> bool:
        return f"{group}/{version}" not in self.versions(group) if group else version != "v1"

    def versions(self, group: str) -> list[str]:
        """Return the versions in which a group is served, as `<group>/<version>`.

        Raises:
            KubernetesError: discovery does not tell.
        """
        found = self.call("GET", "/apis")
        if found.get("kind") != "APIGroupList":
            raise KubernetesError("what answers is no Kubernetes cluster")
        groups = [one for one in found.get("groups") or () if one["name"] == group]
        return [str(one["groupVersion"]) for each in groups for one in each["versions"]]

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        until: float = float("inf"),
    ) -> dict[str, Any]:
        """Make a request, again where that may help; return the object that it gives.

        Each request of ours may be repeated: names are chosen by us, and what is there already is
        looked at. Nothing is sent after *until*, of CLOCK_BOOTTIME.

        Raises:
            KubernetesError: it was refused, or the cluster does not answer.
        """
        stop, wait_s = time.monotonic() + LIMIT_S, _FIRST_WAIT_S
        unknown = renewed = unsure = False
        while True:
            try:
                if unknown:
                    self._load()
                    unknown, renewed = False, True
                return self._once(method, path, body, query)
            except KubernetesError as e:
                if e.status == UNAUTHORIZED and not renewed:
                    unknown = True
                    continue
                wait_s = max(e.retry_after_s, wait_s * random.uniform(0.7, 1.3))  # noqa: S311
                late = time.monotonic() + wait_s > stop
                past = time.clock_gettime(time.CLOCK_BOOTTIME) + wait_s >= until
                unsure = e.unsure = unsure or e.unsure  # of any of the tries
                again = not e.status or e.status in _AGAIN or (method == "POST" and e.clashed)
                if late or past or not (again and e.retry):
                    raise
            time.sleep(wait_s)
            wait_s = min(wait_s * 2, LIMIT_S / 4)

    def pages(self, path: str, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Yield a list page by page."""
        more: dict[str, str] = {}
        while True:
            page = self.call("GET", path, query={**query, "limit": str(PAGE), **more})
            yield page
            token = page.get("metadata", {}).get("continue")
            if not token:
                return
            more = {"continue": token}

    def stream(self, path: str, query: Mapping[str, str]) -> Stream:
        """Begin an answer without an end; it breaks when it is silent for too long.

        Raises:
            KubernetesError: it was refused, or the cluster does not answer.
        """
        try:
            return self._open(path, query)
        except KubernetesError as e:
            if e.status != UNAUTHORIZED:
                raise
        self._load()
        return self._open(path, query)

    def _open(self, path: str, query: Mapping[str, str]) -> Stream:
        # Not all at one time: many logs that say nothing are asked for again one after another.
        silence_s = SILENCE_S * random.uniform(0.9, 1.4)  # noqa: S311 - not for secrets
        timeout = urllib3.Timeout(connect=_CONNECT_S, read=silence_s)
        response = self._send("GET", path, None, query, timeout=timeout, preload_content=False)
        if response.status >= 400:  # noqa: PLR2004 - HTTP's
            with connection_errors("the cluster cannot be heard"):
                data = response.read()
            response.release_conn()
            raise self._refused("GET", path, response, data)
        return Stream(response)

    def close(self) -> None:
        """Give connections back."""
        self._sdk.rest_client.pool_manager.clear()

    def _once(
        self, method: str, path: str, body: Any, query: Mapping[str, str] | None
    ) -> dict[str, Any]:
        timeout = urllib3.Timeout(connect=_CONNECT_S, read=_TRY_S)
        response = self._send(method, path, body, query or {}, timeout=timeout)
        if response.status >= 400:  # noqa: PLR2004 - HTTP's
            raise self._refused(method, path, response, response.data)
        try:
            found = json.loads(response.data)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise KubernetesError("what answers is no Kubernetes cluster")
        return found

    def _refused(self, method: str, path: str, response: Any, data: bytes) -> KubernetesError:
        """Return what an answer says that is no success, once the server knows what it says."""
        error = refusal(method, path, response.status, response.headers, data)
        if error.unauthorised:
            timeout = urllib3.Timeout(connect=_CONNECT_S, read=_TRY_S)
            told = self._send("GET", READY, None, {}, timeout=timeout)
            if not self._readiness.is_ready(told.status, time.monotonic()):
                text = f"{method} {path}: the cluster is only starting, and knows no rights yet"
                return KubernetesError(text, UNAVAILABLE)
        return error

    def _send(
        self, method: str, path: str, body: Any, query: Mapping[str, str], **more: Any
    ) -> Any:
        headers = {"Accept": "application/json"}
        what = "the agent's credentials for the cluster cannot be had"
        self._keep_good()
        with self._lock, connection_errors(what):
            sdk = self._sdk
            for auth in sdk.configuration.auth_settings().values():
                headers[auth["key"]] = auth["value"]
        if body is not None:
            patch = "application/merge-patch+json"
            headers["Content-Type"] = patch if method == "PATCH" else "application/json"
        url = f"{sdk.configuration.host}{path}"
        with connection_errors("the cluster does not answer", sends=method == "POST"):
            return sdk.rest_client.pool_manager.request(
                method,
                f"{url}?{urlencode(query)}" if query else url,
                body=None if body is None else json.dumps(body),
                headers=headers,
                retries=False,
                **more,
            )

    def _load(self) -> None:
        """Read the configuration, and with it credentials that have changed.

        Raises:
            KubernetesError: there are none now; also when that was seen a moment ago.
        """
        with self._renewing:
            if time.monotonic() - self._tried_s >= 1.0:
                self._renew()
            if self._failed:
                raise KubernetesError(self._failed)

    def _keep_good(self) -> None:
        """Have new credentials before these expire; all others go on with these meanwhile."""
        with self._lock:
            now = time.monotonic()
            if now < self._due_s:
                return
            self._due_s = now + _RENEW_S
        with self._renewing:
            self._renew()

    def _renew(self) -> None:
        """Read the configuration, or note why that fails; one thread at a time."""
        configuration = kubernetes.client.Configuration()
        configuration.connection_pool_maxsize = self._connections
        try:
            good_s = configure(configuration, self._address, self._inside)
        except KubernetesError as e:
            self._failed = str(e)
            return
        finally:
            self._tried_s = time.monotonic()
        with self._lock:
            old, self._sdk = self._sdk, kubernetes.client.ApiClient(configuration)
            self._failed, self._due_s = "", time.monotonic() + max(good_s, _RENEW_S)
        if old is not None:
            old.rest_client.pool_manager.clear()
