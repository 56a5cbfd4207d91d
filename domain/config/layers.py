"""Lay flags over environment over file over defaults, and remember where each value is from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from launchyard.domain.config.problem import Marked, Problem, Repair, Severity, shown
from launchyard.domain.config.schema import PREFIX, Block, Field, Kind, RefusedError, variables
from launchyard.domain.config.suggest import did_you_mean
from launchyard.domain.config.unknown import unknown_keys
from launchyard.domain.config.values import parse
from launchyard.domain.documents import Json, Path


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value is from: a default, a file's line, `env:NAME` or `flag:--name`."""

    name: str = ""
    line: int | None = None

    def __str__(self) -> str:
        """Return the origin as `config show --origin` prints it."""
        if self.line is None:
            return self.name or "default"
        return f"{self.name}:{self.line}" if self.name else f"line {self.line}"


DEFAULT: Final = Origin()
CONTAINER: Final = ("LAUNCHYARD_CONTAINER", "KUBERNETES_SERVICE_HOST", "container")
"""Set by our image, by Kubernetes in every pod, and by podman and systemd-nspawn."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One key with its value in force and where that is from."""

    path: Path
    field: Field
    value: Json
    origin: Origin = DEFAULT

    @property
    def shown(self) -> str:
        """Return the value for printing; secrets are hidden."""
        return shown(self.value, secret=self.field.secret and self.value is not None)


@dataclass(frozen=True, slots=True)
class Layers:
    """Everything that can set a value, the weakest first behind the schema's defaults."""

    schema: Block
    document: Marked
    environment: Mapping[str, str]
    flags: Mapping[str, Json]

    def settings(self, problems: list[Problem]) -> dict[Path, Setting]:
        """Return every key's setting; whatever is refused on the way is added to *problems*."""
        problems.extend(unknown_keys(self.schema, self.document))
        problems.extend(self._strangers())
        settings = {path: self._setting(path, e, problems) for path, e in self.schema.leaves()}
        for path, setting in settings.items():
            if setting.value is None and setting.field.fallbacks:
                kind = settings[*path[:-1], "type"].value
                settings[path] = self._fallback(setting, kind, problems)
        return settings

    def _setting(self, path: Path, entry: Field, problems: list[Problem]) -> Setting:
        setting = Setting(path, entry, entry.default)
        if entry.in_container is not None and (name := self._container()):
            setting = Setting(path, entry, entry.in_container, Origin(f"env:{name}"))
        for found in (self._from_file, self._from_environment, self._from_flags):
            stronger = found(path, entry, problems)
            setting = stronger or setting
        return setting

    def _container(self) -> str:
        """Return the variable that tells that this is a container, if one does."""
        return next((name for name in CONTAINER if self.environment.get(name)), "")

    def _from_file(self, path: Path, entry: Field, problems: list[Problem]) -> Setting | None:
        around = value_at(self.document.value, path[:-1])
        if not isinstance(around, dict):
            return None
        given = [name for name in entry.names if around.get(name) is not None]
        if not given:
            return None
        if len(given) > 1 and entry.kind is not Kind.TEXTS:
            problems.append(self._twice(path, given))
        parsed = [self._parsed((*path[:-1], name), entry, around[name], problems) for name in given]
        found = [setting for setting in parsed if setting is not None]
        if not found:
            return None
        if entry.kind is Kind.TEXTS:
            return replace(found[0], path=path, value=_joined(found))
        return replace(found[0], path=path)

    def _parsed(
        self, path: Path, entry: Field, raw: Json, problems: list[Problem]
    ) -> Setting | None:
        line = self.document.line(path)
        origin = Origin(self.document.name or "configuration", line)
        return _read(Setting(path, entry, raw, origin), problems, self.document)

    def _twice(self, path: Path, given: list[str]) -> Problem:
        other = (*path[:-1], given[1])
        return Problem(
            path=other,
            message=f"`{given[0]}` and `{given[1]}` are the same key",
            source=self.document.name,
            line=self.document.line(other),
            allowed=f"one of `{given[0]}` and `{given[1]}`",
            hint=f"remove `{given[1]}`",
        )

    def _from_environment(
        self, path: Path, entry: Field, problems: list[Problem]
    ) -> Setting | None:
        for name in variables(path, entry):
            if text := self.environment.get(name):
                return _read(Setting(path, entry, text, Origin(f"env:{name}")), problems)
        return None

    def _from_flags(self, path: Path, entry: Field, problems: list[Problem]) -> Setting | None:
        raw = self.flags.get(entry.flag) if entry.flag else None
        # `-v` not given is a count of 0, `-q` not given an empty list.
        if raw is None or raw == [] or (entry.flag == "--verbose" and raw == 0):
            return None
        return _read(Setting(path, entry, raw, Origin(f"flag:{entry.flag}")), problems)

    def _fallback(self, setting: Setting, kind: Json, problems: list[Problem]) -> Setting:
        for wanted, name in setting.field.fallbacks:
            if wanted == kind and (text := self.environment.get(name)):
                found = replace(setting, value=text, origin=Origin(f"env:{name}"))
                return _read(found, problems) or setting
        return setting

    def _strangers(self) -> Iterator[Problem]:
        names = [n for path, entry in self.schema.leaves() for n in variables(path, entry)]
        flags = [entry.flag for _, entry in self.schema.leaves() if entry.flag]
        for name in self.environment:
            if name.startswith(PREFIX) and name not in names:
                yield Problem(
                    path=(),
                    source=f"env:{name}",
                    message="no key is set by this variable",
                    allowed=f"{PREFIX} and the name of a key",
                    hint=did_you_mean(name, names) or "unset it; `config schema` lists all keys",
                    severity=Severity.WARNING,
                )
        for name in self.flags:
            if name not in flags:
                yield Problem(
                    path=(),
                    source=f"flag:{name}",
                    message="no key is set by this flag",
                    allowed=", ".join(flags),
                    hint=did_you_mean(name, flags) or "set the key in the file",
                )


def value_at(value: Json, path: Path) -> Json:
    """Return the part of *value* at *path*, null where there is none."""
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _joined(found: list[Setting]) -> Json:
    return [item for s in found if isinstance(s.value, list) for item in s.value]


def _read(
    setting: Setting, problems: list[Problem], document: Marked | None = None
) -> Setting | None:
    entry, raw, origin = setting.field, setting.value, setting.origin
    path = setting.path
    try:
        value, notes = parse(entry, raw, text=document is None)
    except RefusedError as error:
        problems.append(_refusal(setting, error, document))
        return None
    problems.extend(
        Problem(
            path=path,
            message=note.message,
            source=origin.name,
            line=origin.line,
            value=shown(raw, secret=entry.secret),
            hint=note.hint,
            severity=Severity.WARNING,
        )
        for note in notes
    )
    return replace(setting, value=value)


def _refusal(setting: Setting, error: RefusedError, document: Marked | None) -> Problem:
    path = (*setting.path, *error.within)
    line = document.line(path) if document is not None else None
    raw = value_at(setting.value, error.within)
    repair = None
    if error.replacement is not None and line is not None and not setting.field.secret:
        repair = Repair(line=line, old=_written(raw), new=error.replacement)
    return Problem(
        path=path,
        message=error.message,
        source=setting.origin.name,
        line=line,
        value=shown(raw, secret=setting.field.secret),
        allowed=error.allowed,
        hint=error.hint,
        repair=repair,
    )


def _written(raw: Json) -> str:
    return raw.strip() if isinstance(raw, str) else shown(raw)
