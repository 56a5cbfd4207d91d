"""What an API server adds to new objects, and which it refuses."""

from __future__ import annotations

import base64
from typing import Final

from tests.rig.kubernetes.kinds import JOBS, NAMESPACES, PODS, SECRETS
from tests.rig.kubernetes.objects import Obj, RefusedError, Resource

_OF_JOBS: Final = frozenset(
    {
        "activeDeadlineSeconds",
        "backoffLimit",
        "backoffLimitPerIndex",
        "completionMode",
        "completions",
        "managedBy",
        "manualSelector",
        "maxFailedIndexes",
        "parallelism",
        "podFailurePolicy",
        "podReplacementPolicy",
        "selector",
        "successPolicy",
        "suspend",
        "template",
        "ttlSecondsAfterFinished",
    }
)


def check_keys(kind: Resource, obj: Obj) -> None:
    """Refuse a Job with a key that this version does not know, as strict validation does."""
    if kind is JOBS:
        for key in sorted(set(obj.get("spec") or ()) - _OF_JOBS):
            what = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}'
            message = f'{what}: strict decoding error: unknown field "spec.{key}"'
            raise RefusedError(400, "BadRequest", message)


def without(kind: Resource, obj: Obj, unknown: frozenset[str]) -> Obj:
    """Return a new object without the keys that an old version of this kind does not know."""
    if kind is not JOBS or not unknown:
        return obj
    spec = {key: value for key, value in obj["spec"].items() if key not in unknown}
    return {**obj, "spec": spec}


def defaulted(kind: Resource, obj: Obj) -> Obj:
    """Return a new object with what an API server adds to it, or refuse it."""
    meta, spec = obj["metadata"], dict(obj.get("spec") or {})
    if kind is NAMESPACES:
        return {**obj, "status": {"phase": "Active"}}
    if kind is SECRETS:
        _check_data(obj)
        texts = obj.pop("stringData", None) or {}
        data = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
        return {"type": "Opaque", **obj, "data": {**(obj.get("data") or {}), **data}}
    if kind is PODS:
        if not spec.get("containers"):
            raise RefusedError(422, "Invalid", f'Pod "{meta["name"]}": spec.containers is required')
        return {**obj, "spec": spec, "status": {"phase": "Pending"}}
    if kind is JOBS:
        return _job(obj, spec)
    return obj


def _check_data(secret: Obj) -> None:
    """Refuse a value that is not in base64."""
    for key, text in (secret.get("data") or {}).items():
        try:
            base64.b64decode(text, validate=True)
        except ValueError:
            message = f"cannot be handled as a Secret: Data: decode base64: {key}: illegal data"
            raise RefusedError(400, "BadRequest", message) from None


def _job(obj: Obj, spec: Obj) -> Obj:
    meta = obj["metadata"]
    template = dict(spec.get("template") or {})
    if (template.get("spec") or {}).get("restartPolicy") not in {"Never", "OnFailure"}:
        message = f'Job.batch "{meta["name"]}" is invalid: it needs a restartPolicy'
        raise RefusedError(422, "Invalid", message)
    ours = {
        "batch.kubernetes.io/controller-uid": meta["uid"],
        "batch.kubernetes.io/job-name": meta["name"],
        "controller-uid": meta["uid"],
        "job-name": meta["name"],
    }
    known = template.get("metadata") or {}
    template["metadata"] = {**known, "labels": {**(known.get("labels") or {}), **ours}}
    defaults = {"parallelism": 1, "completions": 1, "backoffLimit": 6, "suspend": False}
    return {**obj, "spec": {**defaults, **spec, "template": template}, "status": {}}
