"""Plan an attempt as a process of this machine: the `local-process` target.

The plan says all that the runner needs and holds no secret. A job's folder looks so:

    <folder>/         HOME
    <folder>/work     the source code, and where the command runs
    <folder>/outputs  LAUNCHYARD_OUTPUT
    <folder>/tmp      TMPDIR

What runs and watches the job keeps its own records elsewhere, where the job has no business.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from launchyard.domain.config.problem import DocumentError, Problem
from launchyard.domain.documents import Json, Path
from launchyard.domain.environment import JobFacts, public_environment
from launchyard.domain.spec import (
    ImageSource,
    LaunchSpec,
    NoSource,
    SecretRef,
    Source,
    command_of,
)
from launchyard.domain.targets.local_config import TYPE, LocalSettings, read_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class VenvRequest:
    """A virtual environment to run in: a file of the source, or lines; empty means "look"."""

    python: str = ""
    requirements: str | tuple[str, ...] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalDefaults:
    """What holds where the queue says nothing; no `run_s` means no limit."""

    run_s: float | None = None
    grace_s: float = 10.0
    log_quota_b: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalContext:
    """Where an attempt is to run, and under what name; `folder` is absolute and its alone."""

    name: str
    folder: str
    facts: JobFacts
    defaults: LocalDefaults = field(default_factory=LocalDefaults)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPlan:
    """One process: its words, its variables less the secret ones, and its limits.

    `cwd` is where it runs, below `work`, where the source goes. The values of `secrets`, and
    what `secret_environment` gives, are laid over `env` at the launch and stored nowhere.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    folder: str
    work: str
    cwd: str
    output: str
    tmp: str
    source: Source
    venv: VenvRequest | None
    secrets: tuple[SecretRef, ...]
    outputs: tuple[str, ...]
    run_s: float | None
    grace_s: float
    log_quota_b: int
    nice: int


def plan_local(spec: LaunchSpec, config: Json, context: LocalContext) -> LocalPlan:
    """Return what the runner is to do; *config* is the queue's, merged and with macros resolved.

    Raises:
        DocumentError: the spec asks for what this target has not, or the configuration is wrong;
            it holds every problem.
    """
    settings, problems = read_settings(config)
    problems = (*problems, *_unfit(spec))
    if problems:
        raise DocumentError(problems)
    folder, defaults = context.folder, context.defaults
    work, output, tmp = parts_of(folder)
    declared = {**settings.env, **spec.env}
    facts = replace(context.facts, declared=declared, home=folder, output=output, tmp=tmp)
    return LocalPlan(
        name=context.name,
        argv=_argv(spec, shell=settings.shell),
        env=public_environment(replace(facts, spec=spec)),
        folder=folder,
        work=work,
        cwd=posixpath.normpath(posixpath.join(work, spec.overrides.working_dir)),
        output=output,
        tmp=tmp,
        source=spec.source,
        venv=_venv(spec, settings),
        secrets=spec.secrets,
        outputs=spec.outputs,
        run_s=_shortest(settings.run_s, spec.timeout_s, defaults.run_s),
        grace_s=defaults.grace_s if settings.grace_s is None else settings.grace_s,
        log_quota_b=(
            defaults.log_quota_b if settings.log_quota_b is None else settings.log_quota_b
        ),
        nice=settings.nice,
    )


def parts_of(folder: str) -> tuple[str, str, str]:
    """Return where the source code, the outputs and the temporary files of a job's folder are."""
    work, output, tmp = (posixpath.join(folder, part) for part in ("work", "outputs", "tmp"))
    return work, output, tmp


def in_venv(plan: LocalPlan, venv: str) -> LocalPlan:
    """Return *plan* with the virtual environment at *venv* in front of its PATH."""
    path = plan.env.get("PATH", "")
    first = posixpath.join(venv, "bin")
    env = {**plan.env, "VIRTUAL_ENV": venv, "PATH": f"{first}:{path}" if path else first}
    return replace(plan, env=env)


def _argv(spec: LaunchSpec, *, shell: bool) -> tuple[str, ...]:
    """Return the words to run; a shell gets the arguments as its own, so that none is split."""
    if not shell:
        return command_of(spec)
    script, args = spec.overrides.entry_point, spec.overrides.args
    if not script:
        return ("/bin/sh", "-c", " ".join(args))
    if not args:
        return ("/bin/sh", "-c", " ".join(script))
    return ("/bin/sh", "-c", f'{" ".join(script)} "$@"', "sh", *args)


def _venv(spec: LaunchSpec, settings: LocalSettings) -> VenvRequest | None:
    """Return the environment to run in; nothing fetched and nothing asked for needs none."""
    requirements = spec.requirements or settings.requirements
    if isinstance(spec.source, NoSource):
        # A file of the queue's is looked for in the source, and there is none.
        requirements = spec.requirements
        if not requirements:
            return None
    return VenvRequest(python=spec.python_version or settings.python, requirements=requirements)


def _shortest(*limits_s: float | None) -> float | None:
    return min((limit for limit in limits_s if limit is not None), default=None)


def _unfit(spec: LaunchSpec) -> Iterator[Problem]:
    """Yield what a spec asks for and this target has not."""
    if isinstance(spec.source, ImageSource):
        path: Path = ("docker", "docker_image") if spec.docker.image else ("image_uri",)
        hint = "send it to a docker or kubernetes queue, or give the code instead of an image"
        yield Problem(path=path, message=f"{TYPE} runs no container images", hint=hint)
    elif not command_of(spec):
        hint = "set it to the command's words, as [python, train.py]"
        yield Problem(path=("overrides", "entry_point"), message="nothing to run", hint=hint)
    if spec.additional_services:
        hint = "send it to a kubernetes queue, or leave them out"
        path = ("additional_services",)
        yield Problem(path=path, message=f"{TYPE} runs no services beside a job", hint=hint)
    in_source = isinstance(spec.requirements, str) and spec.requirements
    if in_source and isinstance(spec.source, NoSource):
        hint = "list the requirements themselves, or give a source that has the file"
        yield Problem(path=("requirements",), message="there is no source with it", hint=hint)
