"""The program that asks a cluster what it is called, for a process that loads no SDK."""

from __future__ import annotations

import json
import sys

from launchyard.adapters.kubernetes.client import Cluster
from launchyard.adapters.kubernetes.paths import Address
from launchyard.ports.runner import RunnerError


def main() -> None:
    """Read kubeconfig, context and namespace; write the scope, or what is wrong."""
    kubeconfig, context, namespace = json.load(sys.stdin)
    try:
        cluster = Cluster(Address(kubeconfig, context))
        told = {"scope": cluster.scope(namespace or cluster.namespace)}
    except RunnerError as e:
        told = {"error": str(e)}
    json.dump(told, sys.stdout)
