"""Rules between keys: what one key's value asks of the others."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from launchyard.domain.config.layers import DEFAULT, Setting
from launchyard.domain.config.problem import Marked, Problem, Severity
from launchyard.domain.config.schema import KnownTypes
from launchyard.domain.documents import Json, Path
from launchyard.domain.wandb_address import is_wandb


@dataclass(frozen=True, slots=True)
class View:
    """The settings in force, and what rules need besides."""

    settings: Mapping[Path, Setting]
    document: Marked
    environment: Mapping[str, str]
    known: KnownTypes

    def value(self, *path: str | int) -> Json:
        """Return the value at *path*."""
        return self.settings[path].value

    def text(self, *path: str | int) -> str:
        """Return the text at *path*, empty when it is not set."""
        value = self.value(*path)
        return value if isinstance(value, str) else ""

    def given(self, *path: str | int) -> bool:
        """Tell whether somebody set the key: a file, a variable or a flag."""
        return bool(self.settings[path].origin.name) or self.settings[path].origin.line is not None

    def problem(self, path: Path, message: str, **more: Any) -> Problem:
        """Return a problem at *path* that names the source of the value in force."""
        ends = range(len(path), 0, -1)
        setting = next((self.settings[path[:n]] for n in ends if path[:n] in self.settings), None)
        origin = setting.origin if setting else DEFAULT
        inside = origin.line is not None and setting is not None and setting.path != path
        line = self.document.line(path) if inside else origin.line
        return Problem(path=path, message=message, source=origin.name, line=line, **more)

    def warning(self, path: Path, message: str, hint: str) -> Problem:
        """Return something to tell at *path* that stops nothing."""
        return self.problem(path, message, hint=hint, severity=Severity.WARNING)


Rule: TypeAlias = Callable[[View], Iterator[Problem]]


def no_queue_twice(view: View) -> Iterator[Problem]:
    """Tell of queues that are named more than once; they are polled once."""
    queues = view.value("queues")
    names = queues if isinstance(queues, list) else []
    for index, name in enumerate(names):
        if name in names[:index]:
            yield view.warning(
                ("queues", index), f"`{name}` is named twice", "remove one; it is polled once"
            )


def blocks_have_types(view: View) -> Iterator[Problem]:
    """Refuse an environment or builder that has keys but does not say what it is."""
    for block, family in (("environment", "environments"), ("builder", "builders")):
        inside = {p: s for p, s in view.settings.items() if p[0] == block and view.given(*p)}
        set_here = [path for path, s in inside.items() if s.value != s.field.default]
        if not set_here or (block, "type") in inside:
            continue
        names = ", ".join(view.known.named(family))
        yield view.problem(
            set_here[0],
            f"`{block}` has keys but no `type`",
            allowed=f"`{block}.type` is one of {names}",
            hint=f"add `type:` with one of these below `{block}:`",
        )


def keys_fit_types(view: View) -> Iterator[Problem]:
    """Tell of keys that the chosen type does not read."""
    for path, setting in view.settings.items():
        types = setting.field.types
        kind = view.text(path[0], "type") if types else ""
        if kind and kind not in types and view.given(*path):
            yield view.warning(
                path,
                f"`{path[-1]}` is not read by `{path[0]}.type: {kind}`",
                f"remove it, or choose type {' or '.join(types)}",
            )


def region_is_known(view: View) -> Iterator[Problem]:
    """Refuse a cloud that needs a region where neither file nor variables name one."""
    kind = view.text("environment", "type")
    variable = {"aws": "AWS_REGION", "gcp": "GOOGLE_CLOUD_REGION"}.get(kind)
    if variable is None or view.text("environment", "region"):
        return
    written = view.document.value
    block = written.get("environment") if isinstance(written, dict) else None
    if isinstance(block, dict) and block.get("region") is not None:
        return  # refused for its own reasons
    example = "us-east-1" if kind == "aws" else "us-central1"
    yield view.problem(
        ("environment", "type"),
        f"`{kind}` needs a region",
        allowed=f"`environment.region`, as {example}",
        hint=f"add `region: {example}` below `environment:`, or set {variable}",
    )


def plugins_are_one_way(view: View) -> Iterator[Problem]:
    """Refuse a plugin that is allowed and denied."""
    allow, deny = view.value("plugins", "allow"), view.value("plugins", "deny")
    for index, name in enumerate(deny if isinstance(deny, list) else []):
        if isinstance(allow, list) and name in allow:
            yield view.problem(
                ("plugins", "deny", index),
                f"`{name}` is allowed and denied",
                allowed="a plugin in one of the two lists",
                hint="remove it from `plugins.allow` or `plugins.deny`",
            )


def needed_plugins_are_loaded(view: View) -> Iterator[Problem]:
    """Refuse a plugin that must be there and may not be."""
    need, deny = view.value("plugins", "require"), view.value("plugins", "deny")
    for index, name in enumerate(need if isinstance(need, list) else []):
        if isinstance(deny, list) and name in deny:
            yield view.problem(
                ("plugins", "require", index),
                f"`{name}` is required and denied",
                allowed="a plugin in one of the two lists",
                hint="remove it from `plugins.require` or `plugins.deny`",
            )


def webhook_is_signed(view: View) -> Iterator[Problem]:
    """Refuse a webhook without a key: whoever receives it could not tell it from anyone's."""
    if view.text("webhook", "url") and not view.text("webhook", "secret"):
        yield view.problem(
            ("webhook", "url"),
            "posts are signed, and there is no key for it",
            allowed="`webhook.secret`, 16 characters or more",
            hint="set LAUNCHYARD_AGENT_WEBHOOK_SECRET, and give the receiver the same",
        )


def webhook_can_be_posted_to(view: View) -> Iterator[Problem]:
    """Refuse an address or a network that has the right look and means nothing."""
    url, allow = view.text("webhook", "url"), view.value("webhook", "allow")
    if url and (wrong := _unusable(url)):
        yield view.problem(
            ("webhook", "url"),
            f"cannot be posted to: {wrong}",
            allowed="http://host/path or https://host:port/path",
        )
    for index, text in enumerate(allow if isinstance(allow, list) else []):
        try:
            ipaddress.ip_network(str(text), strict=False)
        except ValueError:
            yield view.problem(
                ("webhook", "allow", index),
                f"`{text}` is no address and no network",
                allowed="addresses or networks, as 10.1.0.0/16",
            )


def _unusable(url: str) -> str:
    if not url.isascii() or not url.isprintable():
        return "it has characters that must be escaped (`%C3%A9` in a path, `xn--` in a name)"
    try:
        parts = urlsplit(url)
        _ = parts.port
        host = parts.hostname or ""
        host.encode("idna")
    except ValueError as e:
        wrong = str(e.__cause__ or e)
        return wrong[:1].lower() + wrong[1:]
    return "" if host else "it names no host"


def extras_are_installed(view: View) -> Iterator[Problem]:
    """Refuse what this installation cannot do for want of packages."""
    for name, extra in view.known.missing.items():
        family, _, kind = name.partition(".")
        is_target = family == "targets"
        used = _has_target(view, kind) if is_target else view.text(family, "type") == kind
        if used:
            yield view.problem(
                (family, kind if is_target else "type"),
                f"`{kind}` needs packages that are not installed",
                allowed="what is installed; `launchyard plugins` lists it",
                hint=f"run: pip install 'launchyard[{extra}]'",
            )


def reaping_needs_our_server(view: View) -> Iterator[Problem]:
    """Tell that a W&B server cannot say what is over, so that nothing is reaped there."""
    if view.value("reap_orphans") and is_wandb(view.text("server")):
        yield view.warning(
            ("reap_orphans",),
            "counts for nothing on a W&B server, which cannot say what is nobody's",
            "orphans are reported there; remove them by hand",
        )


def _has_target(view: View, name: str) -> bool:
    return any(p[:2] == ("targets", name) and view.given(*p) for p in view.settings)


RULES: Final[tuple[Rule, ...]] = (
    no_queue_twice,
    blocks_have_types,
    keys_fit_types,
    region_is_known,
    plugins_are_one_way,
    needed_plugins_are_loaded,
    webhook_is_signed,
    webhook_can_be_posted_to,
    extras_are_installed,
    reaping_needs_our_server,
)
