"""Where the words of a launch come to stand over those of its queue, target by target.

Each function yields pairs: where the words stand in the launch, and which place in the
configuration they replace. What a launch lays over the configuration itself is not among them.
"""

from __future__ import annotations

from collections.abc import Iterator

from launchyard.domain.documents import Json, Path
from launchyard.domain.spec import ImageSource, LaunchSpec
from launchyard.domain.targets import kubernetes_config
from launchyard.domain.targets.docker_flags import BY_SPELLING
from launchyard.domain.targets.kubernetes_kinds import row_for
from launchyard.domain.targets.kubernetes_manifest import (
    Node,
    copied,
    is_job,
    main_container,
    name_containers,
    templates_at,
)

Replaced = Iterator[tuple[Path, Path]]
"""Pairs of a path in the launch and the path in the configuration that it replaces."""


def local_words(config: Json, spec: LaunchSpec) -> Replaced:
    """Yield what a launch's interpreter, requirements and secrets replace."""
    if spec.python_version:
        yield ("python_version",), ("python",)
    if spec.requirements:
        yield ("requirements",), ("requirements",)
    yield from _variables(_env(config), ("env",), _secrets(spec))


def docker_words(config: Json, spec: LaunchSpec) -> Replaced:
    """Yield what a launch's entry point and secrets replace."""
    for key, value in config.items() if isinstance(config, dict) else ():
        name = BY_SPELLING[key].name if key in BY_SPELLING else ""
        if name == "entrypoint" and spec.overrides.entry_point:
            yield ("overrides", "entry_point"), (key,)
        if name == "env":
            yield from _variables(value, (key,), _secrets(spec))


def kubernetes_words(config: Json, spec: LaunchSpec) -> Replaced:
    """Yield what a launch's command, image, variables and secrets replace in main containers."""
    settings, problems = kubernetes_config.read_settings(config)
    if problems:
        return
    yield from _variables(_env(config), ("env",), _secrets(spec))
    document = copied(settings.manifest)
    name_containers(document)
    group = str(document.get("apiVersion")).rpartition("/")[0]
    usual = row_for(group, str(document.get("kind"))).main
    for path, template in templates_at(document, ()):
        main = main_container(template, settings.text("main_container"), usual)
        for place, container in _listed(path, template):
            if container is main:
                yield from _in_container(place, container, spec, is_plain=is_job(document))


def _in_container(place: Path, container: Node, spec: LaunchSpec, *, is_plain: bool) -> Replaced:
    if spec.overrides.entry_point:
        yield ("overrides", "entry_point"), (*place, "command")
    if spec.overrides.args:
        yield ("overrides", "args"), (*place, "args")
    if is_plain and isinstance(spec.source, ImageSource):
        given: Path = ("docker", "docker_image") if spec.docker.image else ("image_uri",)
        yield given, (*place, "image")
    given_env: dict[str, Path] = {name: ("env", name) for name in spec.env}
    yield from _variables(_env(container), (*place, "env"), {**given_env, **_secrets(spec)})


def _listed(path: Path, template: Node) -> Iterator[tuple[Path, Node]]:
    spec = template.get("spec")
    listed = spec.get("containers") if isinstance(spec, dict) else None
    for index, container in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(container, dict):
            yield (*path, "spec", "containers", index), container


def _env(document: Json) -> Json:
    return document.get("env") if isinstance(document, dict) else None


def _secrets(spec: LaunchSpec) -> dict[str, Path]:
    """Return where each secret stands, by the variable that it becomes."""
    return {secret.env: ("secrets", index) for index, secret in enumerate(spec.secrets)}


def _variables(variables: Json, place: Path, given: dict[str, Path]) -> Replaced:
    """Yield the *variables* that *given* replaces, in each form that people write."""
    if isinstance(variables, dict):
        yield from ((given[name], (*place, name)) for name in variables if name in given)
        return
    alone = not isinstance(variables, list)
    for index, row in enumerate(variables if isinstance(variables, list) else [variables]):
        name = row.get("name") if isinstance(row, dict) else str(row).partition("=")[0]
        if isinstance(name, str) and name in given:
            yield given[name], place if alone else (*place, index)
