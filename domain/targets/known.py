"""The targets whose configuration a server can judge without an agent's help."""

from __future__ import annotations

from collections.abc import Mapping

from launchyard.domain.submission import TargetRules
from launchyard.domain.targets import (
    docker_config,
    kubernetes_config,
    kubernetes_policy,
    local_config,
    words,
)
from launchyard.domain.targets.preview import previews


def known_targets() -> Mapping[str, TargetRules]:
    """Return what a server knows of each target, by the queue's resource type."""
    shown = previews()
    local = TargetRules(
        protected=local_config.PROTECTED,
        check=lambda config: local_config.read_settings(config)[1],
        words=words.local_words,
    )
    docker = TargetRules(
        protected=docker_config.PROTECTED,
        check=lambda config: docker_config.read_settings(config)[1],
        words=words.docker_words,
        show=shown[docker_config.TYPE],
    )
    kubernetes = TargetRules(
        protected=kubernetes_config.PROTECTED,
        check=lambda config: kubernetes_config.read_settings(config)[1],
        policy=kubernetes_policy.violations,
        words=words.kubernetes_words,
        show=shown[kubernetes_config.TYPE],
    )
    return {
        local_config.TYPE: local,
        docker_config.TYPE: docker,
        kubernetes_config.TYPE: kubernetes,
    }
