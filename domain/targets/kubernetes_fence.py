"""What every pod of ours gets where nobody said otherwise: a fence, time, a memory of its end."""

from __future__ import annotations

import math
from typing import Final

from launchyard.domain.documents import Json
from launchyard.domain.targets.kubernetes_manifest import Node, containers, node, templates

_USUAL_S: Final = 30.0
"""How long a cluster lets a pod end that says nothing of it."""


def fence(document: Node) -> None:
    """Confine each container below *document*; what its security context says already stays."""
    for template in templates(document):
        pod = node(template, "spec").get("securityContext")
        profiled = isinstance(pod, dict) and "seccompProfile" in pod
        for container in containers(template):
            _confine(node(container, "securityContext"), profiled=profiled)


def _confine(context: Node, *, profiled: bool) -> None:
    if context.get("privileged") is True:
        # A cluster takes no fence together with it.
        return
    capabilities = node(context, "capabilities")
    capabilities.setdefault("drop", ["ALL"])
    added = capabilities.get("add")
    powers = {str(one).removeprefix("CAP_") for one in added} if isinstance(added, list) else set()
    if "SYS_ADMIN" not in powers:
        context.setdefault("allowPrivilegeEscalation", False)
    if not profiled:
        context.setdefault("seccompProfile", {"type": "RuntimeDefault"})


def give_time(document: Node, grace_s: float) -> None:
    """Give each pod below *document* the time to end that a cancel is to leave it.

    The garbage collector deletes the pods of a deleted object with the time that they name
    themselves, and who deletes them besides can only shorten it.
    """
    for template in templates(document):
        pod = node(template, "spec")
        if grace_s > _USUAL_S and pod.get("terminationGracePeriodSeconds") is None:
            pod["terminationGracePeriodSeconds"] = math.ceil(grace_s)


def run_once(job: Node) -> None:
    """Complete the `spec` of a Job so that the cluster starts no second run of an attempt.

    Retries are our queue's, which knows budgets and counts attempts. A pod that the cluster takes
    away ends the Job at once, and the Job's own condition then says so, even when the pod is gone
    before anybody looks; a failure policy also keeps a replacement from starting beside a pod that
    still ends. With a limit for each index, the first failure of one must not end all the others.
    """
    pod = node(job, "template", "spec")
    pod.setdefault("restartPolicy", "Never")
    if job.get("backoffLimitPerIndex") is not None:
        return
    job.setdefault("backoffLimit", 0)
    # A policy goes with neither restarts in place nor early replacements.
    replaces = job.get("podReplacementPolicy", "Failed") == "Failed"
    if pod["restartPolicy"] == "Never" and job.get("backoffLimit") == 0 and replaces:
        taken: Json = {"type": "DisruptionTarget", "status": "True"}
        rule: Json = {"action": "FailJob", "onPodConditions": [taken]}
        job.setdefault("podFailurePolicy", {"rules": [rule]})
