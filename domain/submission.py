"""What a submit does: judge a launch against its queue and say what to put there.

The item keeps the launch's own words and the queue's configuration as it was; they are put
together again by the agent (`domain.macros.compose`). Here the result is only looked at, so that
whoever submits hears of a mistake at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from launchyard.domain.config.problem import DocumentError, Problem, Severity
from launchyard.domain.documents import Json, Path, copy_json
from launchyard.domain.exchange import ItemGrant
from launchyard.domain.macros import compose, plain
from launchyard.domain.merge import (
    changed_paths,
    check_pattern,
    merge_patch,
    refused,
    without_top_nulls,
)
from launchyard.domain.priority import DEFAULT, Priority, QueueMode, priority_of
from launchyard.domain.secrets import missing
from launchyard.domain.spec import (
    LaunchSpec,
    Service,
    parse_spec,
    split_api_key,
    suspicious_keys,
    to_document,
)
from launchyard.domain.template_schema import Variables, read_variables
from launchyard.domain.templates import check_placeholders, check_values, locked, placeholders

WANDB_KEY: Final = "WANDB_API_KEY"
"""The secret that a spec's `_wandb_api_key` becomes."""

WANDB_URL: Final = "WANDB_BASE_URL"
"""Beside that secret, the address of the W&B server that an item came from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRules:
    """What a server knows of a target: paths that only the owner sets, and how to check.

    `policy` compares the queue's own configuration with the merged one, where paths alone do not
    tell what a launch may not ask for. `words` yields the places of a merged configuration that
    other words of a launch replace, each after where those stand in the launch. `show` gives the
    request that a lease would lead to, or raises `DocumentError` with what is in the way.
    """

    protected: tuple[str, ...]
    check: Callable[[Json], Sequence[Problem]]
    policy: Callable[[Json, Json, Sequence[Service]], Iterable[Problem]] | None = None
    words: Callable[[Json, LaunchSpec], Iterable[tuple[Path, Path]]] | None = None
    show: Callable[[ItemGrant], Json] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRules:
    """What a launch is judged by: its queue as it stands, and the rules of the queue's target.

    `variables` are its template variables, as its owner wrote them; `secrets` are the names that
    the queue's entity keeps.
    """

    resource: str
    config: Json
    overridable: tuple[str, ...] | None = None
    target: TargetRules | None = None
    secrets: tuple[str, ...] = ()
    variables: Json = None
    mode: QueueMode = QueueMode.FIFO


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What goes on the queue; `merged` is what the target will get, macros still in it."""

    spec: LaunchSpec
    document: dict[str, Json]
    merged: Json
    priority: Priority = DEFAULT
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    warnings: tuple[Problem, ...] = ()


def judge(document: Json, queue: QueueRules, priority: Json = None) -> Submission:
    """Return what *document* would put on *queue*; *priority* is stronger than the document's.

    Raises:
        DocumentError: with every reason why it may not, each with its path.
    """
    if isinstance(document, dict):
        document = without_top_nulls(document)
    spec, wandb_key = split_api_key(parse_spec(document))
    problems = [*_foreign_resource(spec, queue), *_secrets(spec, wandb_key, queue)]
    variables, _ = read_variables(queue.variables)
    values, wrong = check_values(variables, spec.template_variables)
    urgent, refusal = priority_of(spec.priority if priority is None else priority, queue.mode)
    problems += [*wrong, *([refusal] if refusal else ())]
    spec = replace(spec, resource=queue.resource, template_variables=values, priority=None)
    overrides = overrides_of(spec)
    problems += _refusals(spec, overrides, queue)
    merged = plain(compose(queue.config, overrides, values))
    if queue.target is not None and not problems:
        problems += queue.target.check(merged)
        if queue.target.policy is not None:
            own = plain(compose(queue.config, {}, values))
            problems += queue.target.policy(own, merged, spec.additional_services)
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise DocumentError(problems)
    return Submission(
        spec=spec,
        document=to_document(spec),
        merged=merged,
        priority=urgent,
        secrets={WANDB_KEY: wandb_key} if wandb_key else {},
        warnings=(*problems, *suspicious_keys(spec)),
    )


def overrides_of(spec: LaunchSpec) -> dict[str, Json]:
    """Return what *spec* lays over its queue's configuration: its arguments and variables."""
    own = spec.resource_args.get(spec.resource)
    overrides = copy_json(own) if isinstance(own, dict) else {}
    variables: Json = {"env": dict(spec.env)}
    merged = merge_patch(overrides, variables) if spec.env else overrides
    return merged if isinstance(merged, dict) else {}


def check_queue(queue: QueueRules) -> tuple[Problem, ...]:
    """Return all that is wrong with a queue as its owner describes it."""
    problems = [
        Problem(path=("overridable", index), message=wrong)
        for index, pattern in enumerate(queue.overridable or ())
        if (wrong := check_pattern(pattern)) is not None
    ]
    variables, slips = read_variables(queue.variables)
    if not isinstance(queue.config, dict):
        problems.append(Problem(path=("config",), message="must be an object"))
    elif not slips:
        unknown = check_placeholders(queue.config, variables)
        problems += unknown or _sampled(queue, variables)
    return (*problems, *slips)


def _sampled(queue: QueueRules, variables: Variables) -> list[Problem]:
    """Check a configuration with some value for each variable, which itself may be wrong."""
    if queue.target is None:
        return []
    samples = {name: variable.sample() for name, variable in variables.items()}
    places = placeholders(queue.config) if variables else {}
    root = ("resource_args", queue.resource)
    found = queue.target.check(plain(compose(queue.config, {}, samples)))
    chosen = {(*root, *place) for place in places}
    return [one for one in found if one.path not in chosen]


def unwrapped(config: Json, resource: str) -> Json:
    """Return a queue's configuration without the `resource_args.<resource>` around it, if any.

    W&B writes it wrapped, because there one document may speak to several targets.
    """
    inner = config.get("resource_args") if isinstance(config, dict) and len(config) == 1 else None
    if isinstance(inner, dict) and set(inner) <= {resource}:
        return inner.get(resource) or {}
    return {} if config is None else config


def _foreign_resource(spec: LaunchSpec, queue: QueueRules) -> list[Problem]:
    others = [key for key in spec.resource_args if key != queue.resource]
    problems = [
        Problem(
            path=("resource_args", key),
            message=f"this queue's target is {queue.resource}, so nothing reads it",
            severity=Severity.WARNING,
        )
        for key in others
    ]
    if spec.resource not in {"", queue.resource}:
        message = f"is {spec.resource}, but this queue's target is {queue.resource}"
        hint = "leave it out, or choose another queue"
        problems.append(Problem(path=("resource",), message=message, hint=hint))
    return problems


def _secrets(spec: LaunchSpec, wandb_key: str, queue: QueueRules) -> list[Problem]:
    """Refuse names without a value: the job would run and fail late."""
    problems = missing(spec, queue.secrets)
    if wandb_key and any(secret.env == WANDB_KEY for secret in spec.secrets):
        hint = "keep one of the two"
        message = f"the launch has a secret for {WANDB_KEY} as well"
        problems.append(Problem(path=("_wandb_api_key",), message=message, hint=hint))
    return problems


def _refusals(spec: LaunchSpec, overrides: Json, queue: QueueRules) -> list[Problem]:
    protected = queue.target.protected if queue.target else ()
    config = plain(compose(queue.config, {}, spec.template_variables))
    variables, _ = read_variables(queue.variables)
    changes = changed_paths(config, overrides)
    words = _replaced(spec, overrides, queue) if variables else {}
    words = {place: given for place, given in words.items() if place not in changes}
    closed = locked(queue.config, variables, (*changes, *words))
    found = refused(config, overrides, queue.overridable, protected)
    taken = {problem.path for problem in closed}
    return [
        replace(one, path=words.get(one.path) or _given_at(one.path, spec, queue)) for one in closed
    ] + [
        Problem(
            path=_given_at(one.path, spec, queue),
            message=str(one),
            hint="ask the queue's owner, or leave it out",
        )
        for one in found
        if one.path not in taken
    ]


def _replaced(spec: LaunchSpec, overrides: Json, queue: QueueRules) -> dict[Path, Path]:
    """Return where placeholders stand that other words of *spec* replace, with where those do."""
    if queue.target is None or queue.target.words is None:
        return {}
    merged = plain(compose(queue.config, overrides, spec.template_variables))
    places = placeholders(queue.config)
    return {
        place: given
        for given, written in queue.target.words(merged, spec)
        for place in places
        if place[: len(written)] == written
    }


def _given_at(path: Path, spec: LaunchSpec, queue: QueueRules) -> Path:
    """Return where in the launch an override of *path* stands."""
    if path and path[0] == "env" and spec.env:
        return path
    return ("resource_args", queue.resource, *path)
