"""The order in which a queue serves its items."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

from launchyard.domain.config.problem import Problem
from launchyard.domain.documents import Json


class QueueMode(StrEnum):
    """FIFO serves by age alone; PRIORITY serves by priority, and by age within one."""

    FIFO = "fifo"
    PRIORITY = "priority"


class Priority(IntEnum):
    """How urgent an item is; a lower number is served sooner."""

    CRITICAL = 0
    HIGH = 1
    MEDIUM = 2
    LOW = 3

    @property
    def word(self) -> str:
        """The name that people use."""
        return self.name.lower()


DEFAULT: Final = Priority.MEDIUM
"""What every item has unless it says otherwise; on a FIFO queue the only one."""

WORDS: Final = tuple(priority.word for priority in Priority)


def read_priority(value: Json) -> Priority | None:
    """Return the priority that a number or a word means; None when it means none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int) and value in {priority.value for priority in Priority}:
        return Priority(value)
    if isinstance(value, str) and value.lower() in WORDS:
        return Priority[value.upper()]
    return None


def priority_of(value: Json, mode: QueueMode) -> tuple[Priority, Problem | None]:
    """Return the priority that *value* asks for (null: the default), and why it may not if so.

    A FIFO queue takes the default, because W&B's sweeps send it to every queue, and no other.
    """
    found = DEFAULT if value is None else read_priority(value)
    if found is None:
        allowed = ", ".join(f"{one.word} ({one.value})" for one in Priority)
        message = "is no priority"
        return DEFAULT, Problem(path=("priority",), message=message, allowed=allowed, hint=allowed)
    if mode is QueueMode.FIFO and found is not DEFAULT:
        message = f"is {found.word}, but this queue serves by age alone"
        hint = "leave it out, or ask the queue's owner for `mode: priority`"
        return DEFAULT, Problem(path=("priority",), message=message, hint=hint)
    return found, None
