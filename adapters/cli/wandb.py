"""Which W&B server an agent works for, and with which key: found where W&B's own client looks."""

from __future__ import annotations

import configparser
import netrc
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from launchyard.adapters.cli.codes import Code
from launchyard.adapters.cli.contexts import Context, key_text
from launchyard.adapters.cli.errors import CommandError
from launchyard.domain.wandb_address import CLOUD, WORD, is_wandb, marked, wandb_url

_NAMES: Final = ("WANDB_BASE_URL", "WANDB_API_KEY", "WANDB_API_KEY_FILE")
_NETRC: Final = ("~/.netrc", "~/_netrc")
_SHORTEST: Final = 16


def wandb_context(
    named: str, key_file: str, environment: Mapping[str, str], saved: Context | None
) -> Context | None:
    """Return the W&B server to use, or None when it is one of ours.

    *named* is what flag, configuration and variables say. Where they say nothing a *saved* login
    counts; and where nobody has logged in, what W&B's client would use.

    Raises:
        CommandError: there is no key for it, or one that cannot be read.
    """
    base_url = environment.get("WANDB_BASE_URL", "").strip() or _logged_in_at(environment)
    if named and not is_wandb(named):
        return None
    url = wandb_url(named or WORD, base_url)
    if not named and (saved is not None or not _is_known(url, environment)):
        return None
    key = _key(url, key_file, environment)
    if not key:
        raise CommandError(
            f"no API key is known for the W&B server {url}",
            "no --key-file, no WANDB_API_KEY, no WANDB_API_KEY_FILE, and none in the netrc file",
            f"set WANDB_API_KEY, or run `wandb login{'' if url == CLOUD else f' --host {url}'}`",
            code=Code.AUTH,
        )
    return Context(url=marked(url), key=key)


def _logged_in_at(environment: Mapping[str, str]) -> str:
    """Return the server of `wandb login --host`, which W&B's client keeps in its settings files.

    As there, this folder's file counts before the user's, and one that is damaged says nothing.
    """
    here = Path(".wandb" if Path(".wandb").exists() else "wandb")
    folder = environment.get("WANDB_CONFIG_DIR") or "~/.config/wandb"
    for path in (here / "settings", _at_home(folder, environment) / "settings"):
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read(path, encoding="utf-8")
        except (OSError, UnicodeDecodeError, configparser.Error):
            continue
        if base_url := parser.get("default", "base_url", fallback="").strip():
            return base_url
    return ""


def _at_home(name: str, environment: Mapping[str, str]) -> Path:
    """Return the path that *name* is for the user whose environment this is."""
    home = environment.get("HOME", "")
    replaced = name.replace("~", home, 1) if home and name.startswith("~/") else name
    return Path(replaced).expanduser()


def wandb_key_file(key_file: str, environment: Mapping[str, str]) -> str:
    """Return the file that holds a W&B server's key, and where it may be replaced; "" if none does.

    It is a file with the key alone, or a netrc file.
    """
    if not key_file and environment.get("WANDB_API_KEY", "").strip():
        return ""
    file = key_file or environment.get("WANDB_API_KEY_FILE", "")
    path = Path(file).expanduser() if file else _netrc(environment)
    return str(path.absolute()) if path is not None else ""


def _is_known(url: str, environment: Mapping[str, str]) -> bool:
    """Tell whether this machine uses W&B: by its variables, or by a login."""
    return any(environment.get(name) for name in _NAMES) or bool(_from_netrc(url, environment))


def _key(url: str, key_file: str, environment: Mapping[str, str]) -> str:
    if key_file:
        return _from_file(key_file)
    if key := environment.get("WANDB_API_KEY", "").strip():
        return _checked(key, "WANDB_API_KEY")
    if file := environment.get("WANDB_API_KEY_FILE", ""):
        return _from_file(file)
    return _from_netrc(url, environment)


def _from_file(file: str) -> str:
    return _checked(key_text(file), file)


def _from_netrc(url: str, environment: Mapping[str, str]) -> str:
    """Return the password that the netrc file has for the server's host."""
    path = _netrc(environment)
    if path is None:
        return ""
    try:
        found = netrc.netrc(str(path)).hosts.get(urlsplit(url).hostname or "")
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return ""
    return found[2] or "" if found else ""


def _netrc(environment: Mapping[str, str]) -> Path | None:
    """Return the netrc file, if there is one."""
    given = environment.get("NETRC", "")
    paths = (_at_home(name, environment) for name in ((given,) if given else _NETRC))
    return next((path for path in paths if path.is_file()), None)


def _checked(key: str, where: str) -> str:
    if len(key) >= _SHORTEST and key.isascii() and key.isprintable() and " " not in key:
        return key
    raise CommandError(
        f"what {where} holds is no API key",
        "one has 40 or more letters and digits",
        "copy it from the settings page of your W&B server",
        code=Code.AUTH,
    )
