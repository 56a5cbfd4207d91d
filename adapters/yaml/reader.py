"""Read a YAML text into plain values with the line of each, or say how to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import yaml

from launchyard.adapters.yaml.slips import (
    code_lines,
    line_slips,
    list_slips,
    scalar_slips,
    settings_file,
)
from launchyard.adapters.yaml.tree import Tree
from launchyard.domain.config.problem import DocumentError, Marked, Problem, repaired
from launchyard.domain.documents import Json, Path

_LARGEST: Final = 1024 * 1024
_TRIES: Final = 4


@dataclass(frozen=True, slots=True)
class Reading:
    """What one attempt at a text gave."""

    value: Json
    lines: Mapping[Path, int]
    problems: tuple[Problem, ...]


def read(text: str, name: str) -> Marked:
    """Return the document in *text*; an empty text is null. *name* stands in messages.

    Raises:
        DocumentError: with every slip in the text, each with its line and the repair.
    """
    document = read_on(text, name)
    if document.problems:
        raise DocumentError(document.problems)
    return document


def read_on(text: str, name: str) -> Marked:
    """Return what can be read of *text* in spite of slips, which `problems` lists.

    A checker can go on with the rest, so that people see slips and wrong values at once.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    told: dict[tuple[int | None, str], Problem] = {}
    reading = _attempt(text)
    for _ in range(_TRIES):
        new = [p for p in reading.problems if (p.line, p.message) not in told]
        told |= {(problem.line, problem.message): problem for problem in new}
        mended = repaired(text, new)
        if mended == text:
            break
        text, reading = mended, _attempt(mended)
    problems = sorted(told.values(), key=lambda p: (p.line is None, p.line or 0))
    return Marked(
        value=reading.value,
        lines=reading.lines,
        name=name,
        problems=tuple(replace(problem, source=name) for problem in problems),
    )


def _attempt(text: str) -> Reading:
    try:
        roots = _composed(text)
    except DocumentError as error:
        return Reading(None, {}, error.problems)
    if not roots:
        return Reading(None, {}, ())
    tree = Tree()
    value = tree.value(roots[0], ())
    slips = (slip for path, node in tree.plain for slip in scalar_slips(path, node, text))
    return Reading(value, tree.lines, (*tree.problems, *slips))


def _composed(text: str) -> list[yaml.Node]:
    """Return the root of the only document in *text*, or nothing when it is empty."""
    if len(text) > _LARGEST:
        raise _stop(f"is longer than {_LARGEST} characters", "keep data out of configuration")
    lines = tuple(code_lines(text))
    if foreign := settings_file(lines):
        raise DocumentError([foreign])
    try:
        roots = [root for root in yaml.compose_all(text, Loader=yaml.SafeLoader) if root]
    except RecursionError:
        raise _stop("is nested too deep", "write it in fewer than 100 levels") from None
    except yaml.YAMLError as error:
        slips = (*line_slips(lines),) or (*list_slips(lines),)
        raise DocumentError(slips or [_failure(text, error)]) from None
    except (ValueError, OverflowError):  # PyYAML on impossible escapes, as "\\UFFFFFFFF"
        hint = "write a backslash twice, or use single quotes"
        raise _stop("holds an impossible escape", hint) from None
    if len(roots) > 1:
        raise DocumentError([_several(roots[1])])
    words = roots and isinstance(roots[0], yaml.ScalarNode) and roots[0].style is None
    if words and (slips := tuple(list_slips(lines))):
        raise DocumentError(slips)
    return roots


def _stop(message: str, hint: str) -> DocumentError:
    return DocumentError([Problem(path=(), message=message, hint=hint)])


def _several(second: yaml.Node) -> Problem:
    return Problem(
        path=(),
        message="holds more than one document",
        line=second.start_mark.line + 1,
        allowed="one document",
        hint="remove the line `---` and what belongs to the other document",
    )


def _failure(text: str, error: yaml.YAMLError) -> Problem:
    """Return the parser's complaint in words, at the line where people will look for it."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem(
            path=(),
            message="holds characters that YAML does not allow",
            hint="remove control characters; save the file as UTF-8",
        )
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else None
    context, problem = str(error.context or ""), str(error.problem or "")
    if "quoted scalar" in context and error.context_mark:
        return _open_quote(error.context_mark.line + 1)
    if "flow" in context and error.context_mark:
        return Problem(
            path=(),
            message="a bracket opened here is not closed, or a comma is missing inside",
            line=error.context_mark.line + 1,
            hint="close it with `]` or `}`, and put commas between its entries",
        )
    return Problem(
        path=(),
        message=f"is no YAML: {problem or 'it cannot be read'}",
        line=line,
        hint=_advice(problem, text, line),
    )


def _open_quote(line: int) -> Problem:
    return Problem(
        path=(),
        message="a quote opened here is never closed",
        line=line,
        hint="add the same quote at the end of the value, or remove the first one",
    )


def _advice(problem: str, text: str, line: int | None) -> str:
    if "mapping values are not allowed" in problem:
        return "check the indentation, or put the value in quotes when it holds `: `"
    if "undefined alias" in problem:
        return "`*` begins an alias; put the value in quotes"
    if "cannot start any token" in problem:
        return "put the value in quotes; it begins with a character that means something else"
    if "could not find expected ':'" in problem or "<block end>" in problem:
        return "each line is `key: value` or `- value`, and entries of a block begin in one column"
    lines = text.split("\n")
    near = lines[line - 1].strip() if line and line <= len(lines) else ""
    return "check the indentation of this line" if near else "check the line before the end"
