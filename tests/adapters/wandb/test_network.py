"""The way to a W&B server: certificate authorities of its own, and proxies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from launchyard.adapters.wandb import operations as op
from launchyard.adapters.wandb.graphql import GraphQL
from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason
from launchyard.ports.launch_server import ServerError
from tests.adapters.wandb.agent_kit import SPEC, Side
from tests.wandb_server import API_KEY, WandbServer
from tests.wandb_server.certificates import Authority
from tests.wandb_server.proxy import Proxy

BUNDLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
FAR = "wandb.invalid"


@pytest.fixture(autouse=True)
def _no_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without proxies and bundles."""
    proxies = [f"{kind}_PROXY" for kind in ("HTTP", "HTTPS", "ALL", "NO")]
    for name in (*BUNDLES, *proxies, *(p.lower() for p in proxies)):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Give an authority that no machine knows."""
    return Authority(tmp_path_factory.mktemp("authority"))


def trouble(url: str) -> ServerError:
    """Ask the server at *url* whose key this is, and return what went wrong."""
    with pytest.raises(ServerError) as found:
        ask(url)
    assert API_KEY not in f"{found.value} {found.value.remedy}"
    return found.value


def ask(url: str) -> None:
    """Ask the server at *url* whose key this is."""
    graphql = GraphQL(url, lambda: API_KEY, "test")
    try:
        assert graphql.ask(op.viewer()).data["viewer"]["entity"] == "ent"
    finally:
        graphql.close()


@pytest.mark.parametrize("variable", BUNDLES)
def test_an_authority_is_trusted_by_its_variable(
    authority: Authority, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any of those that other programs read; without one the server is not trusted."""
    with WandbServer(certificate=authority.certificate("127.0.0.1")) as server:
        refused = trouble(server.base_url)
        assert "is not trusted by this machine" in str(refused)
        assert "SSL_CERT_FILE" in refused.remedy
        assert refused.retry
        monkeypatch.setenv(variable, str(authority.bundle))
        ask(server.base_url)


def test_another_authority_does_not_do(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the variable whose file lacks it; `CURL_CA_BUNDLE` counts last."""
    other = Authority(tmp_path, "other")
    monkeypatch.setenv("SSL_CERT_FILE", str(other.bundle))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(authority.bundle))
    with WandbServer(certificate=authority.certificate("127.0.0.1")) as server:
        refused = trouble(server.base_url)
    assert "not trusted by what SSL_CERT_FILE names" in str(refused)
    assert "into the file that SSL_CERT_FILE names" in refused.remedy


def test_what_else_is_wrong_with_a_certificate_is_said(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another name, its end, no TLS at all, and bundles that hold nothing: each with its remedy."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
    with WandbServer(certificate=authority.certificate("elsewhere")) as server:
        named = trouble(server.base_url)
        assert "one for another name than 127.0.0.1" in str(named)
        assert "with the name that the certificate has" in named.remedy
    with WandbServer(certificate=authority.certificate("127.0.0.1", days=-1)) as server:
        assert "has expired" in str(trouble(server.base_url))
    with WandbServer() as server:
        plain = trouble(server.base_url.replace("http:", "https:"))
        assert "does not speak TLS" in str(plain)
        assert "http://" in plain.remedy
    empty = tmp_path / "empty.pem"
    empty.write_text("none")
    for bundle in (empty, tmp_path / "absent.pem"):
        monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
        with WandbServer(certificate=authority.certificate("127.0.0.1")) as server:
            lacking = trouble(server.base_url)
        assert f"SSL_CERT_FILE names {bundle}" in str(lacking)


@pytest.fixture
def far(authority: Authority) -> Iterator[WandbServer]:
    """Give a server over TLS whose name nobody resolves but a proxy."""
    with WandbServer(certificate=authority.certificate(FAR), host=FAR) as made:
        made.queue("q1")
        yield made
        assert made.complaints == []


def test_an_item_goes_all_the_way_through_a_proxy(
    authority: Authority, far: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the pop to the file of its failure: requests, streams and uploads, all over TLS."""
    with Proxy(far.port, credentials="me:secret") as proxy:
        url = proxy.url.replace("//", "//me:secret@")
        monkeypatch.setenv("HTTPS_PROXY", url)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
        side = Side(far, tmp_path)
        side.hello()
        good, bad = far.push("q1", SPEC), far.push("q1", SPEC)
        first, second = side.one(), side.one()
        side.launch(first, second)
        side.port._line.tails.append_log(second.item, 1, "main", 0, b"what went wrong")
        side.end(first, AttemptState.SUCCEEDED, Reason.COMPLETED, exit_code=0)
        side.end(second, AttemptState.FAILED, Reason.EXIT_CODE, exit_code=2)
        side.close()
        assert far.run(good.run_name or "").state == "finished"
        assert bad.error is not None
        assert bad.error["filePaths"]
        assert set(proxy.tunnels) == {f"{FAR}:{far.port}"}


def test_without_tls_a_proxy_forwards_unless_the_server_is_near(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`HTTP_PROXY` for what has no TLS, and `NO_PROXY` for what needs no proxy."""
    with WandbServer(host=FAR) as server, Proxy(server.port) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        ask(server.base_url)
        assert proxy.forwarded == [f"{FAR}:{server.port}"]
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        ask(f"http://127.0.0.1:{server.port}")
        assert len(proxy.forwarded) == 1
        assert "cannot be reached" in str(_without(monkeypatch, server.base_url))


def _without(monkeypatch: pytest.MonkeyPatch, url: str) -> ServerError:
    """Return what is wrong when even *url* is said to need no proxy."""
    monkeypatch.setenv("NO_PROXY", f"127.0.0.1,.{FAR.rsplit('.', maxsplit=1)[-1]}")
    return trouble(url)


def test_what_is_wrong_with_a_proxy_is_said(
    far: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It wants credentials, lets nobody through, or is not there; no password is shown."""
    with Proxy(far.port, credentials="me:right") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//me:wrong-one@"))
        denied = trouble(far.base_url)
    assert "wants other credentials" in str(denied)
    assert "wrong-one" not in f"{denied} {denied.remedy}"
    assert "HTTPS_PROXY" in denied.remedy
    with Proxy(far.port, closed=True) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert "does not let this machine through" in str(trouble(far.base_url))
        gone = proxy.url
    monkeypatch.setenv("HTTPS_PROXY", gone)
    away = trouble(far.base_url)
    assert f"the proxy {gone.removeprefix('http://')} on the way" in str(away)
    assert away.retry
