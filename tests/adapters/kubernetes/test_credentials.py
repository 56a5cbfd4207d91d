"""Who the agent is to a cluster: what programs, pods and contexts say."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from launchyard.adapters.kubernetes.client import Cluster
from launchyard.adapters.kubernetes.paths import Address
from launchyard.ports.runner import RunnerError
from tests.adapters.git.gitserver import make_certificate
from tests.programs import LIMIT_S, until
from tests.rig.kubernetes.standin import Kubernetes, standin

PROGRAM: Final = """\
#!/bin/sh
echo "$CLUSTER_REGION $1" >> "$0.asked"
printf '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", '
printf '"status": {"token": "%s"}}' "$(cat "$0.token")"
"""
IN_POD: Final = """\
import sys
from pathlib import Path
from launchyard.adapters.kubernetes.client import Cluster
from launchyard.adapters.kubernetes.paths import Address
cluster = Cluster(Address(), inside=Path(sys.argv[1]))
print(cluster.namespace, cluster.scope("ns"))
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    """Give a stand-in whose pods start no processes."""
    with standin(tmp_path_factory.mktemp("cluster"), plays=True) as cluster:
        yield cluster


def kubeconfig(path: Path, cluster: Kubernetes, user: dict[str, Any]) -> str:
    """Write a kubeconfig with another user; return its path."""
    document = json.loads(Path(cluster.kubeconfig).read_text())
    document["users"][0]["user"] = user
    path.write_text(json.dumps(document))
    return str(path)


def scope_of(cluster: Cluster) -> str:
    """Return the scope as far as the cluster tells."""
    try:
        return cluster.scope("ml")
    except RunnerError:
        return ""


def test_a_program_gives_credentials(cluster: Kubernetes, tmp_path: Path) -> None:
    """W-31: as those of EKS, GKE and AKS, with words and variables; what it gives may change."""
    program = tmp_path / "get-token"
    program.write_text(PROGRAM)
    program.chmod(0o700)
    Path(f"{program}.token").write_text(cluster.standin.token)
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(program),
            "args": ["get-token"],
            "env": [{"name": "CLUSTER_REGION", "value": "north"}],
            "interactiveMode": "Never",
        }
    }
    path = kubeconfig(tmp_path / "exec", cluster, user)
    old = cluster.standin.token
    with closing(Cluster(Address(path))) as found:
        scope = found.scope("ml")
        cluster.standin.token = "renewed"  # noqa: S105
        Path(f"{program}.token").write_text("renewed")
        try:
            # Who is told that they are no longer good reads them again, once a second at most.
            until(lambda: scope_of(found) == scope, "the new credentials")
        finally:
            cluster.standin.token = old
    asked = Path(f"{program}.asked").read_text().splitlines()
    assert set(asked) == {"north get-token"}
    assert len(asked) >= 2


def test_credentials_that_are_not_good_are_told(cluster: Kubernetes, tmp_path: Path) -> None:
    """The remedy is named, and no token is shown."""
    path = kubeconfig(tmp_path / "wrong", cluster, {"token": "canary"})
    with (
        closing(Cluster(Address(path))) as found,
        pytest.raises(RunnerError, match="does not know the agent's credentials") as caught,
    ):
        found.scope("ml")
    assert "canary" not in str(caught.value)


def test_a_context_is_chosen_by_name(cluster: Kubernetes, tmp_path: Path) -> None:
    """W-31: one that is not there is told with those that are."""
    document = json.loads(Path(cluster.kubeconfig).read_text())
    context = {"cluster": "tests", "user": "tests", "namespace": "other"}
    document["contexts"].append({"name": "west", "context": context})
    path = tmp_path / "two"
    path.write_text(json.dumps(document))
    with closing(Cluster(Address(str(path), "west"))) as found:
        assert found.namespace == "other"
    with pytest.raises(RunnerError, match="no context `north`; there are: tests, west"):
        Cluster(Address(str(path), "north"))


def test_in_a_pod_its_own_account_is_used(tmp_path: Path) -> None:
    """By the token and authority in the pod's folder, and the address in its variables."""
    both = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    with standin(tmp_path, plays=True, tls=context) as cluster:
        pod, home = tmp_path / "pod", tmp_path / "home"
        pod.mkdir()
        home.mkdir()
        (pod / "token").write_text(cluster.standin.token)
        (pod / "namespace").write_text("jobs\n")
        (pod / "ca.crt").write_text((tmp_path / "cert.pem").read_text())
        host, port = cluster.standin.url.removeprefix("https://").split(":")
        done = subprocess.run(
            [sys.executable, "-c", IN_POD, str(pod)],
            env={
                "HOME": str(home),
                "PATH": os.environ["PATH"],
                "KUBERNETES_SERVICE_HOST": host,
                "KUBERNETES_SERVICE_PORT": port,
            },
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    namespace, scope = done.stdout.split()
    assert namespace == "jobs"
    assert scope.startswith("k8s:")
    assert scope.endswith("/ns")
