"""What is on a target, says that it is this installation's, and belongs to no attempt we know.

It is reported and never touched: who ends or removes it is somebody who knows why it is there.
"""

from __future__ import annotations

import logging
from typing import Final

from launchyard.actors.desk import Desk
from launchyard.actors.facts import Due
from launchyard.actors.messages import ListStrays, Ref, Stray, StraysHere
from launchyard.ports import events, families
from launchyard.ports.agent_status import OrphanView
from launchyard.ports.runner import Handle

_log = logging.getLogger(__name__)
ORPHANS: Final = "orphans"


class Orphans:
    """Looks through the targets now and then; called by the supervisor, in its thread.

    Only worker processes that run are asked, so that an idle agent stays small. What is seen twice
    in a row is an orphan: the first time it may be on its way, in either direction.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._suspects: dict[str, frozenset[Handle]] = {}
        self._found: dict[str, dict[Handle, OrphanView]] = {}

    @property
    def views(self) -> tuple[OrphanView, ...]:
        """The orphans as last seen, for readers in any thread."""
        return tuple(view for found in self._found.copy().values() for view in found.values())

    def begin(self) -> None:
        """Look when the time has come."""
        every_s, inbox = self._desk.kit.rules.orphans_every_s, self._desk.kit.inbox
        self._desk.session.alarms.after(ORPHANS, every_s, lambda: inbox.put(Due(ORPHANS)))

    def due(self) -> None:
        """Have every target looked through."""
        desk = self._desk
        wish = ListStrays(desk.session.installation, desk.session.caller.agent)
        for name in desk.kit.hosts.running():
            if name in desk.kit.targets:
                desk.table.step.to_hosts.setdefault(name, []).append(wish)
        self.begin()

    def told(self, host: str, message: StraysHere) -> None:
        """Tell people of what was there the last time, too, and is still nobody's."""
        strays = {one.handle: one for one in message.strays if self._is_nobodys(one)}
        before, known = self._suspects.get(host, frozenset()), self._found.get(host, {})
        self._suspects[host] = frozenset(strays)
        self._found[host] = {h: _view(host, one) for h, one in strays.items() if h in before}
        for handle in self._found[host].keys() - known.keys():
            one = strays[handle]
            self._desk.session.metrics.count(
                families.ORPHANS_FOUND, {"target": host, "action": "ignored"}
            )
            events.ORPHAN.log(
                _log,
                name=handle.name,
                scope=handle.scope,
                state=one.observation.state.value,
                attempt=one.owner.attempt,
                item=one.owner.item,
            )

    def _is_nobodys(self, stray: Stray) -> bool:
        owner = stray.owner
        ours = owner.installation == self._desk.session.installation
        return ours and self._desk.table.get(Ref(owner.item, owner.attempt)) is None


def _view(host: str, stray: Stray) -> OrphanView:
    return OrphanView(
        target=host,
        place=f"{stray.handle.scope} {stray.handle.name}",
        item=stray.owner.item,
        attempt=stray.owner.attempt,
        state=stray.observation.state,
    )
