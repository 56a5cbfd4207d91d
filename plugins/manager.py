"""Finds plugins and keeps what they do wrong away from the rest.

The built-in ones come first, then the installed ones, one by one. Whatever one of them raises,
misspells or never finishes costs that plugin alone: it is switched off, and `faults` says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, TypeVar

import pluggy

from launchyard.domain.config.schema import KnownTypes
from launchyard.plugins import PROJECT, builtin, specs
from launchyard.plugins.check import check_api, check_hooks, check_provider
from launchyard.plugins.factory import absent
from launchyard.plugins.guard import StrangerError, call_within
from launchyard.plugins.specs import BuilderProvider, Provider, SourceProvider, TargetProvider
from launchyard.ports.plugins import Fault, PluginView

P = TypeVar("P", bound=Provider[Any])

_ONE_OF: Final = {"targets": "target", "builders": "builder", "sources": "source"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Which plugins may be loaded, and how long a call of one may take.

    An empty `allow` admits every installed one; built-in ones are kept out by `deny` alone.
    """

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    limit_s: float = 10.0


@dataclass(slots=True, kw_only=True)
class _Row:
    name: str
    origin: str
    version: str = ""
    state: str = "on"
    hooks: pluggy.PluginManager | None = None
    brings: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Plugins:
    """Every plugin of one process, and the providers that they bring, by name.

    *told* hears of each fault as it is found, also of those found here in the beginning.
    """

    def __init__(
        self, rules: Rules | None = None, told: Callable[[Fault], None] | None = None
    ) -> None:
        self._rules = rules or Rules()
        self._told = told
        self._faults: list[Fault] = []
        self._rows: list[_Row] = []
        for name, module in builtin.MODULES.items():
            self._admit(_Row(name=name, origin="built-in"), partial(_given, module))
        for point in entry_points(group=PROJECT):
            self._admit(_row(point), point.load)
        self._note_strange_names()
        self.targets: Mapping[str, TargetProvider] = self._gather("targets", TargetProvider)
        self.builders: Mapping[str, BuilderProvider] = self._gather("builders", BuilderProvider)
        self.sources: Mapping[str, SourceProvider] = self._gather("sources", SourceProvider)

    def listing(self) -> Sequence[PluginView]:
        """Return every plugin that is installed, with what it brings and what is wrong with it."""
        return tuple(
            PluginView(
                name=row.name,
                origin=row.origin,
                version=row.version,
                state=row.state,
                brings=tuple(row.brings) if row.state == "on" else (),
                faults=tuple(row.faults),
            )
            for row in self._rows
        )

    def faults(self) -> Sequence[Fault]:
        """Return what has gone wrong so far, oldest first."""
        return tuple(self._faults)

    def known_types(self) -> KnownTypes:
        """Return what a configuration may name: what this release knows, and what plugins bring."""
        plain = KnownTypes()
        families: dict[str, Mapping[str, Provider[Any]]] = {
            "targets": self.targets,
            "builder": self.builders,
        }
        named = [(f"{f}.{n}", p) for f, providers in families.items() for n, p in providers.items()]
        return KnownTypes(
            targets=_union(plain.targets, self.targets),
            builders=_union(plain.builders, self.builders),
            blocks={name: p.config for name, p in named if p.config.fields},
            missing={name: p.extra for name, p in named if absent(p)},
        )

    def _admit(self, row: _Row, load: Callable[[], object]) -> None:
        """Load one plugin, or note why it is left out."""
        taken = next((other for other in self._rows if other.name == row.name), None)
        self._rows.append(row)
        if not self._is_allowed(row):
            row.state = "off"
            return
        if taken is not None:
            self._switch_off(row, "", f"has the name of another plugin ({taken.origin})")
            return
        try:
            plugin = call_within(self._rules.limit_s, f"plugin-{row.name}", load)
            check_api(plugin)
            row.hooks = _registered(row.name, plugin)
        except StrangerError as e:
            self._switch_off(row, "", str(e))

    def _gather(self, hook: str, kind: type[P]) -> Mapping[str, P]:
        """Ask every plugin for its providers; of two with one name the first stays."""
        found: dict[str, P] = {}
        for row in self._rows:
            for provider in self._ask(row, hook):
                wrong = check_provider(provider, kind)
                if wrong or not isinstance(provider, kind):
                    self._note(row, hook, wrong)
                elif provider.name in found:
                    self._note(row, hook, f"{_ONE_OF[hook]} `{provider.name}` is there already")
                else:
                    found[provider.name] = provider
                    row.brings.append(f"{_ONE_OF[hook]} {provider.name}")
        return found

    def _ask(self, row: _Row, hook: str) -> Iterable[object]:
        """Return what one plugin answers to *hook*; one that fails is switched off."""
        if row.hooks is None or row.state != "on":
            return ()
        call = partial(_answers, row.hooks, hook)
        try:
            return call_within(self._rules.limit_s, f"plugin-{row.name}", call)
        except StrangerError as e:
            self._switch_off(row, hook, str(e))
            return ()

    def _is_allowed(self, row: _Row) -> bool:
        if row.name in self._rules.deny:
            return False
        return row.origin == "built-in" or not self._rules.allow or row.name in self._rules.allow

    def _note_strange_names(self) -> None:
        """Tell of names in the lists that no plugin has: mostly slips of the pen."""
        installed = {row.name for row in self._rows}
        for name in sorted({*self._rules.allow, *self._rules.deny} - installed):
            known = ", ".join(sorted(installed))
            self._hear(Fault(plugin=name, hook="", message=f"is not installed; there are {known}"))

    def _switch_off(self, row: _Row, hook: str, message: str) -> None:
        row.state = "broken"
        self._note(row, hook, message)

    def _note(self, row: _Row, hook: str, message: str) -> None:
        row.faults.append(message)
        self._hear(Fault(plugin=row.name, hook=hook, message=message))

    def _hear(self, fault: Fault) -> None:
        self._faults.append(fault)
        if self._told is not None:
            self._told(fault)


def _row(point: EntryPoint) -> _Row:
    origin, version = (point.dist.name, point.dist.version) if point.dist else ("unknown", "")
    return _Row(name=point.name, origin=origin, version=version)


def _given(plugin: object) -> object:
    return plugin


def _registered(name: str, plugin: object) -> pluggy.PluginManager:
    """Return *plugin*'s hooks in a manager of its own, so that no half-registered one lingers."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(specs)
    try:
        manager.register(plugin, name)
        check_hooks(manager, plugin)
        manager.check_pending()
    except pluggy.PluginValidationError as e:
        raise StrangerError(f"does not fit the hooks: {str(e).splitlines()[-1]}") from e
    return manager


def _answers(hooks: pluggy.PluginManager, hook: str) -> list[object]:
    """Return all that a plugin's *hook* gives; generators do their work in here, too."""
    return [provider for answer in getattr(hooks.hook, hook)() for provider in answer]


def _union(known: tuple[str, ...], found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*known, *found)))
