"""Files: uploads, downloads, artifact contents, and the stream of a run's lines."""

from __future__ import annotations

import json
import re

from tests.wandb_server.records import Run
from tests.wandb_server.state import State
from tests.wandb_server.web import Call, Reply

_STREAM = re.compile(r"/files/([^/]+)/([^/]+)/([^/]+)/file_stream$")


class Storage:
    """Keeps bytes in memory, behind the addresses that GraphQL answers gave out."""

    def __init__(self, state: State) -> None:
        self._state = state

    def answer(self, call: Call, path: str) -> Reply | None:
        """Do what is asked, or give None for an address that does not exist."""
        if (match := _STREAM.match(path)) and call.method == "POST":
            return self._stream(call, match[1], match[2], match[3])
        kind, _, rest = path.removeprefix("/storage/").partition("/")
        if not path.startswith("/storage/") or not rest:
            return None
        if call.method == "PUT":
            self._put(kind, rest, call.body)
            return Reply()
        data = self._get(kind, rest)
        return None if data is None else Reply(body=data)

    def _put(self, kind: str, rest: str, body: bytes) -> None:
        identity, _, name = rest.partition("/")
        if kind == "manifest":
            self._state.artifacts[identity].stored_manifest = body
        elif kind == "artifact":
            self._state.artifacts[identity].files[name] = body
        self._state.files[f"{kind}/{rest}"] = body
        self._state.changed.notify_all()

    def _get(self, kind: str, rest: str) -> bytes | None:
        identity, _, name = rest.partition("/")
        artifact = self._state.artifacts.get(identity)
        if artifact is not None and kind == "manifest":
            return artifact.manifest
        if artifact is not None and kind == "artifact":
            return artifact.files.get(name)
        return self._state.files.get(f"{kind}/{rest}")

    def _stream(self, call: Call, entity: str, project: str, name: str) -> Reply:
        run = self._state.run(entity, project, name, make=True)
        document = json.loads(call.body or b"{}")
        if run is not None:
            _note(run, document)
        self._state.changed.notify_all()
        stopped = run is not None and run.stopped
        answer: dict[str, object] = {"exitcode": None, "limits": {}}
        if stopped:
            answer["stopped"] = True
        return Reply(body=json.dumps(answer).encode())


def _note(run: Run, document: dict[str, object]) -> None:
    files = document.get("files")
    for file, part in (files if isinstance(files, dict) else {}).items():
        run.lines.setdefault(file, []).extend(part.get("content") or ())
    if document.get("complete"):
        code = document.get("exitcode")
        run.exit_code = code if isinstance(code, int) else None
        run.state = "failed" if run.exit_code else "finished"
