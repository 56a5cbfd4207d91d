"""Looking through every place that jobs were sent to, whatever has become of some of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from launchyard.adapters.kubernetes.absence import lacks
from launchyard.adapters.kubernetes.errors import KubernetesError
from launchyard.adapters.kubernetes.notes import Notes
from launchyard.adapters.kubernetes.paths import Address, Place, spot_of
from launchyard.adapters.kubernetes.places import Places
from launchyard.adapters.kubernetes.submitting import Submitting
from launchyard.domain.naming import AGENT, ATTEMPT, INSTALLATION, ITEM, Owner, label_value
from launchyard.domain.reason import Reason
from launchyard.ports import events
from launchyard.ports.runner import Handle, Owned, RunnerError

_log = logging.getLogger(__name__)


class Round:
    """One round through places: those of a cluster that does not answer are not asked each."""

    def __init__(self) -> None:
        self.errors: dict[Place, KubernetesError] = {}
        self._mute: dict[Address, KubernetesError] = {}

    def ask(self, place: Place, look: Callable[[Place], object]) -> bool:
        """Have *look* look at a place; tell whether it could."""
        error = self._mute.get(place.address)
        if error is None:
            try:
                look(place)
            except KubernetesError as e:
                error = e
                if not e.status:
                    self._mute[place.address] = e
        if error is not None:
            self.errors[place] = error
        return error is None


class Listing:
    """What is anywhere; no cluster that is gone, nor a kind, hides what is elsewhere."""

    def __init__(self, places: Places, notes: Notes) -> None:
        self._places, self._notes = places, notes

    def owned(self, installation: str, agent: str) -> tuple[Owned, ...]:
        """Return what an agent has, as far as it can be listed; the rest is told of.

        Raises:
            KubernetesError: no place at all can be listed now.
        """
        mine = (f"{INSTALLATION}={label_value(installation)}", f"{AGENT}={label_value(agent)}")
        words, found = ",".join(mine), dict[Handle, Owned]()

        def objects(place: Place) -> None:
            for handle, labels, since_ms in self._objects(place, words):
                one = _owned(handle, labels, installation, agent)
                found[handle] = replace(one, created_ms=since_ms)

        def notes(place: Place) -> None:
            for handle, labels in self._notes.listed(place, words):
                found.setdefault(handle, _owned(handle, labels, installation, agent))

        around, known = Round(), self._places.known
        listed = [place for place in known if around.ask(place, objects)]
        if not listed:
            raise around.errors[known[0]]
        for place in {(place.address, place.namespace): place for place in known}.values():
            around.ask(place, notes)
        for place, error in around.errors.items():
            events.SWEEP_FAILED.log(_log, error=f"{place.text}: {self._told(place, error)}")
        self._drop(listed, found, around)
        return tuple(found.values())

    def find(self, owner: Owner, name: str, submitting: Submitting) -> Handle | None:
        """Look an owner's object up, where this process tried to make it or else everywhere.

        Raises:
            RunnerError: it may be somewhere or not; trying again may help.
        """
        found: list[Handle] = []

        def look(place: Place) -> None:
            handle = submitting.find(owner, place, name)
            found.extend([handle] if handle is not None else [])

        tried, around = submitting.tried(name), Round()
        for place in self._places.known if tried is None else (tried,):
            around.ask(place, look)
            if found:
                return found[0]
        for place, error in around.errors.items():
            told = self._told(place, error)
            if not self._places.is_stale(place):
                text = f"{name} cannot be looked up: {told}"
                raise RunnerError(text, reason=Reason.TARGET_UNREACHABLE, retry=True)
            events.TARGET_SILENT.log(_log, name=place.text, error=told)
        return None

    def _objects(
        self, place: Place, words: str
    ) -> Iterator[tuple[Handle, Mapping[str, str], int | None]]:
        # What runs beside a job may be a Job as well, and has no item of its own.
        cluster, query = self._places.cluster(place.address), {"labelSelector": f"{words},{ITEM}"}
        try:
            for page in cluster.pages(place.kind.path(place.namespace), query):
                for one in page.get("items") or ():
                    meta = one["metadata"]
                    since_ms = _ms(meta.get("creationTimestamp"))
                    yield self._places.handle(place, one), meta.get("labels") or {}, since_ms
        except KubernetesError as e:
            if not lacks(cluster, place.kind, e):
                raise

    def _drop(self, listed: list[Place], found: Mapping[Handle, Owned], around: Round) -> None:
        """Forget places that nothing was sent to for long, and that have nothing any more."""
        used = {spot_of(handle.uid).place for handle in found}
        for place in listed:
            if place not in used and place not in around.errors:
                self._places.drop_stale(place)

    def _told(self, place: Place, error: KubernetesError) -> str:
        if place == self._places.home:
            return str(error)
        remedy = f"end the agent, take `{place.text}` out of {self._places.file}, and start it"
        return f"{error}; if that place is gone for good, {remedy}"


def _ms(text: object) -> int | None:
    try:
        return int(datetime.fromisoformat(str(text)).timestamp() * 1000)
    except ValueError:
        return None


def _owned(handle: Handle, labels: Mapping[str, str], installation: str, agent: str) -> Owned:
    attempt = str(labels.get(ATTEMPT, ""))
    owner = Owner(
        installation=installation,
        item=str(labels.get(ITEM, "")),
        attempt=int(attempt) if attempt.isdigit() else 0,
        agent=agent,
    )
    return Owned(handle=handle, owner=owner)
