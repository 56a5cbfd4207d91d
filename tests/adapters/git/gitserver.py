"""Real git servers on loopback: https through git's own CGI program, ssh through a fake client."""

from __future__ import annotations

import base64
import os
import shlex
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Protocol

from launchyard.ports.source import Fetched

IDENTITY = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_AUTHOR_DATE": "2024-01-02T03:04:05Z",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_COMMITTER_DATE": "2024-01-02T03:04:05Z",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}


class Fetch(Protocol):
    """Fetches into `tmp_path/into`, with an agent's environment."""

    def __call__(self, url: str, ref: str = "", subdir: str = "") -> Fetched: ...


class Repo:
    """A repository with a work tree, whose `.git` the servers serve."""

    def __init__(self, path: Path, branch: str = "main") -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch", branch)

    def git(self, *arguments: str) -> str:
        """Run git in the work tree and return what it prints."""
        env = {"PATH": os.environ["PATH"], "HOME": str(self.path)} | IDENTITY
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, env=env, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, files: Mapping[str, str]) -> str:
        """Write *files*, commit everything and return the commit id."""
        for name, text in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            if name.endswith(".sh"):
                path.chmod(0o755)
        self.git("add", "--all", "--force", ".")
        return self.seal()

    def seal(self) -> str:
        """Commit the index and return the commit id."""
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")
        return self.git("rev-parse", "HEAD")

    def link(self, path: str, url: str, commit: str) -> str:
        """Commit a submodule at *path* by hand, so that git does not judge *url*."""
        modules = f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n'
        (self.path / ".gitmodules").write_text(modules)
        self.git("add", "--force", ".gitmodules")
        self.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
        return self.seal()


class GitServer:
    """Serves every repository below `root` at `https://127.0.0.1:<port>/<name>/.git`."""

    def __init__(self, root: Path, certificate: Path) -> None:
        self.root = root
        self.certificate = certificate
        self.login: str | None = None
        self.knows_protocol_2 = True
        self.redirect_to: str | None = None
        self.sent_b = 0
        self.closing = threading.Event()
        self.reached = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.host = f"127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()

    def url(self, name: str, user_data: str = "") -> str:
        """Return the address of the repository *name*; `silent` never answers."""
        return f"https://{user_data}{self.host}/{name}/.git"

    def close(self) -> None:
        """Stop, and let go of clients that wait."""
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                serve(server, self)

            def do_POST(self) -> None:
                serve(server, self)

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        return Handler


def serve(server: GitServer, request: BaseHTTPRequestHandler) -> None:
    """Answer one request."""
    path, _, query = request.path.partition("?")
    body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
    if path.startswith("/silent/"):
        server.reached.set()
        server.closing.wait()
        return
    if server.redirect_to is not None:
        request.send_response(302)
        request.send_header("Location", server.redirect_to + request.path)
        request.end_headers()
        return
    if server.login is not None:
        wanted = "Basic " + base64.b64encode(server.login.encode()).decode()
        if request.headers.get("Authorization") != wanted:
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="git"')
            request.end_headers()
            return
    answer(server, request, (path, query), body)


def answer(
    server: GitServer, request: BaseHTTPRequestHandler, target: tuple[str, str], body: bytes
) -> None:
    """Hand the request to git's CGI program and pass its answer on."""
    headers = request.headers
    env = {
        "PATH": os.environ["PATH"],
        "GIT_PROJECT_ROOT": str(server.root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": target[0],
        "QUERY_STRING": target[1],
        "REQUEST_METHOD": request.command,
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": headers.get("Git-Protocol", "") if server.knows_protocol_2 else "",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
    done = subprocess.run(
        ["git", "http-backend"], input=body, env=env, check=False, capture_output=True
    )
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    fields = [line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line]
    status = next((text for name, text in fields if name == "Status"), "200 OK")
    request.send_response(int(status.split()[0]))
    for name, text in fields:
        if name != "Status":
            request.send_header(name, text)
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    server.sent_b += len(content)
    request.wfile.write(content)


def make_certificate(folder: Path) -> Path:
    """Make a key and a certificate of our own for 127.0.0.1, in one file."""
    key, certificate, both = folder / "key.pem", folder / "cert.pem", folder / "both.pem"
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    name = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    command = [
        "openssl",
        "req",
        "-x509",
        *curve,
        *name,
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    subprocess.run(command, check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both


def fake_ssh(folder: Path, root: Path) -> str:
    """Return a GIT_SSH_COMMAND that runs the server's side here, with paths below *root*."""
    script = folder / "ssh"
    script.write_text(
        "#!/bin/sh\n"
        'for last do :; done; printf "%s\\n" "$*" >> "$0.log"\n'
        f'cd {shlex.quote(str(root))} && eval "$(printf %s "$last" | sed "s#\'/#\'./#")"\n'
    )
    script.chmod(0o755)
    return str(script)


@contextmanager
def git_server(folder: Path, certificate: Path) -> Iterator[GitServer]:
    """Serve the repositories that are made below `folder/repos`."""
    root = folder / "repos"
    root.mkdir()
    server = GitServer(root, certificate)
    try:
        yield server
    finally:
        server.close()


def client_environment(server: GitServer, home: Path) -> dict[str, str]:
    """Return what an agent's environment would give git to reach *server*."""
    home.mkdir(exist_ok=True)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "GIT_SSL_CAINFO": str(server.certificate),
        "GIT_SSH_COMMAND": fake_ssh(home, server.root),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "protocol.file.allow",
        "GIT_CONFIG_VALUE_0": "always",
    }
