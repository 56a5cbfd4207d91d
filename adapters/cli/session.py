"""What every command has at hand: the connection, and how people name things."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, update_wrapper
from typing import Any, Final

import click

from launchyard.adapters.cli.codes import Code
from launchyard.adapters.cli.contexts import Asked, Context, Contexts
from launchyard.adapters.cli.errors import CommandError
from launchyard.ports.operator import Operator
from launchyard.ports.programs import Programs
from launchyard.ports.records import ItemFilter, ItemView

_WHOLE: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SHORT: Final = 8
_PAGE: Final = 200
_LOOK_BACK: Final = 2000
_LAST: Final = "@last"


@dataclass
class Session:
    """One command's world; the server is reached only when it is asked for."""

    programs: Programs
    environment: Mapping[str, str]
    asked: Asked = field(default_factory=Asked)

    @cached_property
    def contexts(self) -> Contexts:
        """The contexts of this person."""
        return Contexts(self.environment)

    @cached_property
    def context(self) -> Context:
        """The connection that flags, variables and context give together."""
        return self.contexts.resolve(self.asked)

    @cached_property
    def operator(self) -> Operator:
        """The server."""
        return self.programs.operator(self.context.url, self.context.key)

    @cached_property
    def entity(self) -> str:
        """The entity in use: the one that was named, or the only one that it can be."""
        if self.context.entity:
            return self.context.entity
        me = self.operator.me()
        names = sorted(me.roles) or [entity.name for entity in self.operator.entities()]
        if len(names) == 1:
            return names[0]
        if me.user in names:
            return me.user
        raise CommandError(
            "which entity?",
            f"the key sees {', '.join(names) or 'none'}",
            "name one with -E, LAUNCHYARD_ENTITY or `launchyard login --entity`",
            code=Code.USAGE,
        )

    @cached_property
    def queue(self) -> str:
        """The queue in use: the one that was named, or the only one there is."""
        if self.context.queue:
            return self.context.queue
        names = [view.queue.name for view in self.operator.queues(self.entity)]
        if len(names) == 1:
            return names[0]
        if "default" in names:
            return "default"
        raise CommandError(
            "which queue?",
            f"{self.entity} has {', '.join(names) or 'none'}",
            "name one with -q" if names else "`launchyard queue create NAME` makes one",
            code=Code.USAGE if names else Code.NOT_FOUND,
        )

    def item(self, name: str) -> str:
        """Return the id that *name* stands for: an id, its unique beginning or end, or @last.

        Raises:
            CommandError: nothing, or more than one thing, is called so.
        """
        if _WHOLE.fullmatch(name):
            return name
        if name == _LAST:
            return self._last()
        found = [i.id for i in self._recent() if i.id.startswith(name) or i.id.endswith(name)]
        if len(found) == 1:
            return found[0]
        if found:
            shown = ", ".join(short(one) for one in found[:5])
            raise CommandError(
                f"{name} is not enough of an id", f"it could be {shown}", "", code=Code.USAGE
            )
        raise CommandError(
            f"no item is called {name}",
            f"none of the last {_LOOK_BACK} has such an id",
            "`launchyard ps --all` lists them; @last is your last one",
            code=Code.NOT_FOUND,
        )

    def _last(self) -> str:
        user = self.operator.me().user
        for item in self._recent():
            if item.submitter == user:
                return item.id
        raise CommandError(
            "you have launched nothing yet", "", "`launchyard launch --help`", code=Code.NOT_FOUND
        )

    def _recent(self) -> Iterator[ItemView]:
        before = ""
        for _ in range(_LOOK_BACK // _PAGE):
            wanted = ItemFilter(entity=self.context.entity, before=before, most=_PAGE)
            page = self.operator.items(wanted)
            yield from page
            if len(page) < _PAGE:
                return
            before = page[-1].id


def short(item: str) -> str:
    """Return the end of an id, which differs where beginnings are equal: ids begin with times."""
    return item[-_SHORT:]


def connected(*, entity: bool = True, queue: bool = False) -> Callable[..., Any]:
    """Add the options that choose the server, and hand the command its session first."""
    options = [
        click.option("--server", metavar="URL", help="Server; else LAUNCHYARD_SERVER, or login."),
        click.option("--key-file", metavar="FILE", help="File with the key."),
        click.option("--context", metavar="NAME", help="A login's name; else LAUNCHYARD_CONTEXT."),
    ]
    if entity:
        options.append(click.option("-e", "--entity", help="Team or person; else the context's."))
    if queue:
        options.append(click.option("-q", "--queue", help="Queue; else the context's."))

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @click.pass_obj
        def run(session: Session, /, **given: Any) -> Any:
            named = {key: given.pop(key, None) or "" for key in ("server", "key_file", "context")}
            named |= {"entity": (given.pop("entity", None) or "") if entity else ""}
            named |= {"queue": (given.pop("queue", None) or "") if queue else ""}
            session.asked = Asked(**named)
            return command(session, **given)

        made: Callable[..., Any] = update_wrapper(run, command)
        for option in reversed(options):
            made = option(made)
        return made

    return decorate
