"""From what went wrong on the wire to an error that says what, why and the remedy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http.client import RemoteDisconnected
from http.client import responses as phrases
from typing import Any, Final

import requests

from launchyard.ports.launch_server import StaleAgentError
from launchyard.ports.operator import Failure, OperatorError, Refusal

_FAILURES: Final[Mapping[int, Failure]] = {
    400: Failure.INVALID,
    401: Failure.AUTH,
    403: Failure.AUTH,
    404: Failure.NOT_FOUND,
    408: Failure.TIMEOUT,
    409: Failure.CONFLICT,
    413: Failure.INVALID,
    422: Failure.INVALID,
}
_REMEDIES: Final[Mapping[int, str]] = {
    401: "log in with a key of this server: `launchyard login URL`",
    403: "ask an administrator of the entity for a key with a higher role",
    404: "check the name; `launchyard ps`, `agents`, `queue list`, `keys list`, `secret list` and"
    " `entity list` tell what there is",
    413: "keep data out of the folder; `.launchyardignore` names what stays behind",
}
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 507})
_GONE: Final = 410


def no_answer(error: Exception, url: str) -> OperatorError:
    """Say that the server was not reached, or did not answer in time; both may pass."""
    # The second is how requests says that the file of certificates is not there.
    if isinstance(error, requests.exceptions.SSLError) or type(error) is OSError:
        return OperatorError(
            f"the certificate of {url} is not trusted",
            Refusal(Failure.UNREACHABLE, _words(error)),
            remedy="name the file of your certificate authority in SSL_CERT_FILE",
        )
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)):
        return OperatorError(
            f"{url} is no address of a server",
            Refusal(Failure.UNREACHABLE, _words(error)),
            remedy="write it as http://host:port or https://host",
        )
    if isinstance(error, (requests.ConnectTimeout, requests.ReadTimeout, TimeoutError)):
        return OperatorError(
            f"the server at {url} did not answer in time",
            Refusal(Failure.TIMEOUT, _words(error)),
            retry=True,
            remedy="try again; if it stays so, look at the server's log",
        )
    return OperatorError(
        f"the server at {url} cannot be reached",
        Refusal(Failure.UNREACHABLE, _words(error)),
        retry=True,
        remedy="check the address, and that the server runs (`launchyard up` starts one here)",
    )


def was_dropped(error: requests.ConnectionError) -> bool:
    """Tell whether a connection that had been kept open turned out to be closed."""
    return any(
        isinstance(cause, (RemoteDisconnected, ConnectionResetError, BrokenPipeError))
        for cause in _causes(error)
    )


def not_ours(response: requests.Response, url: str) -> OperatorError:
    """Say that something answers there which is no Launchyard server."""
    kind = response.headers.get("Content-Type", "").partition(";")[0]
    return OperatorError(
        f"what answers at {url} is no Launchyard server",
        Refusal(Failure.UNREACHABLE, f"it sent {kind or 'no JSON'} (HTTP {response.status_code})"),
        status=response.status_code,
        remedy="check the address and its port; a proxy or another program may sit there",
    )


def refused(response: requests.Response, url: str) -> OperatorError | StaleAgentError:
    """Turn a problem document, or any other answer without success, into an error."""
    status = response.status_code
    problem = _problem(response)
    if response.is_redirect:
        return _moved(response, url)
    if problem is None:
        return not_ours(response, url) if status not in _AGAIN else _failing(status, url)
    message = str(problem.get("detail") or problem.get("title") or phrases.get(status, status))
    known = _texts(problem.get("known"))
    remedy = str(problem.get("remedy") or "") or _REMEDIES.get(status, "")
    if status == _GONE:
        return StaleAgentError(message, retry=False, status=status, remedy=remedy)
    if known and known[0] not in f"{message} {remedy}":
        near = ", ".join(f"`{name}`" for name in known[:3])
        remedy = f"did you mean {near}?" + (f" Else {remedy}" if remedy else "")
    return OperatorError(
        message,
        Refusal(
            _FAILURES.get(status, Failure.OTHER),
            f"HTTP {status} from {url}",
            known,
            tuple(_lines(problem.get("problems"))),
            _whole(problem.get("cursor")),
        ),
        retry=status in _AGAIN,
        status=status,
        remedy=remedy,
    )


def _moved(response: requests.Response, url: str) -> OperatorError:
    return OperatorError(
        f"{url} sends on to {response.headers.get('Location', 'another address')}",
        Refusal(Failure.UNREACHABLE, f"HTTP {response.status_code}; a key is not sent after it"),
        status=response.status_code,
        remedy="use that address: `launchyard login URL`",
    )


def _failing(status: int, url: str) -> OperatorError:
    return OperatorError(
        f"the server at {url} failed: {phrases.get(status, status)}",
        Refusal(Failure.OTHER, f"HTTP {status}"),
        retry=True,
        status=status,
        remedy="try again; if it stays so, look at the server's log",
    )


def _problem(response: requests.Response) -> dict[str, Any] | None:
    if "json" not in response.headers.get("Content-Type", ""):
        return None
    try:
        found = json.loads(response.content)
    except (ValueError, requests.RequestException):
        return None
    return found if isinstance(found, dict) else None


def _lines(problems: object) -> Sequence[tuple[str, str, str]]:
    if not isinstance(problems, list):
        return ()
    return [
        (str(p.get("path") or ""), str(p.get("message") or ""), _help(p))
        for p in problems
        if isinstance(p, dict)
    ]


def _help(problem: Mapping[str, Any]) -> str:
    """Return what a problem says to do; else what would be allowed, if that is news."""
    hint, allowed = str(problem.get("hint") or ""), str(problem.get("allowed") or "")
    if hint or not allowed or allowed in str(problem.get("message") or ""):
        return hint
    return f"allowed: {allowed}"


def _texts(values: object) -> tuple[str, ...]:
    return tuple(str(value) for value in values) if isinstance(values, list) else ()


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _causes(error: BaseException) -> Sequence[BaseException]:
    """Return *error* and what is inside it; the libraries below wrap causes in arguments."""
    found: list[BaseException] = []
    edge: list[object] = [error]
    while edge:
        one = edge.pop()
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            edge += [*one.args, one.__cause__, one.__context__, getattr(one, "reason", None)]
    return found


def _words(error: Exception) -> str:
    """Return the system's words for *error*: those of its innermost cause."""
    for cause in reversed(_causes(error)):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
    if isinstance(error, requests.Timeout):
        return "timed out"
    return "the connection broke off" if _broke_off(error) else type(error).__name__


def _broke_off(error: Exception) -> bool:
    """Tell whether *error* comes of a connection that ended before the answer was whole."""
    return any(isinstance(cause, (RemoteDisconnected, ConnectionError)) for cause in _causes(error))
