"""A way to an engine that can be cut, in the middle of an answer or altogether."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

CHUNK_B = 65536
_WELL = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"


class Cutting:
    """Passes bytes on, over sockets of this machine.

    What `once` says happens to the first request with a word in it. While `shut`, whoever connects
    is turned away.
    """

    def __init__(self, engine: Path, at: Path) -> None:
        self.url = f"unix://{at}"
        self.shut = False
        self._engine, self._at = engine, at
        self._listener = socket.socket(socket.AF_UNIX)
        self._open: set[socket.socket] = set()
        self._plans: dict[bytes, Callable[[], int | bytes | None]] = {}

    def once(self, word: bytes, plan: Callable[[], int | bytes | None]) -> None:
        """Call *plan* before the request is passed on.

        Its number is how many bytes of the answer's body are passed before the cut; none is no cut.
        Bytes are the body of an answer in the engine's place, which does not hear of it.
        """
        self._plans[word] = plan

    def cut(self) -> None:
        """Cut every connection."""
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._listener.bind(str(self._at))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, t: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.shut:
                client.close()
            else:
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as engine, contextlib.suppress(OSError):
            engine.connect(str(self._engine))
            self._open |= {client, engine}
            try:
                self._pump(client, engine)
            finally:
                self._open -= {client, engine}

    def _pump(self, client: socket.socket, engine: socket.socket) -> None:
        while True:
            for ready in select.select([client, engine], [], [])[0]:
                data = ready.recv(CHUNK_B)
                if not data:
                    return
                if ready is engine:
                    client.sendall(data)
                    continue
                left = self._plan_for(data)
                if isinstance(left, bytes):
                    client.sendall(_WELL % (len(left), left))
                    continue
                engine.sendall(data)
                if left is not None:
                    _pass_some(engine, client, left)
                    return

    def _plan_for(self, request: bytes) -> int | bytes | None:
        head = request.partition(b"\r\n")[0]
        word = next((word for word in self._plans if word in head), None)
        return None if word is None else self._plans.pop(word)()


def _pass_some(engine: socket.socket, client: socket.socket, body_b: int) -> None:
    """Pass an answer's head and as much of its body on."""
    answer = b""
    while b"\r\n\r\n" not in answer or len(answer) < answer.index(b"\r\n\r\n") + 4 + body_b:
        data = engine.recv(CHUNK_B)
        if not data:
            break
        answer += data
    client.sendall(answer[: answer.index(b"\r\n\r\n") + 4 + body_b])
