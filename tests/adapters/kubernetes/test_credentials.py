"""Who the agent is to a cluster: what programs, pods and contexts say."""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import kubernetes.client
import pytest

from launchyard.adapters.kubernetes import credentials
from launchyard.adapters.kubernetes.client import Cluster
from launchyard.adapters.kubernetes.credentials import configure
from launchyard.adapters.kubernetes.errors import KubernetesError
from launchyard.adapters.kubernetes.paths import Address
from launchyard.ports.runner import RunnerError
from tests.adapters.git.gitserver import make_certificate
from tests.programs import LIMIT_S, until
from tests.rig.kubernetes.standin import Kubernetes, standin

PROGRAM: Final = """\
#!/bin/sh
echo "$CLUSTER_REGION $1" >> "$0.asked"
if [ -e "$0.fails" ]; then rm "$0.fails"; exit 1; fi
printf '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", '
printf '"status": {"expirationTimestamp": "2026-01-01T00:00:00Z", '
printf '"token": "%s"}}' "$(cat "$0.token")"
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


def asking(cluster: Kubernetes, folder: Path) -> tuple[str, Path]:
    """Write a program that gives the stand-in's token, and a kubeconfig that names it.

    Return the kubeconfig's path, and the program's. What it gives is always about to expire.
    """
    program = folder / "get-token"
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
    return kubeconfig(folder / "exec", cluster, user), program


def asked(program: Path) -> list[str]:
    """Return with what the program was called each time."""
    return Path(f"{program}.asked").read_text().splitlines()


@pytest.fixture
def renewed(cluster: Kubernetes) -> Iterator[str]:
    """Give a token that the cluster can be told to want instead."""
    old = cluster.standin.token
    yield "renewed"
    cluster.standin.token = old


def test_a_program_gives_credentials(cluster: Kubernetes, tmp_path: Path, renewed: str) -> None:
    """W-31: as those of EKS, GKE and AKS, with words and variables; what it gives may change."""
    path, program = asking(cluster, tmp_path)
    with closing(Cluster(Address(path))) as found:
        scope = found.scope("ml")
        cluster.standin.token = renewed
        Path(f"{program}.token").write_text(renewed)
        Path(f"{program}.fails").touch()
        # Who is told that they are no longer good reads them again, once a second at most.
        until(lambda: scope_of(found) == scope, "the new credentials")
    assert set(asked(program)) == {"north get-token"}
    assert len(asked(program)) >= 3, "the second time it failed"


def test_who_has_no_credentials_asks_nothing(cluster: Kubernetes, tmp_path: Path) -> None:
    """Else the cluster answers to nobody, who may not see what it is called."""
    path, program = asking(cluster, tmp_path)
    Path(f"{program}.fails").touch()
    with pytest.raises(RunnerError, match=r"program gave no credentials: run `\S+`") as caught:
        Cluster(Address(path))
    assert caught.value.retry
    with closing(Cluster(Address(path))) as found:
        assert found.scope("ml")


def test_a_program_that_hangs_is_told(cluster: Kubernetes, tmp_path: Path) -> None:
    """Nobody waits for it without end, and it is not started again while it hangs."""
    path, program = asking(cluster, tmp_path)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    program.write_text(PROGRAM.replace("if [", f"read -r go <{gate}\nif [", 1))
    address = Address(path)
    for _ in range(3):
        with pytest.raises(KubernetesError, match="no credentials came within") as caught:
            configure(kubernetes.client.Configuration(), address, tmp_path, limit_s=0.2)
        assert caught.value.retry
    gate.write_text("go\n")
    until(lambda: not credentials._running[address].is_alive(), "the program's end")
    assert len(asked(program)) == 1
    program.write_text(PROGRAM)
    configuration = kubernetes.client.Configuration()
    assert configure(configuration, address, tmp_path) < float("inf")
    assert cluster.standin.token in str(configuration.api_key)


def test_one_program_runs_for_all_who_ask(cluster: Kubernetes, tmp_path: Path) -> None:
    """Before its credentials expire it is run again, once; what is there serves until then."""
    path, program = asking(cluster, tmp_path)
    with closing(Cluster(Address(path))) as found, ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(found.scope, ["ml"] * 32))) == 1
        assert len(asked(program)) == 1
        found._due_s = 0.0
        Path(f"{program}.fails").touch()
        assert len(set(threads.map(found.scope, ["ml"] * 32))) == 1
        assert len(asked(program)) == 2


def test_watches_read_credentials_again(cluster: Kubernetes, tmp_path: Path, renewed: str) -> None:
    """A watch is all that an agent does for hours: it must not go on with what was good once."""
    path = kubeconfig(tmp_path / "static", cluster, {"token": cluster.standin.token})
    with closing(Cluster(Address(path))) as found:
        cluster.standin.token = renewed
        kubeconfig(tmp_path / "static", cluster, {"token": renewed})

        def hears() -> bool:
            with contextlib.suppress(RunnerError):
                found.stream("/api/v1/pods", {"watch": "true", "timeoutSeconds": "1"}).release()
                return True
            return False

        until(hears, "a watch")


@pytest.mark.parametrize(("left_s", "good_s"), [(3600, 3300), (60, 48), (-5, -4)])
def test_credentials_are_renewed_in_time(
    cluster: Kubernetes, tmp_path: Path, left_s: int, good_s: int
) -> None:
    """Five minutes before they expire, or a fifth of a shorter life."""
    path, program = asking(cluster, tmp_path)
    at = (datetime.now(UTC) + timedelta(seconds=left_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
    program.write_text(PROGRAM.replace("2026-01-01T00:00:00Z", at))
    found = configure(kubernetes.client.Configuration(), Address(path), tmp_path)
    assert good_s - LIMIT_S <= found <= good_s + 1


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
