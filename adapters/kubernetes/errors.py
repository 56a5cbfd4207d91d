"""What a cluster refuses, in the port's words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from launchyard.domain.reason import Reason
from launchyard.ports.runner import RunnerError

UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
CONFLICT: Final = 409
GONE: Final = 410
_INVALID: Final = 422
_TOO_MANY: Final = 429
_BROKEN: Final = 500
_WORDS: Final = 800


class KubernetesError(RunnerError):
    """What the cluster says is wrong; `status` is HTTP's, 0 when it did not answer."""

    def __init__(
        self, message: str, status: int = 0, *, retry_after_s: float = 0.0, word: str = ""
    ) -> None:
        refused = 0 < status < _BROKEN and status != _TOO_MANY
        reason = Reason.SUBMIT_FAILED if refused else Reason.TARGET_UNREACHABLE
        if status == _INVALID:
            reason = Reason.SPEC_INVALID
        elif status == FORBIDDEN and "exceeded quota" in message:
            reason = Reason.QUOTA_EXCEEDED
        super().__init__(message[:_WORDS], reason=reason, retry=not refused)
        self.status, self.retry_after_s, self.word = status, retry_after_s, word


def refusal(
    method: str, path: str, status: int, headers: Mapping[str, str], data: bytes
) -> KubernetesError:
    """Return the error of an answer that is no success."""
    told = _status(data)
    said = str(told.get("message") or data[:200].decode(errors="replace") or f"status {status}")
    if status == UNAUTHORIZED:
        said = "the cluster does not know the agent's credentials: renew them in its kubeconfig"
    elif status == FORBIDDEN and "exceeded quota" not in said:
        said = f"{said}; give the agent's account this right (docs/targets/kubernetes.md)"
    elif status == NOT_FOUND and "namespaces" in said:
        said = f"{said}; make it, or name another one"
    what = f"{method} {path.partition('?')[0]}: " if status >= _BROKEN else ""
    after = str(headers.get("Retry-After") or "")
    return KubernetesError(
        f"{what}{said}",
        status,
        retry_after_s=float(after) if after.isdigit() else 0.0,
        word=str(told.get("reason") or ""),
    )


def _status(data: bytes) -> dict[str, Any]:
    try:
        told = json.loads(data)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
