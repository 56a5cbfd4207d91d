"""The files of failed items: they lie in a run of the agent's own, as W&B's page wants them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from launchyard.adapters.wandb import run_operations as runs
from launchyard.adapters.wandb.crew import Crew
from launchyard.adapters.wandb.line import Line, inner
from launchyard.domain.wandb_items import QUEUES_PROJECT
from launchyard.ports.launch_server import ServerError

_KIND: str = "sweep-controller"
_NAME: str = "error.log"


class ErrorFiles:
    """Uploads the last of failed jobs' logs; where that cannot be, a failure has only its words."""

    def __init__(self, line: Line, crew: Crew) -> None:
        self._line, self._crew = line, crew
        self._made = ""

    def put(self, told: Mapping[str, tuple[bool, str]]) -> dict[str, tuple[str, ...]]:
        """Upload a file for each item that has a log; return the paths, by item.

        *told* says of each item whether it failed, and with which words. A job whose own key was
        lost may have printed it, and nobody could take it out: its log stays here.
        """
        line = self._line
        contents: dict[str, bytes] = {}
        for item, (failed, message) in told.items():
            held = line.book.get(item)
            if held is None or line.keyless(held):
                continue
            tail = line.tails.tail(item, 1)
            if tail:
                folder = "error" if failed else "warning"
                text = message.encode() + b"\n\n" + tail
                contents[f"{item}/{folder}/{_NAME}"] = self._without_keys(item, text)
        if not contents:
            return {}
        try:
            sent = self._send(contents)
        except ServerError:
            # The failure itself is told all the same, and says if the server is away.
            return {}
        return {path.split("/", 1)[0]: (path,) for path in sent}

    def _without_keys(self, item: str, text: bytes) -> bytes:
        """Return *text* less the keys that its job was given, which it may have printed."""
        line = self._line
        for key in (line.keys.get(item, ""), line.settings.key(), *line.given):
            if key:
                text = text.replace(key.encode(), b"***")
        return text

    def _send(self, contents: Mapping[str, bytes]) -> Sequence[str]:
        line = self._line
        ref = runs.RunRef(line.entity, QUEUES_PROJECT, line.name)
        if self._made != line.name:
            line.ask(runs.upsert_runs([(ref, {})], _KIND))
            self._made = line.name
        made = inner(line.ask(runs.upload(ref, list(contents))).data, "createRunFiles")
        files = inner(made, "files")
        headers = _headers(inner(made, "uploadHeaders"))
        places = {
            str(file.get("name")): str(file["uploadUrl"])
            for file in (files if isinstance(files, list) else [])
            if file.get("name") in contents and isinstance(file.get("uploadUrl"), str)
        }
        put = partial(line.graphql.send, "PUT", headers=headers)
        self._crew.each([partial(put, url, contents[name]) for name, url in places.items()])
        return list(places)


def _headers(given: Any) -> dict[str, str]:
    """Return the headers that a store wants, which W&B writes as `Name:value`."""
    pairs = (str(one).partition(":") for one in given if one) if isinstance(given, list) else ()
    return {name.strip(): value.strip() for name, _, value in pairs}
