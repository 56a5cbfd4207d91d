"""Which queue is asked first: those that were served step back behind those that were not.

A claim fills its slots from the queues in order, so a queue that has work and was not served had
only served queues before it. Each claim puts at least one of those behind it: with n queues, no
ready one waits for more than n - 1 claims of the others.
"""

from __future__ import annotations

from collections.abc import Collection


def after_claim(order: tuple[str, ...], served: Collection[str]) -> tuple[str, ...]:
    """Return the order for the next claim, once the queues *served* have given items."""
    waiting = tuple(queue for queue in order if queue not in served)
    return (*waiting, *(queue for queue in order if queue in served))
