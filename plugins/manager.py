"""Finds plugins and keeps what they do wrong away from the rest.

The built-in ones come first, then the installed ones, one by one. Whatever one of them raises,
misspells or never finishes costs that plugin alone: it is switched off, and `faults` says why.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import entry_points
from typing import Any, Final, TypeVar

from launchyard.domain.config.schema import KnownTypes
from launchyard.domain.documents import Json
from launchyard.plugins import PROJECT, builtin
from launchyard.plugins.check import check_api, check_provider
from launchyard.plugins.factory import absent
from launchyard.plugins.guard import AbandonedError, StrangerError, call_within
from launchyard.plugins.row import BUILT_IN, Row, registered, row_of
from launchyard.plugins.specs import (
    BuilderProvider,
    EnvironmentProvider,
    LaunchServerProvider,
    Provider,
    RegistryProvider,
    SourceProvider,
    TargetProvider,
)
from launchyard.ports.plugins import Fault, PluginView

P = TypeVar("P", bound=Provider[Any])

_ONE_OF: Final = {
    "environments": "environment",
    "registries": "registry",
    "builders": "builder",
    "targets": "target",
    "launch_servers": "launch server",
    "sources": "source",
}
ASKED: Final = {"review_launch": "reviewer", "can_accept": "guard", "job_event": "receiver"}
"""The hooks that are called while an agent works, and what a plugin with one is called."""

_MOST_FAULTS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Which plugins may be loaded, and how long a call of one may take.

    An empty `allow` admits every installed one; built-in ones are kept out by `deny` alone.
    `extra` are built-in ones that depend on a configuration; `settings` are told to plugins by
    their names.
    """

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    limit_s: float = 10.0
    extra: Mapping[str, object] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)


class Plugins:
    """Every plugin of one process, and the providers that they bring, by name.

    *told* hears of each fault as it is found, also of those found here in the beginning.
    """

    def __init__(
        self, rules: Rules | None = None, told: Callable[[Fault], None] | None = None
    ) -> None:
        self._rules = rules or Rules()
        self._told = told
        self._faults: deque[Fault] = deque(maxlen=_MOST_FAULTS)
        self._rows: list[Row] = []
        for name, module in {**builtin.MODULES, **self._rules.extra}.items():
            self._admit(Row(name=name, origin=BUILT_IN), partial(_given, module))
        for point in entry_points(group=PROJECT):
            self._admit(row_of(point), point.load)
        self._note_strange_names()
        self._note_asked()
        self.environments = self._gather("environments", EnvironmentProvider)
        self.registries = self._gather("registries", RegistryProvider)
        self.launch_servers = self._gather("launch_servers", LaunchServerProvider)
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

    def rows_with(self, hook: str) -> Sequence[Row]:
        """Return the plugins that have *hook*, also those that were switched off since."""
        return tuple(row for row in self._rows if row.has(hook))

    def ask(self, row: Row, hook: str, limit_s: float, **arguments: Any) -> object:
        """Call one plugin's *hook* with its settings; return its answer, or None.

        Raises:
            StrangerError: it is off, it raised, or it took too long and is now switched off.
        """
        if row.state != "on":
            raise StrangerError("is switched off; see `faults` of /status, and restart the agent")
        settings = self._rules.settings.get(row.name, {})
        call = partial(row.call, hook, settings=settings, **arguments)
        try:
            answers = call_within(limit_s, f"plugin-{row.name}", call)
        except AbandonedError as e:
            self._switch_off(row, hook, str(e))
            raise
        except StrangerError as e:
            self._note(row, hook, str(e))
            raise
        return answers[0] if answers else None

    def note(self, row: Row, hook: str, message: str) -> None:
        """Note what else a plugin did wrong."""
        self._note(row, hook, message)

    def known_types(self) -> KnownTypes:
        """Return what a configuration may name: what this release knows, and what plugins bring."""
        plain = KnownTypes()
        families: dict[str, Mapping[str, Provider[Any]]] = {
            "targets": self.targets,
            "builder": self.builders,
            "environment": self.environments,
            "registry": self.registries,
        }
        named = [(f"{f}.{n}", p) for f, providers in families.items() for n, p in providers.items()]
        return KnownTypes(
            environments=_union(plain.environments, self.environments),
            registries=_union(plain.registries, self.registries),
            targets=_union(plain.targets, self.targets),
            builders=_union(plain.builders, self.builders),
            blocks={name: p.config for name, p in named if p.config.fields},
            missing={name: p.extra for name, p in named if absent(p)},
            absent=_every_type(plain) - {name for name, _ in named},
        )

    def _admit(self, row: Row, load: Callable[[], object]) -> None:
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
            row.hooks = registered(row.name, plugin)
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

    def _ask(self, row: Row, hook: str) -> Iterable[object]:
        """Return what one plugin answers to *hook*; one that fails is switched off."""
        if row.hooks is None or row.state != "on":
            return ()
        call = partial(_answers, row, hook)
        try:
            return call_within(self._rules.limit_s, f"plugin-{row.name}", call)
        except StrangerError as e:
            self._switch_off(row, hook, str(e))
            return ()

    def _is_allowed(self, row: Row) -> bool:
        if row.name in self._rules.deny:
            return False
        return row.origin == BUILT_IN or not self._rules.allow or row.name in self._rules.allow

    def _note_strange_names(self) -> None:
        """Tell of names in the lists that no plugin has: mostly slips of the pen."""
        installed = {row.name for row in self._rows}
        for name in sorted({*self._rules.allow, *self._rules.deny} - installed):
            known = ", ".join(sorted(installed))
            self._hear(Fault(plugin=name, hook="", message=f"is not installed; there are {known}"))

    def _note_asked(self) -> None:
        """Tell of the hooks that are called later, as listings show them."""
        for hook, called in ASKED.items():
            for row in self.rows_with(hook):
                row.brings.append(called)

    def _switch_off(self, row: Row, hook: str, message: str) -> None:
        row.state = "broken"
        self._note(row, hook, message)

    def _note(self, row: Row, hook: str, message: str) -> None:
        if message not in row.faults and len(row.faults) < _MOST_FAULTS:
            row.faults.append(message)
        self._hear(Fault(plugin=row.name, hook=hook, message=message))

    def _hear(self, fault: Fault) -> None:
        self._faults.append(fault)
        if self._told is not None:
            self._told(fault)


def _given(plugin: object) -> object:
    return plugin


def _answers(row: Row, hook: str) -> list[object]:
    """Return all that a plugin's *hook* gives; generators do their work in here, too."""
    return [provider for answer in row.call(hook) for provider in answer]


def _every_type(known: KnownTypes) -> frozenset[str]:
    """Return what a configuration can name, as `targets.kubernetes` or `builder.venv`."""
    families = {
        "targets": known.targets,
        "builder": known.builders,
        "environment": known.environments,
        "registry": known.registries,
    }
    return frozenset(f"{family}.{name}" for family, names in families.items() for name in names)


def _union(known: tuple[str, ...], found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*known, *found)))
