"""What this machine's reviewers say about a plan, before any agent claims it."""

from __future__ import annotations

from launchyard.domain.documents import Json
from launchyard.domain.review import Phase, Review, Reviewed
from launchyard.ports.operator import Launch
from launchyard.ports.programs import Programs


def reviewed(programs: Programs, wish: Launch, document: dict[str, Json]) -> Reviewed:
    """Have a plan reviewed, and put into it what reviewers changed or said.

    These are the plugins and the configuration of this machine; an agent asks its own.
    """
    review = Review(
        phase=Phase.PLAN,
        target=str(document.get("resource", "")),
        entity=wish.entity,
        queue=wish.queue,
        spec=document.get("spec"),
        config=document.get("config"),
    )
    word = programs.review(review)
    if word.changed_by:
        document["spec"], document["config"] = word.review.spec, word.review.config
        document["changed_by"] = [*word.changed_by]
    if word.rejection is not None:
        document["refused"] = word.text
    return word
