"""Addresses of image repositories, build-context stores and servers.

Tags are refused because every build makes its own from the content of the image.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from launchyard.domain.config.schema import Note, RefusedError
from launchyard.domain.server_address import split_address
from launchyard.domain.wandb_address import WORD

FORMS: Final = {
    "ecr": "<account>.dkr.ecr.<region>.amazonaws.com/<repository>",
    "gcr": "<region>-docker.pkg.dev/<project>/<repository>/<image-name>",
    "acr": "<registry>.azurecr.io/<repository>",
}
STORES: Final = (
    "s3://<bucket>/<prefix>, gs://<bucket>/<prefix> or "
    "https://<account>.blob.core.windows.net/<container>/<prefix>"
)
_HOSTS: Final = {
    "ecr": re.compile(
        r"(?P<account>[\w-]+)\.(?P<dkr>dkr\.)?ecr(?:-fips)?\.(?P<region>[\w-]+)"
        r"\.amazonaws\.com(?:\.cn)?"
    ),
    "gcr": re.compile(r"(?P<region>[\w-]+)-docker\.pkg\.dev"),
    "acr": re.compile(r"[\w-]+\.azurecr\.(?:io|cn|us)"),
}
_NEEDS: Final = {
    "ecr": (1, "the repository"),
    "gcr": (3, "project, repository and image name"),
    "acr": (1, "the repository"),
}
_PART: Final = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*")
_STORE: Final = re.compile(
    r"(?:(?P<aws>s3)|(?P<gcp>gs))://[a-z0-9][\w.-]+(?:/.*)?"
    r"|(?P<azure>https)://[a-z0-9-]+\.blob\.core\.windows\.net/[^/]+(?:/.*)?"
)


@dataclass(frozen=True, slots=True)
class Address:
    """An image repository, taken apart: `kind` is a registry type, or empty for other hosts."""

    kind: str
    host: str
    path: str
    region: str = ""


def address(uri: str) -> Address:
    """Return the parts of a repository address that has been normalised."""
    host, _, path = uri.partition("/")
    for kind, pattern in _HOSTS.items():
        if match := pattern.fullmatch(host.lower()):
            return Address(kind, host, path, match.groupdict().get("region") or "")
    return Address("", host, path)


def image_repository(text: str) -> tuple[str, tuple[Note, ...]]:
    """Return a repository address without scheme, in the spelling that registries answer to."""
    bare = _without_scheme(text).rstrip("/")
    _refuse_tag(bare)
    where = address(bare)
    _refuse_missing(bare, where)
    _refuse_characters(bare, where)
    if where.kind == "ecr" and ".dkr." not in where.host:
        full = bare.replace(".ecr", ".dkr.ecr", 1)
        return full, (Note("the host is completed to `.dkr.ecr.`", f"write `{full}`"),)
    if not where.kind:
        return bare, (
            Note(
                f"`{where.host}` is not a host of ECR, Artifact Registry or Azure",
                "see to it that the agent's docker or kaniko credentials may push there",
            ),
        )
    return bare, ()


def _without_scheme(text: str) -> str:
    bare = re.sub(r"^https://", "", text.strip(), flags=re.IGNORECASE)
    if "://" in bare:
        rest = bare.partition("://")[2]
        raise RefusedError(
            "an image repository has no scheme", hint=f"write `{rest}`", replacement=rest
        )
    if not bare or re.search(r"\s", bare):
        raise RefusedError(
            "is no image repository",
            allowed="host/repository, without blanks",
            hint="copy the repository's URI from the page of your registry",
        )
    return bare


def _refuse_tag(bare: str) -> None:
    _, slash, path = bare.partition("/")
    last = path.rpartition("/")[2]
    mark = next((mark for mark in ("@", ":") if mark in last), "") if slash else ""
    if not mark:
        return
    name, _, tag = last.partition(mark)
    kept = bare[: len(bare) - len(last)] + name
    what = "digest" if mark == "@" else "tag"
    raise RefusedError(
        f"ends in the {what} `{mark}{tag}`, but each build makes its tag from what it contains",
        allowed="host/repository without a tag",
        hint=f"write `{kept}`",
        replacement=kept,
    )


def _refuse_missing(bare: str, where: Address) -> None:
    form = FORMS.get(where.kind, "host/repository")
    count, names = _NEEDS.get(where.kind, (0, "the repository"))
    if len([part for part in where.path.split("/") if part]) >= count:
        return
    raise RefusedError(
        f"`{bare}` lacks {names}", allowed=form, hint=f"complete the address to the form {form}"
    )


def _refuse_characters(bare: str, where: Address) -> None:
    parts = where.path.split("/") if where.path else []
    for part in parts[1:] if where.kind == "gcr" else parts:
        if _PART.fullmatch(part):
            continue
        better = bare.replace(part, part.lower().strip("._- "), 1)
        raise RefusedError(
            f"`{part}` is no name of an image repository",
            allowed="lower-case letters and digits, joined by `.`, `_`, `-` or `/`",
            hint=f"did you mean `{better}`?",
            replacement=better,
        )


def repository_name(text: str) -> tuple[str, tuple[Note, ...]]:
    """Return the name of a repository inside a registry, as `team/images`."""
    if "://" in text or address(text).kind:
        raise RefusedError(
            f"`{text}` is an address, not a name",
            allowed="the name alone, as `team/images`",
            hint="put the address under `registry.uri` and remove `repository`",
        )
    if all(_PART.fullmatch(part) for part in text.split("/")):
        return text, ()
    parts = _PART.findall(text.lower().replace("/", " / "))
    better = text.lower().strip("._-/ ") if parts else ""
    usable = bool(better) and all(_PART.fullmatch(part) for part in better.split("/"))
    raise RefusedError(
        f"`{text}` is no name of a repository",
        allowed="lower-case letters and digits, joined by `.`, `_`, `-` or `/`",
        hint=f"did you mean `{better}`?" if usable else "rename it to what the registry shows",
        replacement=better if usable else None,
    )


def context_store(text: str) -> tuple[str, tuple[Note, ...]]:
    """Return the prefix under which kaniko finds build contexts."""
    if _STORE.fullmatch(text):
        return text, ()
    better = re.sub(r"^(s3|gs):/*", r"\1://", text.strip(), flags=re.IGNORECASE)
    if re.match(r"^(s3|gs)://", better, re.IGNORECASE):
        better = better[:2].lower() + better[2:]
    usable = better != text and _STORE.fullmatch(better)
    raise RefusedError(
        f"`{text}` is no place for build contexts",
        allowed=STORES,
        hint=f"did you mean `{better}`?" if usable else "name a bucket or blob container",
        replacement=better if usable else None,
    )


def store_cloud(uri: str) -> str:
    """Return the environment type that can write to a build-context store, or nothing."""
    match = _STORE.fullmatch(uri)
    return (match.lastgroup or "") if match else ""


def server_url(text: str) -> tuple[str, tuple[Note, ...]]:
    """Return a server's URL without a slash at its end; it may have its dialect's name in front."""
    url = text.strip().rstrip("/")
    if url == WORD:
        return url, ()
    name, address = split_address(url)
    if name:
        plain, notes = server_url(address)
        return f"{name}+{plain}", notes
    if "://" not in url:
        scheme = "http" if _is_near(url.partition(":")[0]) else "https"
        raise RefusedError(
            "lacks the scheme",
            allowed="http://host:port or https://host",
            hint=f"write `{scheme}://{url}`",
            replacement=f"{scheme}://{url}",
        )
    if not _is_web(url):
        raise RefusedError(
            "is no URL of a server",
            allowed="http://host:port or https://host",
            hint="write the address that your browser shows for the server",
        )
    if "@" in urlsplit(url).netloc:
        raise RefusedError(
            "holds a user name or password",
            allowed="https://host without user data",
            hint="remove it and give the key with `launchyard login`",
        )
    return url, ()


def _is_near(host: str) -> bool:
    return host in {"localhost", "127.0.0.1"}


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    return has_host and parts.scheme in {"http", "https"} and not _has_blank(url)


def _has_blank(characters: Iterable[str]) -> bool:
    return any(character.isspace() for character in characters)
