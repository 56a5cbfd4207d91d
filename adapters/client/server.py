"""The launch server port over REST: an agent's side of the conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from launchyard.adapters.client.transport import Call, Transport, place
from launchyard.domain.exchange import (
    AgentGrant,
    AgentHello,
    Answer,
    Caller,
    ClaimAnswer,
    ClaimRequest,
    Heartbeat,
    HeartbeatAnswer,
    Launching,
    Reclaim,
    ReclaimAnswer,
    Release,
    Report,
)
from launchyard.domain.wire import WireError, from_json, to_json
from launchyard.ports.launch_server import ServerError

_T = TypeVar("_T")
_POLL_MARGIN_S: Final = 10.0


class RestLaunchServer:
    """`LaunchServer` over HTTP; one connection per calling thread, kept open."""

    def __init__(self, base_url: str, key: str) -> None:
        self._http = Transport(base_url, key)

    def hello(self, hello: AgentHello) -> AgentGrant:
        return self._ask(AgentGrant, place("agents"), to_json(hello))

    def claim(self, request: ClaimRequest) -> ClaimAnswer:
        path = place("agents", request.caller.agent, "claim")
        call = Call(
            method="POST", path=path, body=to_json(request), read_s=request.wait_s + _POLL_MARGIN_S
        )
        return read(ClaimAnswer, self._http.json(call))

    def abort_claim(self, caller: Caller, claim_id: str) -> None:
        self._post(caller, "abort", {"epoch": caller.epoch, "claim_id": claim_id})

    def heartbeat(self, beat: Heartbeat) -> HeartbeatAnswer:
        return self._ask(
            HeartbeatAnswer, place("agents", beat.caller.agent, "heartbeat"), to_json(beat)
        )

    def launching(self, caller: Caller, batch: Sequence[Launching]) -> Sequence[Answer]:
        return self._batch(caller, "launching", batch)

    def report(self, caller: Caller, batch: Sequence[Report]) -> Sequence[Answer]:
        return self._batch(caller, "reports", batch)

    def reclaim(self, reclaim: Reclaim) -> ReclaimAnswer:
        path = place("agents", reclaim.caller.agent, "reclaim")
        return self._ask(ReclaimAnswer, path, to_json(reclaim))

    def release(self, caller: Caller, batch: Sequence[Release]) -> Sequence[Answer]:
        return self._batch(caller, "release", batch)

    def goodbye(self, caller: Caller) -> None:
        self._post(caller, "goodbye", {"epoch": caller.epoch})

    def close(self) -> None:
        """Close the connections of every thread."""
        self._http.close()

    def _batch(self, caller: Caller, verb: str, batch: Sequence[Any]) -> Sequence[Answer]:
        if not batch:
            return ()
        answer = self._post(caller, verb, {"epoch": caller.epoch, "batch": to_json(batch)})
        found = answer.get("answers") if isinstance(answer, dict) else None
        if not isinstance(found, list) or len(found) != len(batch):
            raise ServerError("the server did not answer the whole batch", retry=True)
        return [read(Answer, one) for one in found]

    def _post(self, caller: Caller, verb: str, body: Any) -> Any:
        path = place("agents", caller.agent, verb)
        return self._http.json(Call(method="POST", path=path, body=body))

    def _ask(self, kind: type[_T], path: str, body: Any) -> _T:
        return read(kind, self._http.json(Call(method="POST", path=path, body=body)))


def read(kind: type[_T], document: object) -> _T:
    """Return the *kind* in an answer.

    Raises:
        ServerError: the answer is of another form, so server and client are releases apart.
    """
    try:
        return from_json(kind, document)
    except WireError as error:
        raise ServerError(
            f"the server's answer is no {kind.__name__}: {error}",
            retry=False,
            remedy="use the same release of launchyard on both sides",
        ) from None
