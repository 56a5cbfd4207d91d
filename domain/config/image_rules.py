"""Rules about where images and build contexts go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from launchyard.domain.config.problem import Problem
from launchyard.domain.config.rules import Rule, View
from launchyard.domain.config.uris import FORMS, STORES, address, store_cloud
from launchyard.domain.documents import Json, Path

_CLOUDS: Final = {"ecr": "aws", "gcr": "gcp", "acr": "azure"}


def registry_is_complete(view: View) -> Iterator[Problem]:
    """Refuse a registry whose repository cannot be told from its keys."""
    kind, uri = view.text("registry", "type"), view.text("registry", "uri")
    named = any(view.given("registry", key) for key in ("repository", "image-name"))
    if uri and named:
        yield view.problem(
            ("registry", "uri"),
            "`uri` and `repository` both name the place for images",
            allowed="one of the two",
            hint="remove `repository` and `image-name`; the address says it all",
        )
    elif not uri and not view.given("registry", "uri") and not _refused(view, "registry"):
        yield from _named(view, kind)


def _named(view: View, kind: str) -> Iterator[Problem]:
    has_name = bool(view.text("registry", "repository"))
    if kind == "acr" or (kind in {"ecr", "gcr"} and not has_name):
        yield view.problem(
            ("registry", "type"),
            f"`{kind}` needs to know the repository",
            allowed=f"`uri`, as {FORMS[kind]}"
            + ("" if kind == "acr" else ", or `repository` by its name"),
            hint="add `uri:` below `registry:`",
        )
    elif kind == "gcr" and not view.text("registry", "image-name"):
        yield view.problem(
            ("registry", "repository"),
            "`image-name` is missing beside `repository`",
            allowed="`repository` and `image-name`, or `uri`",
            hint="add `image-name:` with the image's name below `registry:`",
        )
    elif kind in {"ecr", "gcr"}:
        yield from _located(view, kind)
    elif not kind and has_name:
        yield view.problem(
            ("registry", "repository"),
            "`registry` has a `repository` but no `type`",
            allowed="`type: ecr` or `type: gcr`",
            hint="add `type:` below `registry:`",
        )


def _located(view: View, kind: str) -> Iterator[Problem]:
    needed = ("region",) if kind == "ecr" else ("region", "project")
    missing = [
        key
        for key in needed
        if not view.text("registry", key)
        and not (
            view.text("environment", "type") == _CLOUDS[kind] and view.text("environment", key)
        )
    ]
    if not missing or _refused(view, "environment"):
        return
    names = " and ".join(f"`environment.{key}`" for key in missing)
    yield view.problem(
        ("registry", "repository"),
        f"a `repository` by its name needs {names}",
        allowed=f"`uri`, as {FORMS[kind]}, or `repository` with {names}",
        hint=f"add {names} with `environment.type: {_CLOUDS[kind]}`, or write `uri` instead",
    )


def registry_kind_fits(view: View) -> Iterator[Problem]:
    """Refuse an address of another kind of registry than `registry.type` says."""
    kind, uri = view.text("registry", "type"), view.text("registry", "uri")
    found = address(uri).kind if uri else ""
    if uri and kind in FORMS and found != kind:
        yield view.problem(
            ("registry", "uri"),
            f"is no address of `type: {kind}`",
            value=uri,
            allowed=FORMS[kind],
            hint=f"write `type: {found}`" if found else f"write the address as {FORMS[kind]}",
        )


def registry_fits_environment(view: View) -> Iterator[Problem]:
    """Tell of images that go to another cloud or region than the agent's credentials."""
    cloud, region = view.text("environment", "type"), view.text("environment", "region")
    for path in (("registry", "uri"), ("builder", "destination")):
        where = address(view.text(*path))
        if not where.kind or not view.given("environment", "type"):
            continue
        needed = _CLOUDS[where.kind]
        if cloud != needed:
            yield view.warning(
                path,
                f"belongs to {needed}, but `environment.type` is `{cloud}`",
                f"the default credentials of {needed} will be used; give the agent some",
            )
        elif where.kind == "ecr" and region and where.region != region:
            yield view.warning(
                path,
                f"is in {where.region}, but `environment.region` is {region}",
                "make the two regions the same unless this is meant",
            )


def one_destination(view: View) -> Iterator[Problem]:
    """Tell that the builder's destination is stronger than the registry block."""
    if view.text("builder", "destination") and view.given("registry", "uri"):
        yield view.warning(
            ("builder", "destination"),
            "`registry.uri` is not used beside it",
            "remove the `registry` block",
        )


def kaniko_can_build(view: View) -> Iterator[Problem]:
    """Refuse kaniko without a place for build contexts; tell what else it will miss."""
    if view.text("builder", "type") != "kaniko":
        return
    store = view.text("builder", "build-context-store")
    claim = view.environment.get("WANDB_LAUNCH_KANIKO_PVC_NAME")
    if not store and not claim and not _refused(view, "builder", "build-context-store"):
        yield view.problem(
            ("builder", "type"),
            "`kaniko` needs `build-context-store`",
            allowed=STORES,
            hint="add `build-context-store:` below `builder:`, "
            "or set WANDB_LAUNCH_KANIKO_PVC_NAME to a volume claim",
        )
    pushes = view.text("builder", "destination") or view.text("registry", "uri")
    if not pushes and not view.text("registry", "repository"):
        yield view.warning(
            ("builder", "type"),
            "nothing says where kaniko pushes images to",
            "add `builder.destination` with an image repository",
        )
    yield from _store_fits(view, store_cloud(store))


def _store_fits(view: View, cloud: str) -> Iterator[Problem]:
    kind = view.text("environment", "type")
    if cloud and kind != cloud:
        yield view.warning(
            ("builder", "build-context-store"),
            f"belongs to {cloud}, but `environment.type` is `{kind}`",
            f"add `environment:` with `type: {cloud}`, or give the agent its default credentials",
        )


def secret_is_whole(view: View) -> Iterator[Problem]:
    """Refuse half of the pair that names a secret."""
    pair = ("secret-name", "secret-key")
    given = [key for key in pair if view.text("builder", key)]
    if len(given) == 1 and not any(_refused(view, "builder", key) for key in pair):
        other = next(key for key in pair if key not in given)
        yield view.problem(
            ("builder", given[0]),
            f"`{given[0]}` needs `{other}` beside it",
            allowed="both or none of `secret-name` and `secret-key`",
            hint=f"add `{other}:` below `builder:`, or remove `{given[0]}`",
        )


def kaniko_config_fits(view: View) -> Iterator[Problem]:
    """Refuse parts of a Job manifest that cannot be laid over the build job."""
    path: Path = ("builder", "kaniko-config")
    value = view.value("builder", "kaniko-config")
    for step in ("spec", "template", "spec", "containers"):
        if not isinstance(value, dict) or value.get(step) is None:
            if isinstance(value, dict):
                return
            break
        value, path = value[step], (*path, step)
    if value is None:
        return
    if not isinstance(value, list) or path[-1] != "containers":
        yield _misshapen(view, path)
    elif len(value) > 1:
        yield view.problem(
            (*path, 1),
            f"has {len(value)} containers",
            allowed="one container at most: the build's own",
            hint="keep the first; side containers would never let the job end",
        )
    elif value:
        yield from _arguments(view, (*path, 0), value[0])


def _misshapen(view: View, path: Path) -> Problem:
    what = "a list of containers" if path[-1] == "containers" else "keys and values"
    return view.problem(
        path,
        f"expected {what}",
        allowed="part of a Kubernetes Job: spec.template.spec.containers",
        hint=f"write {what} below `{path[-1]}:`",
    )


def _arguments(view: View, path: Path, container: Json) -> Iterator[Problem]:
    given = container.get("args") if isinstance(container, dict) else None
    if not isinstance(container, dict) or not isinstance(given, list | None):
        here = path if not isinstance(container, dict) else (*path, "args")
        yield view.problem(
            here,
            "expected a container with a list `args`",
            allowed="args: one `--flag=value` on each line",
            hint="write each argument on a line of its own, after `- `",
        )
        return
    for index, argument in enumerate(given or []):
        if not isinstance(argument, str) or "=" not in argument.strip("="):
            yield view.problem(
                (*path, "args", index),
                f"`{argument}` is not `--flag=value`",
                allowed="--flag=value, so that it can replace the same flag of the build job",
                hint="join flag and value with `=`; write `--flag=true` for a bare flag",
            )


def _refused(view: View, *path: str) -> bool:
    """Tell whether the file gives a value below *path* that no setting shows."""
    written: Json = view.document.value
    for step in path:
        written = written.get(step) if isinstance(written, dict) else None
    if not isinstance(written, dict):
        return written is not None and not view.given(*path) if path in view.settings else False
    return any(
        value is not None and (*path, key) in view.settings and not view.given(*path, key)
        for key, value in written.items()
    )


IMAGE_RULES: Final[tuple[Rule, ...]] = (
    registry_is_complete,
    registry_kind_fits,
    registry_fits_environment,
    one_destination,
    kaniko_can_build,
    secret_is_whole,
    kaniko_config_fits,
)
