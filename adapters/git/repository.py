"""One repository on its way into one folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from launchyard.adapters.git.errors import explain
from launchyard.adapters.git.process import Command, Result, Until, run
from launchyard.adapters.git.settings import GitConfig, command_environment, command_line
from launchyard.domain.reason import Reason
from launchyard.domain.remotes import Remote, is_commit, may_be_commit
from launchyard.ports.source import SourceError

_HEADS: Final = "refs/heads/"
_TAGS: Final = "refs/tags/"
_LINK_MODE: Final = "160000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submodule:
    """A repository inside another one: where it goes, its address as written, its commit."""

    path: str
    url: str
    commit: str


class Repository:
    """Fetches one commit of *remote* into *folder*, with git's own data in a folder `.git`.

    Every command ends by *until*. `SourceError` is raised for what git complains about.
    """

    def __init__(self, config: GitConfig, remote: Remote, folder: Path, until: Until) -> None:
        self._remote = remote
        self._folder = folder
        self._until = until
        self._start = command_line(config, remote)
        self._env = command_environment(config, remote)

    def checkout(self, ref: str) -> str:
        """Put the files of *ref* into the folder and return the full commit id.

        A branch comes before a tag of the same name; no ref means the remote's default branch.
        """
        self._git("init", "--quiet", "--template=", ".")
        commit = self._fetch(ref)
        self._git("checkout", "--quiet", "--force", "--detach", commit)
        return commit

    def submodules(self, commit: str) -> Iterator[Submodule]:
        """Give the submodules of *commit* that have an address."""
        links = self._links(commit)
        if not links:
            return
        settings = self._modules(commit)
        urls = {
            settings[name, "path"]: url for (name, key), url in settings.items()
            if key == "url" and (name, "path") in settings
        }  # fmt: skip
        for path, link in links.items():
            if path in urls:
                yield Submodule(path=path, url=urls[path], commit=link)

    def forget(self) -> None:
        """Remove git's own data, so that the files are a function of the commit alone."""
        shutil.rmtree(self._folder / ".git")

    def _fetch(self, ref: str) -> str:
        if is_commit(ref):
            shallow = self._try("fetch", "--quiet", "--depth=1", "--no-tags", "--", *self._at(ref))
            return self._resolve("FETCH_HEAD") if shallow.code == 0 else self._search(ref)
        name = self._find(ref)
        if name is None:
            return self._search(ref)
        self._git("fetch", "--quiet", "--depth=1", "--no-tags", "--", *self._at(name))
        return self._resolve("FETCH_HEAD")

    def _find(self, ref: str) -> str | None:
        """Return the full name on the remote of the branch or tag *ref*."""
        wanted = (_HEADS + ref, _TAGS + ref, ref) if ref else ("HEAD",)
        patterns = [name for name in wanted if name.startswith("refs/") or name == "HEAD"]
        known = self._list(*patterns)
        found = next((name for name in patterns if name in known), None)
        if found is None and not ref:
            text = f"{self._remote.url} has no default branch; it may be empty, or name a branch"
            raise SourceError(text, reason=Reason.SOURCE_NOT_FOUND)
        return found

    def _search(self, ref: str) -> str:
        """Look for a commit that the remote does not hand out by its id, in the whole history."""
        if may_be_commit(ref):
            everything = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
            self._git("fetch", "--quiet", "--", self._remote.url, *everything)
            found = self._try("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
            if found.code == 0:
                return found.out.decode().strip()
        raise self._missing(ref)

    def _missing(self, ref: str) -> SourceError:
        names = [
            name.removeprefix(_HEADS).removeprefix(_TAGS)
            for name in self._list(_HEADS + "*", _TAGS + "*")
            if not name.endswith("^{}")
        ]
        close = get_close_matches(ref, names) or names[:3]
        hint = "did you mean " + " or ".join(repr(name) for name in close) if close else ""
        text = f"{self._remote.url} has no branch, tag or commit {ref!r}; {hint or 'it is empty'}"
        return SourceError(text, reason=Reason.SOURCE_NOT_FOUND)

    def _list(self, *patterns: str) -> list[str]:
        out = self._git("ls-remote", "--quiet", "--", self._remote.url, *patterns)
        lines = out.decode(errors="replace").splitlines()
        return [name for _, _, name in (line.partition("\t") for line in lines)]

    def _links(self, commit: str) -> dict[str, str]:
        """Return the commits of other repositories in the tree, by path."""
        links = {}
        for entry in self._git("ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0"):
            head, _, path = entry.decode(errors="surrogateescape").partition("\t")
            if head.startswith(_LINK_MODE):
                links[path] = head.split()[2]
        return links

    def _modules(self, commit: str) -> dict[tuple[str, str], str]:
        """Return the settings of .gitmodules by submodule and key; it may be absent."""
        read = self._try("config", f"--blob={commit}:.gitmodules", "--list", "-z")
        settings = {}
        for entry in read.out.decode(errors="surrogateescape").split("\0"):
            key, _, text = entry.partition("\n")
            section, _, rest = key.partition(".")
            name, _, setting = rest.rpartition(".")
            if section == "submodule":
                settings[name, setting] = text
        return settings

    def _at(self, name: str) -> tuple[str, str]:
        return self._remote.url, name

    def _resolve(self, name: str) -> str:
        return self._git("rev-parse", "--verify", f"{name}^{{commit}}").decode().strip()

    def _git(self, *arguments: str) -> bytes:
        result = self._try(*arguments)
        if result.code != 0:
            raise explain(result.err, self._remote)
        return result.out

    def _try(self, *arguments: str) -> Result:
        argv = [*self._start, *arguments]
        return run(Command(argv=argv, cwd=str(self._folder), env=self._env), self._until)
