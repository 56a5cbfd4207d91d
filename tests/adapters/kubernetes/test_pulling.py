"""Pull secrets, from the agent's own logins to a node that pulls with them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from launchyard.adapters.kubernetes.logins import Logins, UserLogin
from launchyard.adapters.kubernetes.paths import Address
from launchyard.adapters.kubernetes.places import KubernetesConfig
from launchyard.adapters.kubernetes.runner import KubernetesRunner
from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason
from launchyard.domain.targets.kubernetes_pulls import pull_secret, pull_secret_name
from launchyard.ports.runner import RunnerError
from tests.adapters.kubernetes.jobs import end_of, launch
from tests.rig.kubernetes.kinds import SECRETS
from tests.rig.kubernetes.standin import Kubernetes, standin

HOST = "team.private"
IMAGE = f"{HOST}/train:1"
HELPER = """\
#!/bin/sh
read server
echo "$server" >> "$0.asked"
case "$server" in
  team.private) echo '{"Username": "robot", "Secret": "from-helper"}' ;;
  token.private) echo '{"Username": "<token>", "Secret": "t"}' ;;
  broken.private) echo "cannot reach the vault" >&2; exit 3 ;;
  *) echo "credentials not found in native keychain"; exit 1 ;;
esac
"""


def logins(folder: Path, **document: Any) -> str:
    """Write a file as `docker login` does; return its path."""
    path = folder / "config.json"
    path.write_text(json.dumps(document))
    return str(path)


def auth(text: str) -> dict[str, str]:
    """Return an entry of `auths`."""
    return {"auth": base64.b64encode(text.encode()).decode()}


def held(cluster: Kubernetes, registry: str = HOST) -> dict[str, Any] | None:
    """Return the pull secret of a registry."""
    store, name = cluster.standin.cluster, pull_secret_name(registry)
    return store.look(SECRETS, cluster.namespace, name)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    """Give a stand-in, whose nodes want a login for some registries."""
    with standin(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def path(cluster: Kubernetes, tmp_path: Path) -> Iterator[str]:
    """Give a file with one login; the secrets made of it go afterwards."""
    yield logins(tmp_path, auths={f"https://{HOST}/v1/": auth("robot:s3:cret")})
    if held(cluster):
        store = cluster.standin.cluster
        store.delete(SECRETS, cluster.namespace, pull_secret_name(HOST), {})


@pytest.fixture
def runner(cluster: Kubernetes, path: str, tmp_path: Path) -> Iterator[KubernetesRunner]:
    """Give a runner that has the login."""
    address = Address(cluster.kubeconfig)
    config = KubernetesConfig(folder=str(tmp_path), address=address, docker_config=path)
    with closing(KubernetesRunner(config)) as runner:
        yield runner


def test_a_private_image_is_pulled_with_the_agents_login(
    cluster: Kubernetes, runner: KubernetesRunner
) -> None:
    """W-29, W-34: the secret is made once, and stays when the job that it was made for goes."""
    asked = cluster.standin.asked
    made = asked["create", "secrets"]
    for _ in range(2):
        handle = runner.submit(launch("exit 0", image=IMAGE))
        assert end_of(runner, handle).state is AttemptState.SUCCEEDED
        runner.remove(handle)
    assert asked["create", "secrets"] == made + 1
    secret = held(cluster)
    assert secret is not None
    assert "ownerReferences" not in secret["metadata"]


def test_a_stale_secret_is_renewed(
    cluster: Kubernetes, runner: KubernetesRunner, path: str
) -> None:
    """W-29: one of another agent, or of an old login, gets what is good now."""
    old = pull_secret(HOST, "robot", "old")
    cluster.standin.cluster.create(SECRETS, cluster.namespace, dict(old))
    assert end_of(runner, runner.submit(launch("exit 0", image=IMAGE))).exit_code == 0
    secret = held(cluster)
    assert secret is not None
    assert secret["data"] == pull_secret(HOST, "robot", "s3:cret")["data"]
    logins(Path(path).parent, auths={HOST: {"username": "robot", "password": "newer"}})
    runner.submit(launch("exit 0", image=IMAGE))
    secret = held(cluster)
    assert secret is not None
    assert secret["data"] == pull_secret(HOST, "robot", "newer")["data"]


def test_images_that_need_no_login_get_no_secret(
    cluster: Kubernetes, runner: KubernetesRunner
) -> None:
    """W-34: a registry that anybody may ask is nobody's trouble."""
    runner.submit(launch("exit 0"))
    assert held(cluster) is None


def test_a_secret_of_another_kind_is_left_alone(
    cluster: Kubernetes, runner: KubernetesRunner
) -> None:
    """Who took our name is told so."""
    meta = {"name": pull_secret_name(HOST)}
    cluster.standin.cluster.create(SECRETS, cluster.namespace, {"metadata": meta})
    with pytest.raises(RunnerError, match="no login of a registry") as caught:
        runner.submit(launch("exit 0", image=IMAGE))
    assert caught.value.reason is Reason.NAME_TAKEN


def test_a_helper_is_asked_as_docker_asks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has not, and what is no password, is no login; what it says is kept for a while."""
    helper = tmp_path / "docker-credential-vault"
    helper.write_text(HELPER)
    helper.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    known = Logins(logins(tmp_path, credsStore="vault", auths={"hub.private": {}}))
    assert known.of(HOST) == known.of(HOST) == UserLogin("robot", "from-helper")
    assert known.of("token.private") is None
    assert known.of("docker.io") is None
    with pytest.raises(RunnerError, match="cannot reach the vault") as caught:
        known.of("broken.private")
    assert caught.value.retry
    asked = Path(f"{helper}.asked").read_text().split()
    assert asked == [HOST, "token.private", "https://index.docker.io/v1/", "broken.private"]


def test_logins_are_read_as_people_write_them(tmp_path: Path) -> None:
    """By address, with scheme and path or without; the hub goes by several names."""
    hub = "https://index.docker.io/v1/"
    known = Logins(logins(tmp_path, auths={hub: auth("me:pw"), "a:5000": auth("u:p:q")}))
    assert known.of("docker.io") == UserLogin("me", "pw")
    assert known.of("a:5000") == UserLogin("u", "p:q")
    assert known.of("b") is None
    assert Logins("").of("docker.io") is None
    with pytest.raises(RunnerError, match=r"cannot be read.*docker_config"):
        Logins(str(tmp_path / "none.json")).of("b")
