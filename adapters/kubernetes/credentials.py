"""Which cluster an address means, and who we are there, as the `kubernetes` SDK finds it.

That is a kubeconfig (its keys, tokens, and `exec` programs as those of EKS, GKE and AKS), or the
account of the pod that this process runs in.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import kubernetes.config
import urllib3
from kubernetes.config.incluster_config import InClusterConfigLoader
from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger

from launchyard.adapters.kubernetes.errors import KubernetesError
from launchyard.adapters.kubernetes.paths import Address

INSIDE: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
"""The folder of a pod that holds the token of its account, its namespace and the authority."""

_UNSENT: Final = (urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.SSLError)
"""No connection was made, so nothing can have been heard."""

_LIMIT_S: Final = 12.0
_SPARE_S: Final = 300.0
_SPARE_PART: Final = 0.2
_MAY_FAIL: Final = ("exec", "tokenFile", "auth-provider")
"""Ways to credentials that the SDK only logs the failures of; then it would ask as nobody."""


class _Loading(threading.Thread):
    """One look for credentials, in a thread of its own: a program may take as long as it likes."""

    def __init__(self, load: Callable[[], float]) -> None:
        super().__init__(name="credentials", daemon=True)
        self._load = load
        self.good_s = 0.0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.good_s = self._load()
        except BaseException as e:  # noqa: BLE001 - it is for the thread that waits
            self.error = e


_running: dict[Address, _Loading] = {}
_lock = threading.Lock()


def configure(
    configuration: Any, address: Address, inside: Path, limit_s: float = _LIMIT_S
) -> float:
    """Fill the SDK's *configuration* in, with credentials as they are now.

    Return for how many seconds they are good, without a spare part for getting others.

    Raises:
        KubernetesError: it cannot be read, or its program fails or takes too long. One that hangs
            is not started a second time while it does.
    """
    loading = _Loading(partial(_configure, configuration, address, inside))
    while (other := _begun(address, loading)) is not loading:
        _wait(other, limit_s)
    _wait(loading, limit_s)
    if loading.error is not None:
        raise loading.error
    return loading.good_s


def _begun(address: Address, loading: _Loading) -> _Loading:
    """Begin with *loading*, unless another is under way; return which is now."""
    with _lock:
        other = _running.get(address)
        if other is not None and other.is_alive():
            return other
        _running[address] = loading
        loading.start()
        return loading


def _wait(loading: _Loading, limit_s: float) -> None:
    loading.join(limit_s)
    if loading.is_alive():
        remedy = "run the program that the kubeconfig names, with the agent's environment"
        raise KubernetesError(f"no credentials came within {limit_s:g} s: {remedy}, to see why")


def _configure(configuration: Any, address: Address, inside: Path) -> float:
    with connection_errors("the cluster's configuration cannot be used"):
        if not address.kubeconfig and not address.context and _is_inside(inside):
            InClusterConfigLoader(  # type: ignore[no-untyped-call]
                token_filename=str(inside / "token"), cert_filename=str(inside / "ca.crt")
            ).load_and_set(configuration)
            return float("inf")
        files = address.kubeconfig or kubernetes.config.KUBE_CONFIG_DEFAULT_LOCATION
        merged = KubeConfigMerger(files).config  # type: ignore[no-untyped-call]
        if merged is None:
            raise kubernetes.config.ConfigException("there is no kubeconfig")
        loader = KubeConfigLoader(  # type: ignore[no-untyped-call]
            config_dict=merged, active_context=address.context or None, config_base_path=None
        )
        loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
        _check_known(configuration, _user(merged, loader.current_context))
    # The SDK would get new ones by itself, in all threads at a time.
    configuration.refresh_api_key_hook = None
    return _good_s(getattr(loader, "expiry", None))


def _user(merged: Any, context: Any) -> dict[str, Any]:
    """Return what a kubeconfig says of the user of a context."""
    name = (context.get("context") or {}).get("user")
    if not name or "users" not in merged:
        return {}
    found = merged["users"].get_with_name(name, safe=True)
    user = found.safe_get("user") if found is not None else None
    return user if isinstance(user, dict) else {}


def _check_known(configuration: Any, user: dict[str, Any]) -> None:
    """Refuse to be nobody where the kubeconfig names somebody.

    Raises:
        KubernetesError: no credentials came; trying again may help.
    """
    way = next((way for way in _MAY_FAIL if way in user), None)
    if way is None or configuration.api_key or configuration.cert_file:
        return
    if way == "exec":
        program = (user[way] or {}).get("command")
        remedy = f"run `{program}` with the agent's environment to see why"
        raise KubernetesError(f"the kubeconfig's program gave no credentials: {remedy}")
    raise KubernetesError(f"the kubeconfig's `{way}` gave no credentials: renew it there")


def _good_s(expiry: datetime | None) -> float:
    if expiry is None:
        return float("inf")
    left_s = (expiry - datetime.now(UTC)).total_seconds()
    return left_s - min(_SPARE_S, left_s * _SPARE_PART)


def _is_inside(inside: Path) -> bool:
    """Tell whether this process runs in a pod and has no kubeconfig that comes first."""
    default = kubernetes.config.KUBE_CONFIG_DEFAULT_LOCATION
    files = [Path(name).expanduser() for name in str(default).split(":") if name]
    return (inside / "token").exists() and not any(file.exists() for file in files)


def own_namespace(address: Address, inside: Path) -> str:
    """Return the namespace of the context, or of the pod that this is.

    Raises:
        KubernetesError: the kubeconfig cannot be read, or has no such context.
    """
    with connection_errors("the cluster's configuration cannot be used"):
        if not address.kubeconfig and not address.context and _is_inside(inside):
            return (inside / "namespace").read_text().strip()
        contexts, active = kubernetes.config.list_kube_config_contexts(  # type: ignore[no-untyped-call]
            address.kubeconfig or None
        )
    for one in contexts:
        if one["name"] == (address.context or (active or {}).get("name")):
            return str((one.get("context") or {}).get("namespace") or "default")
    known = ", ".join(str(one["name"]) for one in contexts)
    raise KubernetesError(f"there is no context `{address.context}`; there are: {known}")


@contextmanager
def connection_errors(what: str, *, sends: bool = False) -> Iterator[None]:
    """Turn errors of the SDK and of connections into ours.

    Where the block *sends* something, all but a connection that was never made leaves it open
    whether that was heard.
    """
    try:
        yield
    except (urllib3.exceptions.HTTPError, OSError) as e:
        wrong = KubernetesError(f"{what}: {_words(e)}")
        wrong.unsure = sends and not isinstance(e, _UNSENT)
        raise wrong from None
    except kubernetes.config.ConfigException as e:
        raise KubernetesError(f"{what}: {e}") from None


def _words(error: BaseException) -> str:
    """Return what went wrong without the SDK's names of objects."""
    reason = getattr(error, "reason", None)
    return str(reason if isinstance(reason, BaseException) else error).rpartition(">: ")[2]
