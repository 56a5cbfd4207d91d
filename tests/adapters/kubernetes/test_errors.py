"""Whose fault a refusal of the cluster is: the manifest's, the agent's account's, the cluster's."""

from __future__ import annotations

import json

import pytest

from launchyard.adapters.kubernetes.errors import KubernetesError, refusal
from launchyard.domain.circuit import FAULTS
from launchyard.domain.reason import CLASS_OF, FailureClass, Reason

RIGHT = "give the agent's account this right"
STRICT = 'Job in version "v1" cannot be handled as a Job: strict decoding error: unknown field'
TYPE = 'Job in version "v1" cannot be handled as a Job: json: cannot unmarshal string into Go'
WEBHOOK = 'admission webhook "validate.rules.example" denied the request: no team label'
GRPC = "rpc error: code = ResourceExhausted desc ="
POLICY = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: too many replicas"


def told(status: int, message: str, word: str) -> KubernetesError:
    """Return the error of an answer as API servers give it to a create."""
    body = {"kind": "Status", "status": "Failure", "message": message, "reason": word}
    data = json.dumps({**body, "code": status}).encode()
    return refusal("POST", "/apis/batch/v1/namespaces/ml/jobs", status, {}, data)


@pytest.mark.parametrize(
    ("status", "word", "message"),
    [
        (400, "BadRequest", f'{STRICT} "spec.backofLimit"'),
        (400, "BadRequest", f"{TYPE} struct field JobSpec.spec.backoffLimit of type int32"),
        (400, "", WEBHOOK),
        (403, "Forbidden", WEBHOOK),
        (406, "NotAcceptable", WEBHOOK),
        (422, "Invalid", f'jobs.batch "x" is invalid: : {POLICY}'),
        (403, "Forbidden", f'jobs.batch "x" is forbidden: {POLICY}'),
        (403, "Forbidden", 'pods "db" is forbidden: violates PodSecurity "restricted:latest": x'),
        (403, "Forbidden", 'pods "db" is forbidden: maximum cpu usage per Container is 1'),
        (413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728"),
        (500, "", "etcdserver: request is too large"),
        (500, "", f"{GRPC} trying to send message larger than max (2097265 vs. 2097152)"),
        (422, "Invalid", 'Job.batch "x" is invalid: spec.completions: must be positive'),
    ],
)
def test_an_objection_to_the_object_is_its_authors(status: int, word: str, message: str) -> None:
    """Unknown keys, wrong types, webhooks and policies: no try helps, and no target is at fault."""
    error = told(status, message, word)
    assert (error.reason, error.retry) == (Reason.SPEC_INVALID, False)
    assert CLASS_OF[error.reason] is FailureClass.USER
    assert error.reason not in FAULTS
    assert message in str(error)
    assert RIGHT not in str(error)


@pytest.mark.parametrize(
    ("status", "word", "message", "expected"),
    [
        (403, "Forbidden", 'pods "x" is forbidden: exceeded quota: q', Reason.QUOTA_EXCEEDED),
        (403, "Forbidden", "it is being terminated", Reason.SUBMIT_FAILED),
        (404, "NotFound", 'namespaces "ml" not found', Reason.SUBMIT_FAILED),
        (500, "InternalError", 'failed calling webhook "w": refused', Reason.TARGET_UNREACHABLE),
        (500, "InternalError", WEBHOOK, Reason.TARGET_UNREACHABLE),
        (429, "TooManyRequests", WEBHOOK, Reason.TARGET_UNREACHABLE),
    ],
)
def test_what_is_wrong_elsewhere_is_nobodys_slip(
    status: int, word: str, message: str, expected: Reason
) -> None:
    """Quota, namespaces and webhooks that are down: and no right of the account would help."""
    error = told(status, message, word)
    assert error.reason is expected
    assert RIGHT not in str(error)


def test_a_right_that_is_missing_is_named() -> None:
    """Only where the account itself may not: the remedy is a role for it."""
    who = 'User "system:serviceaccount:ml:agent"'
    message = f'jobs.batch is forbidden: {who} cannot create resource "jobs" in API group "batch"'
    error = told(403, message, "Forbidden")
    assert error.reason is Reason.SUBMIT_FAILED
    assert RIGHT in str(error)


def test_a_namespace_may_lack_its_account_for_a_moment() -> None:
    """A controller makes it, so a pod is tried again; one that nobody makes is no fault of ours."""
    message = 'error looking up service account ml/default: serviceaccount "default" not found'
    error = told(403, f'pods "db" is forbidden: {message}', "Forbidden")
    assert (error.reason, error.retry) == (Reason.SUBMIT_FAILED, True)


def test_a_list_that_grew_too_old_is_asked_again() -> None:
    """A page whose past the cluster has forgotten meanwhile speaks against nobody."""
    message = "The provided continue parameter is too old to display a consistent list result."
    error = told(410, message, "Expired")
    assert (error.reason, error.retry) == (Reason.TARGET_UNREACHABLE, True)


def test_a_bad_request_to_no_api_server_is_no_slip() -> None:
    """An address that speaks TLS answers so to who does not."""
    data = b"Client sent an HTTP request to an HTTPS server.\n"
    error = refusal("POST", "/apis/batch/v1/namespaces/ml/jobs", 400, {}, data)
    assert error.reason is Reason.SUBMIT_FAILED
