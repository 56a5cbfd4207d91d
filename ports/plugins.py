"""What people are told about plugins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


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


class PluginList(Protocol):
    """Tells which plugins there are; never raises on account of one of them."""

    def listing(self) -> Sequence[PluginView]:
        """Return every plugin that is installed, with what it brings and what is wrong with it."""
        ...

    def faults(self) -> Sequence[Fault]:
        """Return what has gone wrong with plugins so far, oldest first."""
        ...
