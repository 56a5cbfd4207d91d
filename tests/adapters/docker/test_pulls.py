"""Why an image cannot be had, told by the words of engines, which differ by version and store."""

from __future__ import annotations

import http.server
import json
import threading
from pathlib import Path

import pytest

from launchyard.adapters.docker.runner import DockerRunner
from launchyard.domain.reason import Reason
from tests.adapters.docker.cutting import Cutting
from tests.adapters.docker.launches import refusal, run_of
from tests.rig.registry import ImageRegistry, login, write_logins

_LIMIT = {"code": "TOOMANYREQUESTS", "message": "You may increase the limit by authenticating"}


def test_a_name_is_no_reason(runner: DockerRunner, registry: ImageRegistry, logins: Path) -> None:
    """Whatever words are in it: what is not there is not there, and who is away is away."""
    host = f"localhost:{registry.address.rpartition(':')[2]}"
    write_logins(logins, auths={host: login()})
    error = refusal(runner, run_of(f"{host}/ghost/denied:1"))
    assert (error.reason, error.retry) == (Reason.SOURCE_NOT_FOUND, False), error
    error = refusal(runner, run_of("127.0.0.1:9/authentic/not-found:1"))
    assert (error.reason, error.retry) == (Reason.SOURCE_UNREACHABLE, True), error


@pytest.mark.parametrize("key", ["errorDetail", "error"])
def test_a_failure_is_read_where_an_engine_says_it(
    proxy: Cutting, beyond: DockerRunner, logins: Path, key: str
) -> None:
    """All until now say it in both places; the plain one is given up by the newer ones."""
    write_logins(logins)
    said: object = "manifest unknown" if key == "error" else {"message": "manifest unknown"}
    line = json.dumps({key: said}).encode()
    proxy.once(b"/images/create", lambda: line)
    error = refusal(beyond, run_of("127.0.0.1:9/team/train:1"))
    assert (error.reason, error.retry) == (Reason.SOURCE_NOT_FOUND, False), error


class _Busy(http.server.BaseHTTPRequestHandler):
    """A registry of which everybody wants too much."""

    # An engine that tries TLS first knows by the status line of the answer that this is none.
    default_request_version = "HTTP/1.0"

    def do_GET(self) -> None:
        known = self.path == "/v2/"
        body = b"{}" if known else json.dumps({"errors": [_LIMIT]}).encode()
        self.send_response(200 if known else 429)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_limit_of_a_registry_passes(runner: DockerRunner, logins: Path) -> None:
    """It names logins as a way out, and is still no refusal: it holds for some hours."""
    write_logins(logins)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Busy) as busy:
        thread = threading.Thread(target=busy.serve_forever)
        thread.start()
        try:
            error = refusal(runner, run_of(f"127.0.0.1:{busy.server_port}/team/train:1"))
        finally:
            busy.shutdown()
            thread.join()
    assert (error.reason, error.retry) == (Reason.SOURCE_UNREACHABLE, True), error
    assert "toomanyrequests" in str(error).lower().replace(" ", "")
