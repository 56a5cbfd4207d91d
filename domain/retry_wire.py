"""Retry policies as people write them, and all that is wrong with one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from launchyard.domain.config.problem import DocumentError, Problem, shown
from launchyard.domain.documents import Json, Path
from launchyard.domain.retry import Backoff, Budget, RetryPolicy

MOST_RETRIES: Final = 1000
_DAY_S: Final = 86400.0
_NUMBERS: Final[Mapping[str, tuple[float, float]]] = {
    "first_s": (0, _DAY_S),
    "factor": (1, 100),
    "cap_s": (0, 7 * _DAY_S),
    "jitter": (0, 1),
}
_PARTS: Final = ("budgets", "exit_codes", "backoff", "items_may_override")
_QUEUE_ONLY: Final = "only a queue may say this"


@dataclass(slots=True)
class _Reader:
    """Reads one document and gathers what is wrong with it."""

    path: Path
    of_item: bool
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, path: Path, message: str, allowed: str, hint: str = "") -> None:
        """Note a problem at *path* below the policy."""
        where = (*self.path, *path)
        self.problems.append(Problem(path=where, message=message, allowed=allowed, hint=hint))

    def part(self, value: Json, path: Path, known: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        """Give the known fields of an object."""
        if not isinstance(value, dict):
            self.wrong(path, "must be an object", f"an object with {', '.join(known)}")
            return
        for name, one in value.items():
            if name in known:
                yield name, one
            else:
                self.wrong((*path, name), "is not known here", ", ".join(known))

    def policy(self, value: Json, base: RetryPolicy) -> RetryPolicy:
        """Lay *value* over *base*."""
        for name, one in self.part(value, (), _PARTS):
            match name:
                case "budgets":
                    base = replace(base, budgets=self._budgets(one, base.budgets))
                case "exit_codes":
                    base = self._codes(one, base)
                case "backoff":
                    base = replace(base, backoff=self._backoff(one, base.backoff))
                case _:
                    base = self._override(one, base)
        return base

    def _budgets(self, value: Json, base: Mapping[Budget, int]) -> Mapping[Budget, int]:
        budgets = dict(base)
        for name, most in self.part(value, ("budgets",), tuple(Budget)):
            path = ("budgets", name)
            if name == Budget.LOST and self.of_item:
                hint = "a lost attempt may still be running; ask the queue's owner"
                self.wrong(path, _QUEUE_ONLY, "leave it out", hint)
            elif type(most) is not int or not 0 <= most <= MOST_RETRIES:
                text = f"is {shown(most)}, which is no number of retries"
                self.wrong(path, text, f"a whole number from 0 to {MOST_RETRIES}")
            else:
                budgets[Budget(name)] = most
        return budgets

    def _codes(self, value: Json, base: RetryPolicy) -> RetryPolicy:
        lists = {"retry": base.retry_codes, "never": base.never_codes}
        for name, codes in self.part(value, ("exit_codes",), ("retry", "never")):
            lists[name] = self._list(codes, ("exit_codes", name))
        both = sorted({*lists["retry"]} & {*lists["never"]})
        if both:
            text = f"{', '.join(map(str, both))} is also among `retry`"
            self.wrong(("exit_codes", "never"), text, "each code in one of the two lists")
        return replace(base, retry_codes=lists["retry"], never_codes=lists["never"])

    def _list(self, value: Json, path: Path) -> tuple[int, ...]:
        allowed = "a list of exit codes from 1 to 255"
        if not isinstance(value, list):
            self.wrong(path, "must be a list", allowed)
            return ()
        good = [code for code in value if type(code) is int and 0 < code < 256]  # noqa: PLR2004
        for number, code in enumerate(value):
            if type(code) is not int or code not in good:
                self.wrong((*path, number), f"is {shown(code)}, no exit code of a failure", allowed)
        return tuple(dict.fromkeys(good))

    def _backoff(self, value: Json, base: Backoff) -> Backoff:
        for name, number in self.part(value, ("backoff",), tuple(_NUMBERS)):
            least, most = _NUMBERS[name]
            if type(number) not in {int, float} or not least <= number <= most:
                text = f"is {shown(number)}"
                self.wrong(("backoff", name), text, f"a number from {least:g} to {most:g}")
            else:
                base = replace(base, **{name: float(number)})
        return base

    def _override(self, value: Json, base: RetryPolicy) -> RetryPolicy:
        path = ("items_may_override",)
        if self.of_item:
            self.wrong(path, _QUEUE_ONLY, "leave it out")
        elif type(value) is not bool:
            self.wrong(path, f"is {shown(value)}", "true or false")
        else:
            return replace(base, may_override=value)
        return base


def queue_policy(document: Json) -> RetryPolicy:
    """Return the policy of a queue: what its owner wrote over what holds where nobody wrote any.

    Raises:
        DocumentError: with everything that is wrong, each with its path and what is allowed.
    """
    return _read(_Reader(("retry",), of_item=False), document, RetryPolicy())


def item_policy(document: Json, queue: RetryPolicy) -> RetryPolicy:
    """Return the policy of an item: its own words over its queue's, part by part.

    Raises:
        DocumentError: as for a queue; or the queue does not let its items have one.
    """
    if document is not None and not queue.may_override:
        raise DocumentError([_forbidden()])
    return _read(_Reader(("retry",), of_item=True), document, queue)


def effective(queue: Json, item: Json) -> RetryPolicy:
    """Return what holds for an item whose policies were checked when they were written.

    A queue that has come to forbid its items' policies since then is obeyed.
    """
    base = _Reader((), of_item=False).policy(queue or {}, RetryPolicy())
    return _Reader((), of_item=True).policy(item or {}, base) if base.may_override else base


def _read(reader: _Reader, document: Json, base: RetryPolicy) -> RetryPolicy:
    policy = base if document is None else reader.policy(document, base)
    if reader.problems:
        raise DocumentError(reader.problems)
    return policy


def _forbidden() -> Problem:
    return Problem(
        path=("retry",),
        message="this queue does not let its items say what is tried again",
        allowed="leave it out",
        hint="ask the queue's owner",
    )
