"""Which files of a folder stay at home."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pathspec import GitIgnoreSpec

IGNORE_FILE: Final = ".launchyardignore"
# The later file has the last word on a path, wherever the two lie.
_FILES: Final = (".gitignore", IGNORE_FILE)
_ALWAYS_OUT: Final = frozenset(
    {
        ".git",
        ".DS_Store",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".nox",
        ".pytest_cache",
        ".ruff_cache",
        ".tox",
        "__pycache__",
    }
)


@dataclass(frozen=True, slots=True)
class _Layer:
    """The patterns of one ignore file, which holds for paths below `folder`.

    One that lies above the root sees every path with `above`, the root's own path below it, before.
    """

    folder: str
    spec: GitIgnoreSpec
    above: str = ""

    def path(self, path: str) -> str:
        """Return *path*, relative to the root, as this file's patterns see it."""
        return f"{self.above}/{path}" if self.above else path.removeprefix(self.folder).lstrip("/")


class Ignores:
    """The ignore files on the way from the root down to one folder.

    As in git, a deeper file overrules a higher one, and nothing below an ignored folder is
    looked at again. `.launchyardignore` files overrule all `.gitignore` files, so that `!data/`
    there sends what git must not keep.
    """

    def __init__(self, layers: Sequence[Sequence[_Layer]] = ((),) * len(_FILES)) -> None:
        self._layers = layers

    @classmethod
    def above(cls, root: str) -> Ignores:
        """Return the rules of the `.gitignore` files from *root*'s repository down to its parent.

        Files that ignore the root itself say nothing: whoever names a folder wants it sent.

        Raises:
            OSError: an ignore file cannot be read.
        """
        here = Path(root).resolve()
        top = next((p for p in (here, *here.parents) if Path(p, ".git").exists()), here)
        layers: list[_Layer] = []
        for folder in reversed(here.relative_to(top).parents):
            lies = Path(top, folder)
            above = here.relative_to(lies).as_posix()
            layers += (
                _Layer("", layer.spec, above)
                for layer in _read(str(lies), "", _FILES[0])
                if not layer.spec.check_file(f"{above}/").include
            )
        return cls((layers, *((),) * (len(_FILES) - 1)))

    def entering(self, root: str, folder: str) -> Ignores:
        """Return the rules inside *folder*, a path below *root* or empty.

        Raises:
            OSError: an ignore file cannot be read.
        """
        found = [_read(root, folder, name) for name in _FILES]
        if not any(found):
            return self
        return Ignores([(*old, *new) for old, new in zip(self._layers, found, strict=True)])

    def leaves_out(self, path: str, *, is_folder: bool) -> bool:
        """Say whether *path*, relative to the root, stays out of the archive."""
        if path.rpartition("/")[2] in _ALWAYS_OUT:
            return True
        for layers in reversed(self._layers):
            for layer in reversed(layers):
                inside = layer.path(path)
                verdict = layer.spec.check_file(inside + "/" if is_folder else inside).include
                if verdict is not None:
                    return verdict
        return False


def is_environment(folder: Path) -> bool:
    """Say whether *folder* is a Python virtual environment, whatever its name."""
    return Path(folder, "pyvenv.cfg").is_file()


def _read(root: str, folder: str, name: str) -> list[_Layer]:
    path = Path(root, folder, name)
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [_Layer(folder, GitIgnoreSpec.from_lines(lines))]
