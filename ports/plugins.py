"""What people are told about plugins."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a plugin, in the hook where it showed (empty: while loading), in words."""

    plugin: str
    hook: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginView:
    """One plugin: `origin` is built-in or the distribution; `state` is on, off or broken.

    `brings` are the names of its providers, as `target local-process`.
    """

    name: str
    origin: str
    version: str
    state: str
    brings: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
