"""Contexts: which server, which key, which entity and queue, kept between commands."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from launchyard.adapters.cli.codes import Code
from launchyard.adapters.cli.errors import CommandError
from launchyard.adapters.cli.folders import config_folder
from launchyard.domain.rights import KEY_PATTERN

_URL: Final = re.compile(r"https?://[^\s/?#@]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One server as one person uses it; the key is never printed."""

    url: str
    key: str = field(default="", repr=False)
    entity: str = ""
    queue: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command's flags say; empty where they say nothing."""

    server: str = ""
    key_file: str = ""
    entity: str = ""
    queue: str = ""
    context: str = ""


class Contexts:
    """The file `contexts.json`, readable by its owner alone."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.file = config_folder(environment) / "contexts.json"

    def current(self, name: str = "") -> Context | None:
        """Return the context *name*; without one, the context in use, if there is one.

        Raises:
            CommandError: one was named, here or by its variable, that is not kept.
        """
        name = name or self._environment.get("LAUNCHYARD_CONTEXT", "")
        kept = self._load().get("contexts", {})
        if name and name not in kept:
            raise CommandError(
                f"no context is called {name}",
                f"kept are {', '.join(kept)}" if kept else "nobody has logged in here",
                "`launchyard login URL --name NAME` keeps one",
                code=Code.NOT_FOUND,
            )
        found = kept.get(name or self.in_use())
        return _context(found) if isinstance(found, dict) else None

    def in_use(self) -> str:
        """Return the name of the context that commands use when none is named."""
        return str(self._load().get("current") or "")

    def use(self, name: str) -> None:
        """Use the context *name* from now on.

        Raises:
            CommandError: there is none.
        """
        found = self.current(name)
        if found is not None:
            self.save(name, found)

    def save(self, name: str, context: Context) -> None:
        """Keep *context* under *name* and use it from now on."""
        document = self._load()
        contexts = {**document.get("contexts", {}), name: asdict(context)}
        text = json.dumps({"current": name, "contexts": contexts}, indent=2) + "\n"
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self.file.with_suffix(f".{os.getpid()}.new")
        try:
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(text)
            fresh.replace(self.file)
        finally:
            fresh.unlink(missing_ok=True)

    def resolve(self, asked: Asked) -> Context:
        """Return the connection to use: flags, then variables, then the context.

        A context that a flag names takes the place of the variables, too. A context's key goes to
        the context's own server alone.

        Raises:
            CommandError: no server is known, or a key cannot be used.
        """
        saved = self.current(asked.context)
        said = {} if asked.context else self._environment
        url = asked.server or said.get("LAUNCHYARD_SERVER", "")
        url = checked_url(url) if url else (saved.url if saved else "")
        if not url:
            raise CommandError(
                "no server is known",
                "no --server, no LAUNCHYARD_SERVER, and nobody has logged in here",
                "`launchyard up` starts one on this machine; `launchyard login URL` uses another",
                code=Code.AUTH,
            )
        here = saved if saved is not None and saved.url == url else Context(url=url)
        return replace(
            here,
            key=_key(asked, said) or here.key,
            entity=asked.entity or said.get("LAUNCHYARD_ENTITY", "") or here.entity,
            queue=asked.queue or said.get("LAUNCHYARD_QUEUE", "") or here.queue,
        )

    def _load(self) -> dict[str, Any]:
        try:
            document = json.loads(self.file.read_text())
        except FileNotFoundError:
            return {}
        except ValueError:
            raise CommandError(
                f"{self.file} is damaged",
                "it is no JSON",
                "remove it and log in again: `launchyard login URL`",
                code=Code.CONFIG,
            ) from None
        return document if isinstance(document, dict) else {}


def _key(asked: Asked, environment: Mapping[str, str]) -> str:
    if asked.key_file:
        return read_key(asked.key_file)
    if key := environment.get("LAUNCHYARD_KEY", "").strip():
        return checked_key(key, "LAUNCHYARD_KEY")
    file = environment.get("LAUNCHYARD_KEY_FILE", "")
    return read_key(file) if file else ""


def read_key(file: str) -> str:
    """Return the key in *file*.

    Raises:
        CommandError: there is none, or it has not a key's form.
    """
    return checked_key(key_text(file), file)


def plugin_key(file: str, environment: Mapping[str, str]) -> str:
    """Return the key for a server that a plugin speaks to, whatever its form; '' where none is.

    Raises:
        CommandError: its file cannot be read.
    """
    if not file and (key := environment.get("LAUNCHYARD_KEY", "").strip()):
        return key
    file = file or environment.get("LAUNCHYARD_KEY_FILE", "")
    return key_text(file) if file else ""


def checked_key(text: str, where: str) -> str:
    """Return *text* if it can be a key; the message never has it."""
    if KEY_PATTERN.fullmatch(text):
        return text
    raise CommandError(
        f"what {where} holds is no key",
        "a key is 40 to 128 of a-z and 0-9",
        "`launchyard keys create` makes one; `launchyard login URL` keeps it",
        code=Code.AUTH,
    )


def checked_url(text: str) -> str:
    """Return a server's address without a slash at its end.

    Raises:
        CommandError: it is none.
    """
    url = text.rstrip("/")
    if "://" not in url:
        url = f"http://{url}"
    if not _URL.match(url):
        raise CommandError(
            f"{text} is no address of a server",
            "",
            "write it as http://host:port or https://host",
            code=Code.USAGE,
        )
    return url


def _context(document: Mapping[str, object]) -> Context:
    texts = {name: str(document.get(name) or "") for name in ("url", "key", "entity", "queue")}
    return Context(**texts)


def key_text(file: str) -> str:
    """Return what a key file holds, whatever its form.

    Raises:
        CommandError: it cannot be read.
    """
    try:
        return Path(file).expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or "").lower() if isinstance(error, OSError) else "it is no text"
        raise CommandError(
            f"the key file {file} cannot be read", reason, "check its name", code=Code.AUTH
        ) from None
