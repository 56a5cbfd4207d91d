"""The two programs that can fill an environment, told to do the same: uv, and pip."""

from __future__ import annotations

import configparser
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from launchyard.adapters.local.venv.interpreter import Interpreter
from launchyard.domain.reason import Reason
from launchyard.ports.builder import BuildError

Argv = tuple[str, ...]

_PASSED_ON: Final = frozenset(
    {
        *("HOME", "LANG", "LOGNAME", "NETRC", "PATH", "SSH_AUTH_SOCK", "TMPDIR", "USER"),
        *("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"),
        *("all_proxy", "https_proxy", "http_proxy", "no_proxy"),
        *("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE"),
        *("CC", "CFLAGS", "CMAKE_ARGS", "CPATH", "CUDA_HOME", "CXX", "CXXFLAGS", "LDFLAGS"),
        *("LD_LIBRARY_PATH", "LIBRARY_PATH", "MAX_JOBS", "PKG_CONFIG_PATH"),
        *("XDG_CACHE_HOME", "XDG_CONFIG_HOME"),
    }
)
_FAMILIES: Final = ("PIP_", "UV_")
_DROPPED: Final = frozenset(
    {
        *("PIP_PREFIX", "PIP_REQUIREMENT", "PIP_REQUIRE_VIRTUALENV", "PIP_TARGET", "PIP_USER"),
        *("PIP_CONSTRAINT", "PIP_PYTHON", "PIP_ROOT", "PIP_DRY_RUN", "PIP_REPORT"),
        *("UV_CONSTRAINT", "UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_TARGET", "UV_PREFIX"),
    }
)
_SAME: Final = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
    "trusted-host": "UV_INSECURE_HOST",
}
"""What pip is told on this machine, and what tells uv the same."""

_TOLD: Final = (*_SAME, "no-index")
_PLACES: Final = ("index-url", "extra-index-url", "find-links", "no-index")
_UV_PLACES: Final = (
    *("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"),
    *("UV_FIND_LINKS", "UV_NO_INDEX", "UV_CONFIG_FILE"),
)
_USER: Final = re.compile(r"//[^/@\s]*@")


class Installer(Protocol):
    """Makes an empty environment and fills it. Neither pip nor uv ends up in it."""

    def make(self, interpreter: Interpreter, folder: str) -> Argv:
        """Return the command that makes an empty environment."""
        ...

    def fill(self, folder: str, requirements: str) -> Argv:
        """Return the command that installs the file *requirements* into it."""
        ...

    def environment(self) -> dict[str, str]:
        """Return all the variables that both commands see."""
        ...


@dataclass(frozen=True, slots=True)
class Pip:
    """Pip of the Python that runs us, which fills environments of any."""

    agent: Mapping[str, str]

    def make(self, interpreter: Interpreter, folder: str) -> Argv:
        return (interpreter.path, "-I", "-m", "venv", "--without-pip", folder)

    def fill(self, folder: str, requirements: str) -> Argv:
        pip = (sys.executable, "-m", "pip", "--python", f"{folder}/bin/python", "install")
        return (*pip, "--no-compile", "--requirement", requirements)

    def environment(self) -> dict[str, str]:
        return _passed_on(self.agent) | {
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
            "PIP_NO_COLOR": "1",
            "PIP_PROGRESS_BAR": "off",
            "PIP_ROOT_USER_ACTION": "ignore",
            "PYTHONUNBUFFERED": "1",
        }


@dataclass(frozen=True, slots=True)
class Uv:
    """The program uv, told of the machine's settings for pip as well as of its own."""

    program: str
    agent: Mapping[str, str]

    def make(self, interpreter: Interpreter, folder: str) -> Argv:
        return (self.program, "venv", "--no-project", "--python", interpreter.path, folder)

    def fill(self, folder: str, requirements: str) -> Argv:
        install = (self.program, "pip", "install", "--python", f"{folder}/bin/python")
        alone = ("--no-index",) if _is_true(_told_pip(self.agent).get("no-index")) else ()
        return (*install, *alone, "--requirement", requirements)

    def environment(self) -> dict[str, str]:
        env = _passed_on(self.agent)
        for name, value in _told_pip(self.agent).items():
            if name in _SAME:
                env.setdefault(_SAME[name], value)
        # Pip takes the best version of all indexes, and so does uv then.
        env.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
        return env | {"NO_COLOR": "1", "UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never"}


def indexes(agent: Mapping[str, str]) -> tuple[str, ...]:
    """Return where this machine's settings let packages come from, without credentials.

    An environment that was made from one index is not what another one would have given.
    """
    told = _told_pip(agent)
    found: dict[str, str] = {name: told[name] for name in _PLACES if name in told}
    found |= {name: agent[name] for name in _UV_PLACES if agent.get(name)}
    return tuple(f"{name}={_USER.sub('//', found[name])}" for name in sorted(found))


def installer(wanted: str, environment: Mapping[str, str]) -> Installer:
    """Return the installer that *wanted* names (`uv` or `pip`), or the fastest there is.

    Raises:
        BuildError: it is not there (`BUILDER_MISSING`).
    """
    if wanted in {"", "uv"} and (program := _uv(environment)):
        return Uv(program, environment)
    if wanted in {"", "pip"} and importlib.util.find_spec("pip") is not None:
        return Pip(environment)
    names = wanted or "uv nor pip"
    message = f"neither {names}" if not wanted else f"no {names}"
    hint = "install uv beside the agent, or on its PATH"
    raise BuildError(
        f"{message} to build an environment with: {hint}", reason=Reason.BUILDER_MISSING
    )


def _uv(environment: Mapping[str, str]) -> str | None:
    beside = Path(sys.executable).parent / "uv"
    if os.access(beside, os.X_OK):
        return str(beside)
    return shutil.which("uv", path=environment.get("PATH", os.defpath))


def _passed_on(agent: Mapping[str, str]) -> dict[str, str]:
    """Return what a build may see of the agent's variables: it runs other people's code."""
    return {
        name: value
        for name, value in agent.items()
        if (name in _PASSED_ON or name.startswith(_FAMILIES)) and name not in _DROPPED
    }


def _told_pip(agent: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of pip that concern uv, of its files and its variables."""
    told: dict[str, str] = {}
    for place in _pip_files(agent):
        parser = configparser.RawConfigParser()
        try:
            parser.read(place, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue  # pip would say so, and uv does not mind
        for section in ("global", "install"):
            if parser.has_section(section):
                told |= {name: " ".join(value.split()) for name, value in parser.items(section)}
    for name in _TOLD:
        variable = f"PIP_{name.upper().replace('-', '_')}"
        if agent.get(variable):
            told[name] = agent[variable]
    return {name: _as_list(name, value) for name, value in told.items() if name in _TOLD and value}


def _as_list(name: str, value: str) -> str:
    """Return *value* in uv's way of writing lists: places to look in are parted by commas."""
    return ",".join(value.split()) if name == "find-links" else value


def _is_true(value: str | None) -> bool:
    return (value or "").lower() in {"1", "true", "yes", "on"}


def _pip_files(agent: Mapping[str, str]) -> Iterator[Path]:
    """Yield pip's files as pip reads them, the strongest last."""
    own = agent.get("PIP_CONFIG_FILE", "")
    if own == os.devnull:
        return
    yield Path("/etc/pip.conf")
    home = agent.get("HOME", "")
    if home:
        yield Path(home, ".pip/pip.conf")
        yield Path(agent.get("XDG_CONFIG_HOME") or Path(home, ".config"), "pip/pip.conf")
    if own:
        yield Path(own)
