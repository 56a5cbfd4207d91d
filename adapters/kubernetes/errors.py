"""What a cluster refuses, in the port's words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from launchyard.domain.reason import Reason
from launchyard.ports.runner import RunnerError

UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
CONFLICT: Final = 409
GONE: Final = 410
UNAVAILABLE: Final = 503
_EXISTS: Final = "AlreadyExists"
_ABSENT: Final = "NotFound"
_BAD_REQUEST: Final = 400
_UNFIT: Final = 422
_INVALID: Final = frozenset({413, _UNFIT})
_TOO_MANY: Final = 429
_BROKEN: Final = 500
_WORDS: Final = 800
_DENIED: Final = re.compile(
    # Webhooks; policies of the API itself; standards, limits and constraints of pods.
    r"denied (?:the )?request|violates PodSecurity|usage per (?:Container|Pod)"
    r"|any security context constraint"
)
_TOO_LARGE: Final = re.compile(
    # What API servers pass on, with 500, of a store that takes less than they do themselves.
    r"request is too large|trying to send message larger than max"
)
_NO_ACCOUNT: Final = "error looking up service account"
"""Of a namespace that was made a moment ago: a controller adds its accounts."""

_OTHER_UID: Final = re.compile(
    # Of a delete, mostly; of one that another forestalled; of a patch.
    r"the UID in the precondition \(\S+\) does not match the UID in record"
    r"|UID in precondition: (\S+), UID in object meta:(?! \1\b)"
    r"|metadata\.uid: Invalid value: \S+ field is immutable"
)
_NO_KIND: Final = "the server could not find the requested resource"
_NO_RIGHT: Final = re.compile(r'User "[^"]*" cannot |cannot set blockOwnerDeletion')


class KubernetesError(RunnerError):
    """What the cluster says is wrong; `status` is HTTP's, 0 when it did not answer."""

    def __init__(
        self, message: str, status: int = 0, *, retry_after_s: float = 0.0, word: str = ""
    ) -> None:
        self.status, self.retry_after_s, self.word = status, retry_after_s, word
        self._message = message
        passing = self.clashed or self.astray or status in {UNAUTHORIZED, GONE, _TOO_MANY}
        too_large = _TOO_LARGE.search(message) is not None
        refused = too_large or (0 < status < _BROKEN and not passing)
        reason = Reason.SUBMIT_FAILED if refused else Reason.TARGET_UNREACHABLE
        if refused and _is_objection(status, message, word):
            reason = Reason.SPEC_INVALID
        elif status == FORBIDDEN and "exceeded quota" in message:
            reason = Reason.QUOTA_EXCEEDED
        again = not refused or (status == FORBIDDEN and _NO_ACCOUNT in message)
        super().__init__(message[:_WORDS], reason=reason, retry=again)

    @property
    def exists(self) -> bool:
        """Tell whether an object of that name is there already."""
        return self.status == CONFLICT and self.word == _EXISTS

    @property
    def clashed(self) -> bool:
        """Tell whether others wrote at the same time, as to the quota that an object counts in."""
        return self.status == CONFLICT and self.word != _EXISTS

    @property
    def absent(self) -> bool:
        """Tell whether an API server says that there is no such object."""
        return self.status == NOT_FOUND and self.word == _ABSENT and _NO_KIND not in self._message

    @property
    def astray(self) -> bool:
        """Tell whether a 404 may be of a balancer, or of an API server that lacks the whole kind.

        Neither says anything of the object: `absence.lacks` asks on.
        """
        return self.status == NOT_FOUND and not self.absent

    @property
    def unauthorised(self) -> bool:
        """Tell whether the account may not do this, as far as the API server knows its rights."""
        return self.status == FORBIDDEN and _NO_RIGHT.search(self._message) is not None

    @property
    def replaced(self) -> bool:
        """Tell whether what was meant by its uid is gone, or another has its name now."""
        told = self.status in {CONFLICT, _UNFIT}
        return told and _OTHER_UID.search(self._message) is not None


def refusal(
    method: str, path: str, status: int, headers: Mapping[str, str], data: bytes
) -> KubernetesError:
    """Return the error of an answer that is no success."""
    told = _status(data)
    said = str(
        told.get("message") or data[:200].decode(errors="replace").strip() or f"status {status}"
    )
    denied = _DENIED.search(said) is not None
    if status < _BROKEN and denied:
        said = f"{said}; change what the queue or the launch asks for"
    elif _TOO_LARGE.search(said):
        said = f"{said}: clusters keep objects of about 1.5 MiB; put what is long into an image"
    elif status == UNAUTHORIZED:
        said = "the cluster does not know the agent's credentials: renew them in its kubeconfig"
    elif status == FORBIDDEN and _NO_RIGHT.search(said):
        said = f"{said}; give the agent's account this right (docs/targets/kubernetes.md)"
    elif status == NOT_FOUND and "namespaces" in said:
        said = f"{said}; make it, or name another one"
    word = str(told.get("reason") or "")
    elsewhere = status >= _BROKEN or (status == NOT_FOUND and (word != _ABSENT or _NO_KIND in said))
    what = f"{method} {path.partition('?')[0]}: " if elsewhere else ""
    after = str(headers.get("Retry-After") or "")
    return KubernetesError(
        f"{what}{said}",
        status,
        retry_after_s=float(after) if after.isdigit() else 0.0,
        word=word,
    )


def _is_objection(status: int, message: str, word: str) -> bool:
    """Tell whether the cluster works and takes exception to the object itself.

    Unknown keys and values of a wrong type are bad requests. Who denies a request may give the
    answer any status; and a bad request that no API server speaks of is a wrong address.
    """
    if status == _BAD_REQUEST and word == "BadRequest":
        return True
    return status in _INVALID or any(one.search(message) for one in (_DENIED, _TOO_LARGE))


def _status(data: bytes) -> dict[str, Any]:
    try:
        told = json.loads(data)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
