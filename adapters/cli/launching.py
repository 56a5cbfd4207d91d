"""From the flags of `launch` to a launch spec."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from launchyard.adapters.cli.codes import Code
from launchyard.adapters.cli.errors import CommandError
from launchyard.adapters.cli.output import size
from launchyard.adapters.cli.session import Session
from launchyard.adapters.cli.texts import text_of
from launchyard.domain.documents import Json
from launchyard.domain.priority import WORDS
from launchyard.domain.template_schema import read_variables
from launchyard.domain.templates import from_text
from launchyard.ports.operator import Launch

_MARKS: Final = frozenset({"source", "docker", "image_uri", "job"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the flags of a launch say; empty where they say nothing.

    Without *send* the code is only looked at, for a plan.
    """

    folder: str | None = None
    git: str | None = None
    ref: str | None = None
    path: str | None = None
    image: str | None = None
    job: str | None = None
    name: str = ""
    project: str | None = None
    entry_point: str | None = None
    config: str | None = None
    variables: Sequence[str] = ()
    values: Sequence[str] = ()
    priority: str = ""
    secrets: Sequence[str] = ()
    resource_args: str | None = None
    run_id: str | None = None
    timeout_s: float | None = None
    requirements: str | None = None
    command: Sequence[str] = ()
    send: bool = True


def launch_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what to launch."""
    options = (
        click.option("--dir", "folder", metavar="DIR", help="Folder with the code."),
        click.option("-u", "--git", "--uri", "git", metavar="URL", help="Git repository."),
        click.option("-g", "--git-version", "ref", metavar="REF", help="Branch, tag or commit."),
        click.option("--path", metavar="DIR", help="Folder inside the repository."),
        click.option("-d", "--docker-image", "image", metavar="IMAGE", help="Container image."),
        click.option("-j", "--job", metavar="NAME", help="Job artifact of a W&B server."),
        click.option("--name", default="", help="Name for people."),
        click.option("-p", "--project", help="Project of the run."),
        click.option("-E", "--entry-point", metavar="TEXT", help="Command, as one text."),
        click.option("-c", "--config", metavar="FILE", help="Launch spec in JSON or YAML."),
        click.option(
            "--env", "variables", multiple=True, metavar="NAME=VALUE", help="Variable of the job."
        ),
        click.option(
            "--secret", "secrets", multiple=True, metavar="ENV=NAME", help="Secret as a variable."
        ),
        click.option(
            "-v",
            "--set-var",
            "values",
            multiple=True,
            metavar="NAME=VALUE",
            help="Template variable of the queue.",
        ),
        click.option("-P", "--priority", type=click.Choice(WORDS), help="How urgent; medium."),
        click.option(
            "-R", "--resource-args", metavar="JSON|FILE", help="Overrides of the queue's settings."
        ),
        click.option("--run-id", help="Id of the run; else a new one."),
        click.option("--timeout", "timeout_s", type=float, metavar="SECONDS", help="Longest run."),
        click.option("--requirements", metavar="FILE", help="Requirements file in the source."),
        click.argument("command", nargs=-1, type=click.UNPROCESSED),
    )
    for option in reversed(options):
        command = option(command)
    return command


def launch_of(session: Session, wanted: Wanted, key: str = "") -> Launch:
    """Return the launch that *wanted* describes, its code uploaded."""
    return Launch(
        entity=session.entity,
        queue=session.queue,
        spec=_spec(session, wanted),
        name=wanted.name,
        idempotency_key=key,
        priority=wanted.priority or "",
    )


def _spec(session: Session, wanted: Wanted) -> dict[str, Json]:
    spec = _base(session, wanted.config)
    spec.update(_said(wanted))
    _command(spec, wanted)
    _variables(spec, wanted.variables)
    _secrets(spec, wanted.secrets)
    if wanted.values:
        spec["template_variables"] = _values(session, spec, wanted.values)
    if wanted.resource_args:
        spec["resource_args"] = _resource_args(session, wanted.resource_args)
    # The folder comes last: everything else that could be wrong has been told by now.
    source = _source(session, wanted)
    if source:
        for mark in _MARKS - set(source):
            spec.pop(mark, None)
        spec.update(source)
    spec.setdefault("entity", session.entity)
    spec.setdefault("project", _project(wanted))
    return spec


def _base(session: Session, file: str | None) -> dict[str, Json]:
    if file is None:
        return {}
    document = session.programs.read_document(text_of(file), file).value
    if not isinstance(document, dict):
        raise CommandError(f"{file} holds no launch spec", "it is no object", code=Code.CONFIG)
    return dict(document)


def _said(wanted: Wanted) -> dict[str, Json]:
    said: dict[str, Json] = {
        "name": wanted.name or None,
        "project": wanted.project,
        "run_id": wanted.run_id,
        "timeout_s": wanted.timeout_s,
        "requirements": wanted.requirements,
    }
    return {key: value for key, value in said.items() if value is not None}


def _command(spec: dict[str, Json], wanted: Wanted) -> None:
    """Put the command in: the words after `--`, which are arguments where -e is given too."""
    given = spec.get("overrides")
    overrides = dict(given) if isinstance(given, dict) else {}
    words: list[Json] = [*wanted.command]
    if wanted.entry_point:
        try:
            overrides["entry_point"] = [*shlex.split(wanted.entry_point)]
        except ValueError as error:
            raise CommandError(
                "the entry point cannot be read", str(error).lower(), code=Code.USAGE
            ) from None
    if words:
        overrides["args" if wanted.entry_point else "entry_point"] = words
    if overrides:
        spec["overrides"] = overrides


def _variables(spec: dict[str, Json], given: Sequence[str]) -> None:
    before = spec.get("env")
    variables = dict(before) if isinstance(before, dict) else {}
    variables.update(_pairs(given, "--env"))
    if variables:
        spec["env"] = variables


def _pairs(given: Sequence[str], flag: str) -> Iterator[tuple[str, str]]:
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise CommandError(
                f"{name} has no value", "", f"write {flag} {name}=VALUE", code=Code.USAGE
            )
        yield name, value


def _values(session: Session, spec: dict[str, Json], given: Sequence[str]) -> dict[str, Json]:
    """Return template values, each of the type that the queue gave its variable."""
    queue = session.operator.queue(session.entity, session.queue).queue
    known, _ = read_variables(queue.template_variables)
    before = spec.get("template_variables")
    values = dict(before) if isinstance(before, dict) else {}
    return values | {n: from_text(known, n, text) for n, text in _pairs(given, "--set-var")}


def _secrets(spec: dict[str, Json], given: Sequence[str]) -> None:
    """Name secrets; one of the file's for the same variable gives way."""
    wanted: dict[str, Json] = {}
    for text in given:
        env, equals, name = text.partition("=")
        if not (env and equals and name):
            remedy = "write --secret ENV=NAME, as HF_TOKEN=hf; `launchyard secret list` has names"
            raise CommandError(
                "--secret names a variable and a secret", "", remedy, code=Code.USAGE
            )
        wanted[env] = {"env": env, "from": f"secret:{name.removeprefix('secret:')}"}
    before = spec.get("secrets")
    kept: list[Json] = [
        one
        for one in (before if isinstance(before, list) else ())
        if not (isinstance(one, dict) and one.get("env") in wanted)
    ]
    if wanted:
        spec["secrets"] = [*kept, *wanted.values()]


def _resource_args(session: Session, text: str) -> dict[str, Json]:
    """Return overrides under the name of the queue's target, however they were written."""
    literal = text.lstrip().startswith("{")
    name = "--resource-args" if literal else text
    document = session.programs.read_document(text if literal else text_of(text), name)
    if not isinstance(document.value, dict):
        raise CommandError(f"{name} is no object", code=Code.CONFIG)
    resource = session.operator.queue(session.entity, session.queue).queue.resource
    inner = document.value.get("resource_args", document.value)
    if isinstance(inner, dict) and resource in inner:
        return dict(inner)
    return {resource: inner}


def _source(session: Session, wanted: Wanted) -> dict[str, Json]:
    flags = {"--dir": wanted.folder, "--git": wanted.git, "--docker-image": wanted.image}
    named = [flag for flag, value in (flags | {"--job": wanted.job}).items() if value]
    if len(named) > 1:
        raise CommandError(
            f"{' and '.join(named)} name different code", "", "keep one", code=Code.USAGE
        )
    if (wanted.ref or wanted.path) and not wanted.git:
        raise CommandError("--git-version and --path belong to --git", code=Code.USAGE)
    if wanted.folder:
        return {"source": {"archive": upload(session, wanted.folder, send=wanted.send)}}
    if wanted.git:
        address = {"url": wanted.git, "ref": wanted.ref, "path": wanted.path}
        return {"source": {"git": {key: value for key, value in address.items() if value}}}
    if wanted.image:
        return {"docker": {"docker_image": wanted.image}}
    return {"job": wanted.job} if wanted.job else {}


def upload(session: Session, folder: str, *, send: bool) -> str:
    """Pack *folder*, upload it unless the server has it, and return its digest."""
    with tempfile.TemporaryDirectory(prefix="launchyard-") as scratch:
        into = Path(scratch) / "source.tar.gz"
        contents = session.programs.pack(folder, str(into))
        how = "is not sent for a plan"
        if send:
            with into.open("rb") as file:
                sent = session.operator.put_archive(contents.sha256, file)
            how = "sent" if sent else "is on the server already"
    files = f"{contents.files} file{'s' * (contents.files != 1)}"
    click.echo(f"{folder}: {files}, {size(contents.size_b)}, {how}", err=True)
    return contents.sha256


def _project(wanted: Wanted) -> str:
    """Name the project after the code: the folder's name, or the repository's."""
    if wanted.folder:
        return Path(wanted.folder).resolve().name or "default"
    if wanted.git:
        return wanted.git.rstrip("/").rpartition("/")[2].removesuffix(".git") or "default"
    return "default"
