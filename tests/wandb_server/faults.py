"""Planted trouble: which requests it hits, how often, and what happens to them."""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens to requests that match.

    `field` restricts it to GraphQL requests with this root field, `path` to addresses that contain
    this text; `after` lets as many matching requests pass first; `times` is how many it hits, -1
    all. Effects, in this order: wait `delay_s`; answer `status` with `headers` and `body` in place
    of doing anything; answer a GraphQL error `message`, or, with an `alias`, do it all and answer
    that error for the root field of this name alone; do it all and then send only `cut_b` bytes of
    the answer (0: none at all) and close the connection; be `deaf` from then on, which refuses
    every new connection.
    """

    field: str | None = None
    path: str | None = None
    after: int = 0
    times: int = -1
    delay_s: float = 0.0
    status: int | None = None
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: str = '{"error": "planted"}'
    message: str | None = None
    alias: str | None = None
    cut_b: int | None = None
    deaf: bool = False

    def hits(self, path: str, fields: list[str]) -> bool:
        """Say whether a request is one of those meant."""
        if self.path is not None and self.path not in path:
            return False
        return self.field is None or self.field in fields


class Faults:
    """The faults in force; the first that matches a request is used up by one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Put a fault into force."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """End all of them."""
        with self._lock:
            self._faults.clear()

    def take(self, path: str, fields: list[str]) -> Fault | None:
        """Give the fault that this request meets."""
        with self._lock:
            for index, fault in enumerate(self._faults):
                if not fault.hits(path, fields) or fault.times == 0:
                    continue
                if fault.after > 0:
                    self._faults[index] = replace(fault, after=fault.after - 1)
                    continue
                if fault.times > 0:
                    self._faults[index] = replace(fault, times=fault.times - 1)
                return fault
        return None
