"""What single values and whole specs are checked for; each check answers in words."""

from __future__ import annotations

import re
from collections.abc import Callable

from launchyard.domain.config.problem import Problem
from launchyard.domain.images import ImageError, parse_image
from launchyard.domain.remotes import RemoteRefusedError
from launchyard.domain.spec.model import LaunchSpec, NoSource


def like(pattern: re.Pattern[str], wanted: str) -> Callable[[str], str | None]:
    """Make a check that objects to whatever *pattern* does not match in full."""
    return lambda text: None if pattern.fullmatch(text) else f"must be {wanted}"


def image(text: str) -> str | None:
    """Object to what is no image reference."""
    try:
        parse_image(text)
    except ImageError as error:
        return str(error)
    return None


def refusal(check: Callable[[str], object]) -> Callable[[str], str | None]:
    """Turn a check of `domain.remotes` into one that answers instead of raising."""

    def refuse(text: str) -> str | None:
        try:
            check(text)
        except RemoteRefusedError as error:
            return str(error)
        return None

    return refuse


def between_parts(spec: LaunchSpec) -> list[Problem]:
    """Return what is wrong between the parts of a spec whose parts are right."""
    named = {
        "source": "code" if spec.code else "",
        "job": spec.job,
        "docker.docker_image": spec.docker.image,
        "image_uri": "" if spec.image_uri == spec.docker.image else spec.image_uri,
    }
    given = [key for key, value in named.items() if value]
    problems = []
    if len(given) > 1:
        said = " and ".join(f"`{key}`" for key in given)
        hint = "keep the one that says where the code is"
        problems.append(Problem(path=(given[1],), message=f"both {said} are given", hint=hint))
    runs_itself = spec.job or spec.image
    if not runs_itself and not (spec.overrides.entry_point or spec.overrides.args):
        what = "nothing to run" if isinstance(spec.source, NoSource) else "no command for the code"
        hint = "set it to the command's words, as [python, train.py]; or name a `job` or an image"
        problems.append(Problem(path=("overrides", "entry_point"), message=what, hint=hint))
    doubled = sorted({s.env for s in spec.secrets} & set(spec.env))
    problems += [
        Problem(path=("env", name), message=f"`{name}` is a secret of this launch as well")
        for name in doubled
    ]
    return problems
