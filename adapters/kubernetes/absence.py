"""When something is not there: only the cluster itself can say so."""

from __future__ import annotations

from launchyard.adapters.kubernetes.client import Cluster
from launchyard.adapters.kubernetes.errors import KubernetesError
from launchyard.adapters.kubernetes.paths import Kind


def lacks(cluster: Cluster, kind: Kind, error: KubernetesError) -> bool:
    """Tell whether *error* says that an object is not there, or that nothing of its kind is.

    Balancers answer 404 for clusters that they do not reach now, and API servers for a kind that is
    not installed: discovery tells which it was.

    Raises:
        KubernetesError: discovery does not tell.
    """
    return error.absent or (error.astray and not _serves(cluster, kind))


def _serves(cluster: Cluster, kind: Kind) -> bool:
    """Tell whether there may be objects of a kind: one that lost a version has kept them."""
    if not kind.group:
        return True
    told = (cluster.call("GET", f"/apis/{api}") for api in cluster.versions(kind.group))
    return any(one["name"] == kind.plural for each in told for one in each.get("resources") or ())
