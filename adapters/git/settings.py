"""What every git command runs with: settings that no repository and no submitter can change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from launchyard.domain.remotes import Remote

_PASSED_ON: Final = frozenset(
    {
        "ALL_PROXY",
        "GIT_ASKPASS",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_SSL_CAINFO",
        "GIT_SSL_CAPATH",
        "HOME",
        "HTTPS_PROXY",
        "LOGNAME",
        "NO_PROXY",
        "PATH",
        "SSH_AUTH_SOCK",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TMPDIR",
        "USER",
        "XDG_CONFIG_HOME",
        "all_proxy",
        "https_proxy",
        "no_proxy",
    }
)
_SETTINGS: Final = (
    "protocol.allow=never",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "protocol.file.allow=never",
    "protocol.ext.allow=never",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.symlinks=true",
    "core.autocrlf=false",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "transfer.fsckObjects=true",
    # Flaws that old and well-known histories have, and that harm nobody.
    "fetch.fsck.badTimezone=ignore",
    "fetch.fsck.missingSpaceBeforeDate=ignore",
    "fetch.fsck.zeroPaddedFilemode=ignore",
    "fetch.recurseSubmodules=false",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.detachedHead=false",
    # Large files stay pointers, also where git-lfs is installed.
    "filter.lfs.smudge=",
    "filter.lfs.process=",
    "filter.lfs.required=false",
    "http.followRedirects=initial",
)
# Git asks it like any credential helper; the secrets are in the environment, which unlike
# arguments only this user can read.
_HELPER: Final = (
    '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n"'
    ' "$LAUNCHYARD_GIT_USERNAME" "$LAUNCHYARD_GIT_PASSWORD"; }; f'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitConfig:
    """How git is run; *environment* is the agent's, of which git sees a short list of names.

    *most_b* is how much one fetch may put on the disk, submodules included; 0 is any amount.
    """

    environment: Mapping[str, str] = field(repr=False)
    git: str = "git"
    most_b: int = 0


def command_line(config: GitConfig, remote: Remote) -> list[str]:
    """Return the beginning of every command that concerns *remote*."""
    settings = list(_SETTINGS)
    if remote.username or remote.password:
        settings += ["credential.helper=", f"credential.{_site(remote)}.helper={_HELPER}"]
    return [config.git, *(part for setting in settings for part in ("-c", setting))]


def command_environment(config: GitConfig, remote: Remote) -> dict[str, str]:
    """Return the whole environment of a command that concerns *remote*."""
    env = {name: text for name, text in config.environment.items() if name in _PASSED_ON}
    env.setdefault("GIT_ASKPASS", "")
    if "GIT_SSH" not in env:
        env.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
    if remote.username or remote.password:
        env["GIT_ASKPASS"] = ""
        env["LAUNCHYARD_GIT_USERNAME"] = remote.username
        env["LAUNCHYARD_GIT_PASSWORD"] = remote.password
    return env | {
        "GIT_ALLOW_PROTOCOL": "https:ssh",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
        "SSH_ASKPASS_REQUIRE": "never",
    }


def _site(remote: Remote) -> str:
    scheme, _, rest = remote.url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"
