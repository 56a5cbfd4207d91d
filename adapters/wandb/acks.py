"""Making items ours: the ack, and what a refused one means (PROTOCOL 10)."""

from __future__ import annotations

from collections.abc import Sequence

from launchyard.adapters.wandb import operations as op
from launchyard.adapters.wandb.book import Held
from launchyard.adapters.wandb.line import Line, checked, field_of, inner, now_ms
from launchyard.domain.wandb_items import LEASE_MS

CHUNK: int = 50


def acknowledge(line: Line, asked: Sequence[Held]) -> dict[str, bool]:
    """Ack items; say of each whether it is ours. Those that are not are forgotten.

    That an ack was sent is written first: a second one is always refused, so when an answer was
    lost, or is an error, the item itself is asked whose it is.

    Raises:
        ServerError: the server did not say; the acks may have been heard.
    """
    ours: dict[str, bool] = {}
    for at in range(0, len(asked), CHUNK):
        ours |= _acknowledge(line, asked[at : at + CHUNK])
    return ours


def _acknowledge(line: Line, asked: Sequence[Held]) -> dict[str, bool]:
    again = {held.item for held in asked if held.tried}
    for held in asked:
        line.book.change(held.item, tried=True)
    reply = line.ask(op.ack([(held.item, held.run_id) for held in asked]))
    said = {held.item: field_of(reply, number) for number, held in enumerate(asked)}
    ours = {item: True for item, answer in said.items() if inner(answer, "success") is True}
    for item in ours:
        line.book.change(item, acked=True)
    checked(reply, len(asked))
    # One that met an error is as unsure as one whose answer was lost: it may have been heard.
    unsure = [h for h in asked if h.item not in ours and (h.item in again or said[h.item] is None)]
    ours |= _look_up(line, unsure)
    for held in asked:
        if ours.setdefault(held.item, False):
            line.book.change(held.item, acked=True)
        else:
            line.book.drop(held.item)
    return ours


def _look_up(line: Line, unsure: Sequence[Held]) -> dict[str, bool]:
    """Say of items whose ack got no clear answer whether one was heard."""
    if not unsure:
        return {}
    asked = [(held.queue, held.item) for held in unsure]
    reply = checked(line.ask(op.items(line.entity, asked)), len(asked))
    return {
        held.item: _is_ours(held, field_of(reply, number)) for number, held in enumerate(unsure)
    }


def _is_ours(held: Held, answer: object) -> bool:
    """Tell whether the run that the item has become is ours.

    An id that came with the launch would be another agent's, too; then it is ours only as long as
    nobody else could have been given the item.
    """
    found = inner(answer, "runQueue", "runQueueItem", "associatedRunId")
    return found == held.run_id and (held.mine or now_ms() - held.popped_ms < LEASE_MS)
