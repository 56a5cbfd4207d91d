"""Read a launch spec from a document, or say all that is wrong with it at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from launchyard.domain.config.problem import DocumentError, Problem, Severity
from launchyard.domain.config.suggest import close, did_you_mean
from launchyard.domain.documents import Json
from launchyard.domain.remotes import check_ref, check_subdir, parse_remote
from launchyard.domain.spec.checks import between_parts, image, like, refusal
from launchyard.domain.spec.model import (
    ArchiveSource,
    Docker,
    GitSource,
    LaunchSpec,
    Overrides,
    SecretRef,
    Service,
)
from launchyard.domain.spec.reading import Reader

KNOWN_KEYS: Final = (
    "_resume_count",
    "_wandb_api_key",
    "additional_services",
    "author",
    "builder",
    "docker",
    "entity",
    "env",
    "git",
    "image_uri",
    "job",
    "name",
    "outputs",
    "overrides",
    "priority",
    "project",
    "python_version",
    "queue_entity",
    "registry",
    "requirements",
    "resource",
    "resource_args",
    "run_id",
    "secrets",
    "source",
    "sweep_id",
    "template_variables",
    "timeout_s",
    "uri",
)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED: Final = "LAUNCHYARD_"
_SECRET: Final = re.compile(r"secret:[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_PYTHON: Final = re.compile(r"[23](\.[0-9]+){0,2}")
_RUN_ID: Final = re.compile(r"[^\s/\\#?%:]{1,128}")


def parse_spec(document: Json) -> LaunchSpec:
    """Return the launch spec in *document*; nothing in it is shared with the document.

    Keys that are null count as absent, and keys that nobody knows are kept.

    Raises:
        DocumentError: the document is no launch spec; it holds every problem with its path.
    """
    problems: list[Problem] = []
    if not isinstance(document, dict):
        raise DocumentError([Problem(path=(), message="a launch spec must be an object")])
    spec = _spec(Reader(document, (), problems))
    # A spec that is half read would be blamed for what its other half may say.
    if not problems:
        problems.extend(between_parts(spec))
    if problems:
        raise DocumentError(problems)
    return spec


def suspicious_keys(spec: LaunchSpec) -> tuple[Problem, ...]:
    """Warn of unknown keys that look like a slip of the pen; they are kept all the same."""
    return tuple(
        Problem(
            path=(key,),
            message=f"nothing reads `{key}`",
            hint=did_you_mean(key, KNOWN_KEYS),
            severity=Severity.WARNING,
        )
        for key in spec.extra
        if close(key, KNOWN_KEYS)
    )


def _spec(top: Reader) -> LaunchSpec:
    return LaunchSpec(
        entity=top.text("entity"),
        project=top.text("project"),
        job=top.text("job"),
        image_uri=_checked(top, "image_uri", image),
        docker=_docker(top.reader("docker")),
        git=top.object("git"),
        resource=top.text("resource"),
        resource_args=_resource_args(top),
        overrides=_overrides(top.reader("overrides")),
        name=top.text("name"),
        author=top.text("author"),
        run_id=_checked(top, "run_id", like(_RUN_ID, "a run's id: no space, slash or `:#?%`")),
        sweep_id=top.text("sweep_id"),
        uri=top.text("uri"),
        python_version=_checked(top, "python_version", like(_PYTHON, 'as "3.11"')),
        template_variables=top.object("template_variables"),
        queue_entity=top.text("queue_entity"),
        registry=top.object("registry"),
        builder=top.object("builder"),
        wandb_api_key=top.text("_wandb_api_key"),
        resume_count=top.whole("_resume_count") or 0,
        additional_services=tuple(_service(r) for r in top.readers("additional_services")),
        priority=top.whole("priority"),
        code=_code(top),
        secrets=tuple(_secret(r) for r in top.readers("secrets")),
        requirements=_requirements(top),
        timeout_s=_timeout(top),
        env=read_env(top),
        outputs=_outputs(top),
        extra=top.rest(),
    )


def _checked(reader: Reader, key: str, check: Callable[[str], str | None]) -> str:
    """Take a text that *check* has no objection to."""
    value = reader.text(key)
    wrong = check(value) if value else None
    if wrong is not None:
        reader.problem(key, wrong)
    return value


def _docker(reader: Reader) -> Docker:
    return Docker(
        image=_checked(reader, "docker_image", image),
        user_id=reader.whole("user_id"),
        extra=reader.rest(),
    )


def _overrides(reader: Reader) -> Overrides:
    return Overrides(
        args=reader.texts("args"),
        entry_point=reader.texts("entry_point"),
        run_config=reader.object("run_config"),
        artifacts=reader.object("artifacts"),
        files=reader.object("files"),
        dockerfile=_checked(reader, "dockerfile", refusal(check_subdir)),
        working_dir=_checked(reader, "working_dir", refusal(check_subdir)),
        extra=reader.rest(),
    )


def _resource_args(top: Reader) -> dict[str, Json]:
    value = top.object("resource_args")
    for key, item in value.items():
        if not isinstance(item, dict) and item is not None:
            top.problem(("resource_args", key), "must be an object, keyed by a target's settings")
    return value


def _service(reader: Reader) -> Service:
    if not reader.has("name"):
        reader.problem("name", "a service needs a name")
    return Service(name=reader.text("name"), config=reader.object("config"), extra=reader.rest())


def _secret(reader: Reader) -> SecretRef:
    env, source = reader.text("env"), reader.text("from")
    if not _VARIABLE.fullmatch(env) or env.startswith(_RESERVED):
        reader.problem("env", "must name the variable that takes the secret", "as HF_TOKEN")
    if not _SECRET.fullmatch(source):
        reader.problem("from", "must name a secret, never hold its value", 'as "secret:hf"')
    reader.refuse_rest(("env", "from"))
    return SecretRef(env, source)


def _code(top: Reader) -> ArchiveSource | GitSource | None:
    if not top.has("source"):
        return None
    reader = top.reader("source")
    git = _git(reader.reader("git")) if reader.has("git") else None
    sha256 = _checked(reader, "archive", like(_SHA256, "the 64 hexadecimal digits of a SHA-256"))
    reader.refuse_rest(("archive", "git"))
    if (git is None) == (not sha256):
        top.problem("source", "must have exactly one of `archive` and `git`")
    return git or (ArchiveSource(sha256) if sha256 else None)


def _git(reader: Reader) -> GitSource:
    if not reader.has("url"):
        reader.problem("url", "a git source needs the repository's address")
    source = GitSource(
        url=_checked(reader, "url", refusal(parse_remote)),
        ref=_checked(reader, "ref", refusal(check_ref)),
        subdir=_checked(reader, "path", refusal(check_subdir)),
    )
    reader.refuse_rest(("url", "ref", "path"))
    return source


def _requirements(top: Reader) -> str | tuple[str, ...]:
    """Take a file's path in the source, or a list of requirement lines."""
    value = top.take("requirements")
    one = Reader({"requirements": value}, (), [])
    if isinstance(value, str):
        wrong = refusal(check_subdir)(value)
        if wrong is not None:
            top.problem("requirements", wrong, "for lines instead of a file, write a list")
        return value
    lines = one.texts("requirements") if isinstance(value, list) else ()
    if value is not None and (not isinstance(value, list) or len(lines) != len(value)):
        top.problem("requirements", "must be a file's path in the source, or a list of lines")
    return lines


def _timeout(top: Reader) -> float | None:
    value = top.number("timeout_s")
    if value == 0:
        top.problem("timeout_s", "must be more than 0 seconds", "leave it out for no limit")
    return value


def read_env(top: Reader) -> dict[str, str]:
    """Take variables; numbers become text, because people write them without quotes."""
    found = {}
    for name, value in top.object("env").items():
        if not _VARIABLE.fullmatch(name):
            top.problem(("env", name), "is no name of a variable: letters, digits and `_`")
        elif name.startswith(_RESERVED):
            top.problem(("env", name), f"names with {_RESERVED} are Launchyard's own")
        elif isinstance(value, bool) or not isinstance(value, (str, int, float)):
            top.problem(("env", name), "must be a text or a number", "put it in quotes")
        elif "\0" in str(value):
            top.problem(("env", name), "must not hold a NUL character")
        else:
            found[name] = str(value)
    return found


def _outputs(top: Reader) -> tuple[str, ...]:
    patterns = top.texts("outputs")
    for index, pattern in enumerate(patterns):
        if pattern.startswith("/") or ".." in pattern.split("/") or not pattern:
            top.problem(("outputs", index), "must be a path or pattern inside the job's folder")
    return patterns
