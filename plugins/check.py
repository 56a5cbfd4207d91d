"""What a plugin must be before any of its adapters is used."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any, Final

import pluggy

from launchyard.domain.config.schema import Block
from launchyard.plugins import API, specs
from launchyard.plugins.guard import StrangerError
from launchyard.plugins.specs import Provider

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def check_api(plugin: object) -> None:
    """Refuse a plugin that was written for other hooks, or does not say for which."""
    wanted = getattr(plugin, "launchyard_api", None)
    if wanted is None:
        raise StrangerError(f"does not say for which hooks it was made: set launchyard_api = {API}")
    if wanted != API:
        remedy = "upgrade the plugin" if str(wanted) < str(API) else "upgrade launchyard"
        raise StrangerError(
            f"was made for version {wanted} of the hooks, and this is {API}: {remedy}"
        )


def check_hooks(manager: pluggy.PluginManager, plugin: object) -> None:
    """Refuse a plugin with hooks that we have not, or that wrap those of others."""
    known = [name for name in vars(specs) if hasattr(getattr(specs, name), "launchyard_spec")]
    for caller in manager.get_hookcallers(plugin) or ():
        if caller.name not in known:
            near = get_close_matches(caller.name, known, 1)
            hint = f"; did you mean `{near[0]}`?" if near else f"; there are {', '.join(known)}"
            raise StrangerError(f"has a hook `{caller.name}` that nobody calls{hint}")
        if any(i.plugin is plugin and (i.wrapper or i.hookwrapper) for i in caller.get_hookimpls()):
            raise StrangerError(f"wraps `{caller.name}`; a hook may only add its own")


def check_provider(provider: object, kind: type[Provider[Any]]) -> str:
    """Return what is wrong with a descriptor, or nothing."""
    if not isinstance(provider, kind):
        return f"gave a {type(provider).__name__} instead of a {kind.__name__}"
    if not _NAME.fullmatch(provider.name):
        return f"gave the name {provider.name!r}: use lower-case letters, digits and dashes"
    if not isinstance(provider.config, Block):
        return f"`{provider.name}` describes its configuration with no Block"
    return ""
