"""Which git repositories may be fetched, and how their addresses are shown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from launchyard.domain.documents import Json

_HOST: Final = r"(?:[A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])"
_AUTHORITY: Final = re.compile(rf"({_HOST})(?::([0-9]{{1,5}}))?")
_SSH_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_SCP: Final = re.compile(rf"([A-Za-z0-9_][A-Za-z0-9_.+-]*)@({_HOST}):([^:\-].*)")
_USER_DATA: Final = re.compile(r"(?<=://)[^\s'\"]*@")
_WEB_USER: Final = re.compile(r"(?i)(?<=https://)[^\s/?#'\"]*@")
_BAD_IN_URL: Final = re.compile(r"[\x00-\x20\x7f-\U0010ffff\\\"'`<>^{|}]")
_BAD_IN_REF: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
_SHA: Final = re.compile(r"[0-9a-f]{40}")
_SHORT_SHA: Final = re.compile(r"[0-9a-f]{7,40}")
_TOKEN_LENGTH: Final = 16  # a longer user name may be a token in the wrong place
_LONGEST_URL: Final = 2048
_LONGEST_REF: Final = 255
_REMEDY: Final = "use https://host/path, ssh://user@host/path or user@host:path"


class RemoteRefusedError(ValueError):
    """An address, ref or folder is not fetched; the message shows no credential."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A repository that may be fetched; `url` is free of credentials and may be shown."""

    url: str
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What of this address no message may hold."""
        told = self.password and len(self.username) < _TOKEN_LENGTH
        return tuple(text for text in (self.password, "" if told else self.username) if text)


def parse_remote(text: str) -> Remote:
    """Return the repository at *text*, with its credentials set apart.

    Raises:
        RemoteRefusedError: *text* is not https, ssh or scp-like, or would reach git as an
            option, a helper's name or a local path.
    """
    if not text or len(text) > _LONGEST_URL:
        raise RemoteRefusedError(f"the repository's address is empty or too long; {_REMEDY}")
    if text.startswith("-"):
        raise _refused(text, 'starts with "-", which git takes for an option')
    if _BAD_IN_URL.search(text):
        raise _refused(
            text, "holds spaces, quotes, control or non-ASCII characters; percent-encode"
        )
    if _SCP.fullmatch(text):
        if "://" in text:
            raise _refused(text, "mixes two ways to write an address")
        return Remote(url=text)
    if text.startswith("https://"):
        return _https(text)
    if text.startswith("ssh://"):
        return _ssh(text)
    raise _refused(text, f"is of a kind that is not fetched; {_REMEDY}")


def resolve_submodule(parent: Remote, url: str) -> Remote:
    """Return the repository of a submodule; *url* may be relative to its *parent*'s.

    Credentials go along to a relative address only, which is on the same host.

    Raises:
        RemoteRefusedError: the address is not one that `parse_remote` takes, or climbs too far.
    """
    if not url.startswith(("./", "../")):
        return parse_remote(url)
    scp = _SCP.fullmatch(parent.url)
    root, path = (parent.url[: scp.start(3)], scp.group(3)) if scp else _split_at_path(parent.url)
    steps = [step for step in path.split("/") if step]
    for step in url.split("/"):
        if step == "..":
            if not steps:
                raise _refused(url, "climbs out of the host of the repository it is relative to")
            steps.pop()
        elif step not in {"", "."}:
            steps.append(step)
    lead = "/" if scp and path.startswith("/") else ""
    clean = parse_remote(root + lead + "/".join(steps))
    return Remote(url=clean.url, username=parent.username, password=parent.password)


def check_ref(ref: str) -> str:
    """Return *ref*, a branch, a tag or a commit, when git would take it as nothing else.

    Raises:
        RemoteRefusedError: it starts with "-" or holds what no ref may hold.
    """
    parts = ref.split("/")
    if (
        not ref
        or len(ref.encode(errors="replace")) > _LONGEST_REF
        or ref.startswith("-")
        or ref.endswith(".")
        or ref == "@"
        or _BAD_IN_REF.search(ref)
        or any(not p or p.startswith(".") or p.endswith(".lock") for p in parts)
    ):
        text = f"{ref[:80]!a} is no name of a branch or tag and no commit id"
        raise RemoteRefusedError(text)
    return ref


def check_subdir(subdir: str) -> str:
    """Return *subdir* in its shortest form; the root is empty.

    Raises:
        RemoteRefusedError: it is absolute, has ".." or lies in git's own folder.
    """
    parts = [part for part in subdir.split("/") if part not in {"", "."}]
    if subdir.startswith("/") or ".." in parts or "\0" in subdir:
        text = f"the folder {subdir[:80]!a} has to be a path inside the source code"
        raise RemoteRefusedError(text)
    if any(part.lower() == ".git" for part in parts):
        raise RemoteRefusedError(f"the folder {subdir[:80]!a} is git's own")
    return "/".join(parts)


def is_commit(ref: str) -> bool:
    """Say whether *ref* is a full commit id."""
    return _SHA.fullmatch(ref) is not None


def may_be_commit(ref: str) -> bool:
    """Say whether *ref* may be a commit id, whole or shortened."""
    return _SHORT_SHA.fullmatch(ref) is not None


def scrub(text: str, *remotes: Remote) -> str:
    """Return *text* without user data in addresses and without the secrets of *remotes*."""
    text = _USER_DATA.sub("", text)
    for secret in sorted({s for r in remotes for s in r.secrets}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def hide_user_data(document: Json) -> Json:
    """Return a copy of *document* whose https addresses show no user and no password."""
    match document:
        case dict():
            return {key: hide_user_data(value) for key, value in document.items()}
        case list():
            return [hide_user_data(value) for value in document]
        case str():
            return _WEB_USER.sub("***@", document)
        case _:
            return document


def _https(text: str) -> Remote:
    parts = _split(text)
    user_data, at, _ = parts.netloc.rpartition("@")
    url = f"https://{_authority(text, parts)}{_path(text, parts)}"
    username, _, password = user_data.partition(":")
    if not at:
        return Remote(url=url)
    known = (unquote(username), unquote(password))
    if any(not part.isprintable() for part in known):
        raise _refused(text, "holds credentials with control characters")
    return Remote(url=url, username=known[0], password=known[1])


def _ssh(text: str) -> Remote:
    parts = _split(text)
    user, at, _ = parts.netloc.rpartition("@")
    if ":" in user:
        raise _refused(text, "holds a password; ssh takes a key instead")
    if at and not _SSH_USER.fullmatch(user):
        raise _refused(text, "has no proper user name")
    return Remote(url=f"ssh://{user}{at}{_authority(text, parts)}{_path(text, parts)}")


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
    except ValueError as e:
        raise _refused(text, "is not a proper address") from e
    if "?" in text or "#" in text:
        raise _refused(text, 'has a "?" or "#" part, which no repository has; leave it out')
    return parts


def _authority(text: str, parts: SplitResult) -> str:
    host = parts.netloc.rpartition("@")[2]
    if not _AUTHORITY.fullmatch(host):
        raise _refused(text, "has no proper host name and port")
    return host


def _path(text: str, parts: SplitResult) -> str:
    if not parts.path.strip("/") or ".." in unquote(parts.path).split("/"):
        raise _refused(text, 'names no repository after its host, or has ".." in its path')
    return parts.path


def _split_at_path(url: str) -> tuple[str, str]:
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    return f"{scheme}://{host}/", path


def _refused(text: str, why: str) -> RemoteRefusedError:
    """Return the error for *text*, of which all that may be a credential is cut off."""
    scheme, mark, _ = text.partition("://")
    lead = scheme + mark if mark and scheme.isalnum() else ""
    rest = text.removeprefix(lead).rpartition("@")[2]
    shown = lead + re.split(r"[?#]", rest)[0]
    return RemoteRefusedError(f"the repository {shown[:120]!a} {why}")
