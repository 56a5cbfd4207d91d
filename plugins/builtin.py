"""The plugins in the box, which register as anyone's do."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Final

from launchyard.plugins import (
    builtin_client,
    builtin_docker,
    builtin_exec,
    builtin_kubernetes,
    builtin_local,
    builtin_sources,
    builtin_wandb,
    builtin_wandb_sources,
)

MODULES: Final[Mapping[str, ModuleType]] = {
    "local": builtin_local,
    "sources": builtin_sources,
    "exec": builtin_exec,
    "docker": builtin_docker,
    "kubernetes": builtin_kubernetes,
    "client": builtin_client,
    "wandb": builtin_wandb,
    "wandb-jobs": builtin_wandb_sources,
}
"""The built-in plugins by the names under which they can be denied."""
