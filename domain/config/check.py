"""Check an agent's configuration and tell everything that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from launchyard.domain.config.complete import completed
from launchyard.domain.config.image_rules import IMAGE_RULES
from launchyard.domain.config.keys import agent_schema
from launchyard.domain.config.later_rules import LATER_RULES
from launchyard.domain.config.layers import Layers, Setting
from launchyard.domain.config.model import AgentConfig, build
from launchyard.domain.config.problem import Marked, Problem, Severity
from launchyard.domain.config.rules import RULES, View
from launchyard.domain.config.schema import KnownTypes
from launchyard.domain.documents import Json, Path


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a check: the configuration, unless one of the problems is an error.

    `settings` holds every key with its value in force and its origin, for `config show`.
    """

    problems: tuple[Problem, ...]
    settings: tuple[Setting, ...]
    config: AgentConfig | None

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Return the problems that stop the agent."""
        return tuple(p for p in self.problems if p.severity is Severity.ERROR)


def check(
    document: Marked,
    environment: Mapping[str, str],
    flags: Mapping[str, Json],
    known: KnownTypes,
) -> Checked:
    """Return the configuration of *document* under *environment* under *flags*.

    *flags* maps flags by their long name (`--max-jobs`) to what was given; null and an empty list
    count as not given. Nothing is raised, whatever the document holds.
    """
    schema = agent_schema(known)
    problems = list(document.problems)
    settings = Layers(schema, document, environment, flags).settings(problems)
    view = View(settings, document, environment, known)
    for rule in (*RULES, *IMAGE_RULES, *LATER_RULES):
        problems.extend(rule(view))
    told = _ordered(problems)
    failed = any(problem.severity is Severity.ERROR for problem in told)
    if failed:
        return Checked(told, tuple(settings.values()), None)
    settings = completed(settings)
    return Checked(told, tuple(settings.values()), build(schema, settings, document.value))


def plugin_lists(
    document: Marked, environment: Mapping[str, str], flags: Mapping[str, Json]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return which plugins the configuration allows and denies, before any is loaded.

    What is wrong with the lists is told by `check`, and they count as empty then.
    """
    layers = Layers(agent_schema(KnownTypes()), document, environment, flags)
    settings = layers.settings([])
    allow, deny = (settings["plugins", name].value for name in ("allow", "deny"))
    return _texts(allow), _texts(deny)


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _ordered(problems: list[Problem]) -> tuple[Problem, ...]:
    """Return *problems* by their lines, and a value's first error alone."""
    kept: list[Problem] = []
    told: set[tuple[Path, str]] = set()
    for problem in problems:
        if problem.path and problem.severity is Severity.ERROR:
            if (problem.path, problem.source) in told:
                continue
            told.add((problem.path, problem.source))
        kept.append(problem)
    return tuple(sorted(kept, key=lambda p: (p.line is None, p.line or 0)))
