"""The API of a cluster over HTTP: the part of it that job systems use."""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from tests.rig.kubernetes.cluster import Cluster
from tests.rig.kubernetes.defaults import check_keys, without
from tests.rig.kubernetes.kinds import BUILT_IN, PODS
from tests.rig.kubernetes.kubelet import Kubelet
from tests.rig.kubernetes.objects import Obj, RefusedError, merged
from tests.rig.kubernetes.watching import Wanted, changes_of, page_of

_PATH: Final = re.compile(r"/(?:api/(v1)|apis/([^/]+)/([^/]+))(?:/(.*))?")
_NO_KIND: Final = "the server could not find the requested resource"
_OWN_GROUPS: Final = frozenset(kind.group for kind in BUILT_IN)
"""An API server says of its own groups in JSON that they have no such kind or version."""

_VERBS: Final = ("create", "delete", "get", "list", "patch", "update", "watch")


@dataclass
class Served:
    """A cluster that answers at `url`; `asked` counts requests by verb and kind.

    It refuses the next `starting` requests, as it has not read yet who may do what. While it is
    `unready` it answers, and says of itself that it is not ready. What its nodes say behind the
    last line of a log are their `words`; one that `forgets` has the lines no more. An `old` one
    drops the keys of a Job's specification that it does not know, and says nothing.
    """

    cluster: Cluster
    kubelet: Kubelet
    token: str = ""
    url: str = ""
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    denied: set[tuple[str, str]] = field(default_factory=set)
    starting: int = 0
    unready: bool = False
    words: bytes = b""
    forgets: bool = False
    old: frozenset[str] = frozenset()


class Listener(ThreadingHTTPServer):
    """Has room for many who come at once: with the usual five, others are put off for seconds."""

    request_queue_size = 128


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    served: Served

    def log_message(self, *words: object) -> None:
        """Say nothing."""

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()
            return
        self.close_connection = True

    def _go(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        try:
            self._route(unquote(parts.path), query, json.loads(data) if data else {})
        except RefusedError as e:
            headers = {"Retry-After": str(e.retry_after_s)} if e.retry_after_s else {}
            self._answer(e.code, json.dumps(e.body), headers=headers)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _go  # noqa: N815 - the names that are called

    def _answer(
        self,
        code: int,
        text: str | bytes,
        kind: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> None:
        data = text.encode() if isinstance(text, str) else text
        self.send_response(code)
        for key, value in {"Content-Type": kind, **(headers or {})}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _route(self, path: str, query: dict[str, str], body: Obj) -> None:
        cluster, token = self.served.cluster, self.served.token
        if token and "Authorization" not in self.headers:
            # As most API servers do: who shows nothing is somebody, without any rights.
            message = f'forbidden: User "system:anonymous" cannot get path "{path}"'
            raise RefusedError(403, "Forbidden", message)
        scheme, _, shown = str(self.headers.get("Authorization")).partition(" ")
        if token and (scheme.lower(), shown) != ("bearer", token):
            raise RefusedError(401, "Unauthorized", "Unauthorized")
        self._begin(path)
        if (itself := _of_itself(cluster, path.rstrip("/"))) is not None:
            self._answer(200, itself)
            return
        match = _PATH.fullmatch(path)
        if match is None:
            raise RefusedError(404, "NotFound", _NO_KIND)
        group, version = match[2] or "", match[1] or match[3]
        words = [word for word in (match[4] or "").split("/") if word]
        found = [] if words else _resources(cluster, group, version)
        if found:
            told = {"kind": "APIResourceList", "apiVersion": "v1", "resources": found}
            about = {"groupVersion": f"{group}/{version}".lstrip("/")}
            self._answer(200, json.dumps({**told, **about}))
            return
        space = ""
        if words[:1] == ["namespaces"] and len(words) > 2:
            space, words = words[1], words[2:]
        kind = cluster.kinds.get((group, version, words[0])) if words else None
        if kind is None and group in _OWN_GROUPS:
            raise RefusedError(404, "NotFound", _NO_KIND)
        if kind is None:
            self._answer(404, "404 page not found\n", "text/plain")
            return
        name, part = [*words[1:], "", ""][:2]
        self._serve(Wanted(self.command, query, body, kind, space, name, part))

    def _begin(self, path: str) -> None:
        """Refuse what a server refuses that has just begun."""
        if self.served.starting:
            self.served.starting -= 1
            message = f'forbidden: User "agent" cannot {self.command.lower()} path "{path}"'
            raise RefusedError(403, "Forbidden", message)
        if path == "/readyz" and self.served.unready:
            raise RefusedError(500, "InternalError", "[-]poststarthook/rbac/bootstrap-roles failed")

    def _serve(self, wanted: Wanted) -> None:
        served, kind = self.served, wanted.kind
        what = (wanted.verb, f"{kind.plural}/{wanted.part}" if wanted.part else kind.plural)
        served.asked[what] += 1
        if what in served.denied:
            message = (
                f'{kind.full} is forbidden: User "agent" cannot {what[0]} resource "{what[1]}"'
            )
            raise RefusedError(403, "Forbidden", message)
        if kind.plural == "selfsubjectaccessreviews":
            asks = wanted.body["spec"].get("resourceAttributes", {})
            allowed = (asks.get("verb"), asks.get("resource")) not in served.denied
            self._answer(201, json.dumps({**wanted.body, "status": {"allowed": allowed}}))
        elif wanted.part == "log":
            self._log(wanted)
        elif wanted.part == "eviction":
            served.kubelet.evict(wanted.space, wanted.name)
            self._answer(201, json.dumps({"kind": "Status", "status": "Success"}))
        elif wanted.verb == "watch":
            self._watch(wanted)
        elif wanted.verb == "list":
            self._answer(200, page_of(served.cluster, wanted))
        else:
            code = 201 if wanted.verb == "create" else 200
            self._answer(code, json.dumps(self._one(wanted)))

    def _one(self, wanted: Wanted) -> Obj:
        cluster, kind, space, name = self.served.cluster, wanted.kind, wanted.space, wanted.name
        match wanted.verb:
            case "get":
                return cluster.get(kind, space, name)
            case "create":
                if wanted.query.get("fieldValidation") == "Strict":
                    check_keys(kind, wanted.body)
                return cluster.create(kind, space, without(kind, wanted.body, self.served.old))
            case "update":
                return cluster.update(kind, space, name, lambda _: wanted.body, wanted.part)
            case "patch":
                change = wanted.body
                return cluster.update(kind, space, name, lambda o: merged(o, change), wanted.part)
            case _:
                options = {**wanted.query, **wanted.body}
                if name:
                    return cluster.delete(kind, space, name, options)
                for obj in [o for o in cluster.all(kind, space) if wanted.picks(o)]:
                    meta = obj["metadata"]
                    cluster.delete(kind, meta.get("namespace", ""), meta["name"], options)
                return {"kind": "Status", "status": "Success"}

    def _log(self, wanted: Wanted) -> None:
        pod = self.served.cluster.get(PODS, wanted.space, wanted.name)
        lines = self.served.kubelet.log(pod, wanted.query)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for data in () if self.served.forgets else lines:
            self._chunk(data)
        if self.served.words:
            self._chunk(self.served.words)
        self._chunk(b"")

    def _watch(self, wanted: Wanted) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for text in changes_of(self.served.cluster, wanted):
            self._chunk(text.encode())
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


def _of_itself(cluster: Cluster, path: str) -> str | None:
    """Return what the server says of itself at *path*, None where it says nothing."""
    match path:
        case "/readyz":
            return "ok"
        case "/version":
            return json.dumps({"major": "1", "minor": "34", "gitVersion": "v1.34.0"})
        case "/api" | "/apis":
            return json.dumps(_groups(cluster, path))
    return None


def _groups(cluster: Cluster, path: str) -> Obj:
    if path.rstrip("/") == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    found: dict[str, list[Obj]] = {}
    for group, version in sorted({(k.group, k.version) for k in cluster.shelves if k.group}):
        one = {"groupVersion": f"{group}/{version}", "version": version}
        found.setdefault(group, []).append(one)
    groups = [{"name": g, "versions": v, "preferredVersion": v[0]} for g, v in found.items()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def _resources(cluster: Cluster, group: str, version: str) -> list[Obj]:
    return [
        {
            "name": kind.plural,
            "singularName": kind.kind.lower(),
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": list(_VERBS),
        }
        for kind in list(cluster.shelves)
        if (kind.group, kind.version) == (group, version)
    ]


@contextlib.contextmanager
def serving(served: Served, tls: ssl.SSLContext | None = None) -> Iterator[Served]:
    """Answer at a port of the system's choice until the context ends; over *tls* if it is given."""
    handler = type("Handler", (Handler,), {"served": served})
    server = Listener(("127.0.0.1", 0), handler)
    server.daemon_threads, server.block_on_close = True, False
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    served.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.cluster.cut()
        server.shutdown()
        server.server_close()
