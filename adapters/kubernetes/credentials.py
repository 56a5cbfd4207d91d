"""Which cluster an address means, and who we are there, as the `kubernetes` SDK finds it.

That is a kubeconfig (its keys, tokens, and `exec` programs as those of EKS, GKE and AKS), or the
account of the pod that this process runs in.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import kubernetes.config
import urllib3
from kubernetes.config.incluster_config import InClusterConfigLoader

from launchyard.adapters.kubernetes.errors import KubernetesError
from launchyard.adapters.kubernetes.paths import Address

INSIDE: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
"""The folder of a pod that holds the token of its account, its namespace and the authority."""


def configure(configuration: Any, address: Address, inside: Path) -> None:
    """Fill the SDK's *configuration* in, with credentials as they are now.

    Raises:
        KubernetesError: it cannot be read, or its program fails.
    """
    with connection_errors("the cluster's configuration cannot be used"):
        if not address.kubeconfig and not address.context and _is_inside(inside):
            InClusterConfigLoader(  # type: ignore[no-untyped-call]
                token_filename=str(inside / "token"), cert_filename=str(inside / "ca.crt")
            ).load_and_set(configuration)
            return
        kubernetes.config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=address.kubeconfig or None,
            context=address.context or None,
            client_configuration=configuration,
            persist_config=False,
        )


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
def connection_errors(what: str) -> Iterator[None]:
    """Turn errors of the SDK and of connections into ours."""
    try:
        yield
    except (urllib3.exceptions.HTTPError, OSError) as e:
        raise KubernetesError(f"{what}: {_words(e)}") from None
    except kubernetes.config.ConfigException as e:
        raise KubernetesError(f"{what}: {e}") from None


def _words(error: BaseException) -> str:
    """Return what went wrong without the SDK's names of objects."""
    reason = getattr(error, "reason", None)
    return str(reason if isinstance(reason, BaseException) else error).rpartition(">: ")[2]
