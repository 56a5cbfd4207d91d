"""The configuration of kubernetes queues: our settings, and slips in manifests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from launchyard.domain.documents import Json
from launchyard.domain.merge import check_pattern
from launchyard.domain.spec import LaunchSpec, Service
from launchyard.domain.targets.kubernetes import plan_kubernetes
from launchyard.domain.targets.kubernetes_config import PROTECTED
from launchyard.domain.targets.kubernetes_plan import KubernetesContext, KubernetesDefaults
from launchyard.domain.targets.kubernetes_status import Grace
from tests.domain.targets.kubernetes_kit import (
    FACTS,
    SPEC,
    at,
    job_of,
    planned,
    problems,
    requested,
)


def test_our_settings_are_no_part_of_the_manifest() -> None:
    """W-14: cluster and namespace go with each plan; W&B's names of them are known."""
    plan = planned(
        {
            "configFile": "/etc/kube",
            "context": "east",
            "namespace": "ml",
            "timeout": "1h",
            "cancel_grace": 5,
            "start_grace": "1m",
            "schedule_grace": 0,
            "wait_for_ready": False,
            "log_quota": "1MiB",
        }
    )
    assert plan.document.keys() == {"apiVersion", "kind", "spec"}
    where = plan.cluster
    assert (where.kubeconfig, where.context, where.namespace) == ("/etc/kube", "east", "ml")
    assert (plan.run_s, plan.grace_s, plan.services_wait_s) == (3600, 5, None)
    assert (plan.grace, plan.log_quota_b) == (Grace(start_s=60, schedule_s=0), 1024**2)
    assert planned({"namespace": "a", "metadata": {"namespace": "b"}}).cluster.namespace == "b"
    assert at(requested({"namespace": "ml"}).document, "metadata", "namespace") == "ml"


@pytest.mark.parametrize(
    ("config", "file", "context"),
    [
        ({}, "/etc/agent", "home"),
        ({"context": "west"}, "/etc/agent", "west"),
        ({"kubeconfig": "/etc/other"}, "/etc/other", ""),
        ({"kubeconfig": "/etc/other", "context": "west"}, "/etc/other", "west"),
    ],
)
def test_a_queue_names_another_cluster_by_file_or_context(
    config: Json, file: str, context: str
) -> None:
    """W-14, W-31: a context is one of the agent's file, unless the queue names its own file."""
    defaults = KubernetesDefaults(kubeconfig="/etc/agent", context="home")
    context_of = KubernetesContext(facts=FACTS, queue=config, defaults=defaults)
    where = plan_kubernetes(SPEC, config, context_of).cluster
    assert (where.kubeconfig, where.context, where.namespace) == (file, context, "")


@pytest.mark.parametrize(
    ("config", "path", "words"),
    [
        (["x"], "", "object"),
        ({"metdata": {}}, "metdata", "did you mean `metadata`?"),
        ({"backoffLimit": 1}, "backoffLimit", "belongs in `spec`"),
        ({"spec": {"backoff_limit": 1}}, "spec.backoff_limit", "did you mean `backoffLimit`?"),
        ({"spec": {"backoffLimit": "1"}}, "spec.backoffLimit", "whole number"),
        ({"spec": {"containers": []}}, "spec.containers", "spec.template.spec"),
        ({"spec": {"template": []}}, "spec.template", "an object"),
        ({"metadata": {"labels": {"a": 1}}}, "metadata.labels", "quote the numbers"),
        ({"timeout": "soon"}, "timeout", ""),
        ({"configFile": "a", "kubeconfig": "b"}, "kubeconfig", "once more"),
        (job_of([{"comand": ["a"]}]), "spec.template.spec.containers[0].comand", "`command`"),
        (job_of([{"args": [1]}]), "spec.template.spec.containers[0].args", "texts"),
        (
            job_of([{"imagePullPolicy": "No"}]),
            "spec.template.spec.containers[0].imagePullPolicy",
            "Always",
        ),
        (
            job_of([{"resources": {"limit": {}}}]),
            "spec.template.spec.containers[0].resources.limit",
            "`limits`",
        ),
        ({"kind": "T", "apiVersion": "x/v1", "spec": {"size": 1}}, "spec", "containers"),
    ],
)
def test_slips_are_told_with_their_place(config: Json, path: str, words: str) -> None:
    """Before a cluster sees them."""
    found = problems(config)
    full = ".".join(part for part in ("resource_args.kubernetes", path) if part)
    assert words in found[full]


def test_what_is_newer_than_we_passes() -> None:
    """A cluster may know more keys than this list does."""
    made = planned({"spec": {"brandNewThing": {"a": 1}}, "extension": {}}).document
    assert at(made, "spec", "brandNewThing") == {"a": 1}


def test_everything_wrong_is_told_at_once() -> None:
    """Configuration, policy, services and the launch itself."""
    spec = replace(SPEC, additional_services=(Service(name="s", config={"kind": "Node"}),))
    found = problems({"spec": {"suspend": "no"}, "grants": ["x"]}, spec)
    assert {
        "resource_args.kubernetes.spec.suspend",
        "resource_args.kubernetes.grants[0]",
        "additional_services[0].config.kind",
        "additional_services[0].config.apiVersion",
    } == found.keys()
    assert "none is named" in problems(None, LaunchSpec())["image_uri"]
    assert "collects no outputs" in problems(None, replace(SPEC, outputs=("*",)))["outputs"]


def test_protected_paths_are_patterns() -> None:
    """The server refuses what they name."""
    assert [check_pattern(pattern) for pattern in PROTECTED] == [None] * len(PROTECTED)
