"""A job of a W&B server: what `wandb-job.json` says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from launchyard.domain.config.problem import DocumentError, Problem
from launchyard.domain.documents import Json
from launchyard.domain.remotes import check_ref, check_subdir, parse_remote
from launchyard.domain.spec.checks import image, refusal
from launchyard.domain.spec.reading import Reader

FILE: Final = "wandb-job.json"
FROZEN: Final = "requirements.frozen.txt"
PATCH: Final = "diff.patch"
_KINDS: Final = ("repo", "artifact", "image")


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoJob:
    """Code in a git repository, at a commit; a `diff.patch` may lie beside the job's file."""

    url: str = field(repr=False)
    commit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeJob:
    """Code in another artifact: a reference by id or name."""

    artifact: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageJob:
    """A container image that is there already."""

    image: str


JobCode: TypeAlias = RepoJob | CodeJob | ImageJob


@dataclass(frozen=True, slots=True, kw_only=True)
class WandbJob:
    """A job: where its code is, and how it is built and run. Empty means "not said".

    `entrypoint` are the words of its command, which a `notebook` job has with the notebook's name;
    `runtime` is the version of Python; `base_image` is one that the code is put into unbuilt.
    The types of its inputs and outputs, its `services` and unknown keys are kept as they are.
    """

    code: JobCode
    entrypoint: tuple[str, ...] = ()
    notebook: bool = False
    args: tuple[str, ...] = ()
    dockerfile: str = ""
    build_context: str = ""
    base_image: str = ""
    runtime: str = ""
    version: str = ""
    partial: bool = False
    input_types: Mapping[str, Json] = field(default_factory=dict)
    output_types: Mapping[str, Json] = field(default_factory=dict)
    services: Mapping[str, Json] = field(default_factory=dict)
    extra: Mapping[str, Json] = field(default_factory=dict)


def parse_job(document: Json) -> WandbJob:
    """Return the job in *document*, which is the content of `wandb-job.json`.

    Raises:
        DocumentError: it is none; it holds every problem with its path.
    """
    problems: list[Problem] = []
    if not isinstance(document, dict):
        raise DocumentError([Problem(path=(), message=f"{FILE} must hold an object")])
    job = _job(Reader(document, (), problems))
    if problems or job is None:
        raise DocumentError(problems)
    return job


def _job(top: Reader) -> WandbJob | None:
    kind = top.text("source_type")
    source = top.reader("source")
    code = _code(kind, source, top)
    runtime = top.text("runtime")
    if code is None:
        return None
    return WandbJob(
        code=code,
        entrypoint=source.texts("entrypoint"),
        notebook=_flag(source, "notebook"),
        args=source.texts("args"),
        dockerfile=_path(source, "dockerfile"),
        build_context=_path(source, "build_context"),
        base_image=_image(source, "base_image"),
        # The third number is the machine's on which the job was made, and says nothing more.
        runtime=".".join(runtime.split(".")[:2]),
        version=top.text("_version"),
        partial=_flag(top, "_partial"),
        input_types=_types(top, "input_types"),
        output_types=_types(top, "output_types"),
        services=top.object("services"),
        extra=top.rest(),
    )


def _code(kind: str, source: Reader, top: Reader) -> JobCode | None:
    match kind:
        case "repo":
            return _repo(source.reader("git"))
        case "artifact":
            artifact = source.text("artifact")
            if not artifact:
                source.problem("artifact", "the job does not say which artifact has its code")
            return CodeJob(artifact=artifact)
        case "image":
            name = _image(source, "image")
            if not name:
                source.problem("image", "the job does not say which image it is")
            return ImageJob(image=name)
        case _:
            wanted = f"must be one of {', '.join(_KINDS)}"
            top.problem("source_type", f"{wanted}, not {kind!r}" if kind else wanted)
            return None


def _repo(git: Reader) -> RepoJob:
    url, commit = git.text("remote"), git.text("commit")
    if wrong := refusal(parse_remote)(url):
        git.problem("remote", wrong, "push the code to a repository that the agent can reach")
    if commit and (wrong := refusal(check_ref)(commit)):
        git.problem("commit", wrong)
    return RepoJob(url=url, commit=commit)


def _path(reader: Reader, key: str) -> str:
    value = reader.text(key)
    wrong = refusal(check_subdir)(value) if value else None
    if wrong:
        reader.problem(key, wrong)
    return value


def _image(reader: Reader, key: str) -> str:
    value = reader.text(key)
    wrong = image(value) if value else None
    if wrong:
        reader.problem(key, wrong)
    return value


def _flag(reader: Reader, key: str) -> bool:
    value = reader.take(key)
    if value is not None and not isinstance(value, bool):
        reader.problem(key, "must be true or false")
    return value is True


def _types(top: Reader, key: str) -> dict[str, Json]:
    """Take types, which describe and decide nothing here: what is no object is left out."""
    value = top.take(key)
    return value if isinstance(value, dict) else {}
