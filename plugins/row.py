"""One plugin as its manager knows it, and how one of its hooks is called."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from typing import Any, Final

import pluggy

from launchyard.plugins import PROJECT, specs
from launchyard.plugins.check import check_hooks
from launchyard.plugins.guard import StrangerError

BUILT_IN: Final = "built-in"


@dataclass(slots=True, kw_only=True)
class Row:
    """A plugin: `state` is on, off or broken; `faults` holds each sort of fault once."""

    name: str
    origin: str
    version: str = ""
    state: str = "on"
    hooks: pluggy.PluginManager | None = None
    brings: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def has(self, hook: str) -> bool:
        """Tell whether the plugin has *hook*, whether it is on or not."""
        return self.hooks is not None and bool(getattr(self.hooks.hook, hook).get_hookimpls())

    def call(self, hook: str, **arguments: Any) -> list[Any]:
        """Call *hook*, in this thread, and return its answer if it is more than None."""
        return list(getattr(self.hooks.hook, hook)(**arguments)) if self.hooks is not None else []


def row_of(point: EntryPoint) -> Row:
    """Return the row of an installed plugin that is not loaded yet."""
    origin, version = (point.dist.name, point.dist.version) if point.dist else ("unknown", "")
    return Row(name=point.name, origin=origin, version=version)


def registered(name: str, plugin: object) -> pluggy.PluginManager:
    """Return *plugin*'s hooks in a manager of its own, so that no half-registered one lingers.

    Raises:
        StrangerError: they do not fit.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(specs)
    try:
        manager.register(plugin, name)
        check_hooks(manager, plugin)
        manager.check_pending()
    except pluggy.PluginValidationError as e:
        raise StrangerError(f"does not fit the hooks: {str(e).splitlines()[-1]}") from e
    return manager
