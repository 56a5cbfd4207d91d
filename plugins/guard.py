"""Calling strangers' code: it may raise anything, and it may never come back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class StrangerError(Exception):
    """The call failed or took too long; the message says which, for people."""


class AbandonedError(StrangerError):
    """The call took too long; its thread is left behind."""


def call_within(limit_s: float, name: str, call: Callable[[], T]) -> T:
    """Return what *call* returns, from a thread that is left behind after *limit_s*.

    Raises:
        StrangerError: for whatever it raised, `SystemExit` included.
        AbandonedError: when time was up.
    """
    answer: Future[T] = Future()
    # A daemon: what hangs in a stranger's code must not keep the agent from ending.
    threading.Thread(target=_run, args=(call, answer), name=name, daemon=True).start()
    try:
        error = answer.exception(limit_s)
    except TimeoutError:
        raise AbandonedError(f"gave no answer within {limit_s:g} s and was abandoned") from None
    if error is not None:
        raise StrangerError(_words(error)) from error
    return answer.result()


def _run(call: Callable[[], T], answer: Future[T]) -> None:
    try:
        answer.set_result(call())
    except BaseException as e:  # noqa: BLE001 - whatever it is, it goes to the caller
        answer.set_exception(e)


def _words(error: BaseException) -> str:
    """Return an error's kind and its first line; the rest may hold anything."""
    said = str(error).strip().split("\n", 1)[0][:200]
    return f"raised {type(error).__name__}: {said}" if said else f"raised {type(error).__name__}"
