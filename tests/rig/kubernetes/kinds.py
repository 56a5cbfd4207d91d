"""The kinds of objects that the stand-in serves from the beginning."""

from __future__ import annotations

from typing import Final

from tests.rig.kubernetes.objects import Resource

NAMESPACES: Final = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
PODS: Final = Resource("", "v1", "pods", "Pod")
JOBS: Final = Resource("batch", "v1", "jobs", "Job")
SECRETS: Final = Resource("", "v1", "secrets", "Secret")
EVENTS: Final = Resource("", "v1", "events", "Event")
DEPLOYMENTS: Final = Resource("apps", "v1", "deployments", "Deployment")
CRDS: Final = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
)
BUILT_IN: Final = (
    NAMESPACES,
    PODS,
    JOBS,
    SECRETS,
    EVENTS,
    CRDS,
    Resource("", "v1", "configmaps", "ConfigMap"),
    Resource("", "v1", "services", "Service"),
    DEPLOYMENTS,
    Resource("apps", "v1", "statefulsets", "StatefulSet"),
    Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
    Resource(
        "authorization.k8s.io",
        "v1",
        "selfsubjectaccessreviews",
        "SelfSubjectAccessReview",
        namespaced=False,
    ),
)
