"""The folder that a job's code goes into; what is written never follows a link."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from launchyard.domain.notebook import NotebookError, script_name, script_of
from launchyard.domain.reason import Reason
from launchyard.domain.wandb_job import WandbJob
from launchyard.ports.source import SourceError

_NEW_FILE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_PROGRAM: Final = b"#!"
_MOST_NOTEBOOK_B: Final = 256 * 1024**2


def make_empty(folder: str) -> Path:
    """Create *folder*; refuse one that holds something."""
    path = Path(folder).absolute()
    try:
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
        is_empty = not any(path.iterdir())
    except OSError as e:
        text = f"the folder {folder!r} for the code cannot be made: {e.strerror}"
        raise SourceError(text, reason=Reason.DISK_FULL, retry=True) from e
    if not is_empty:
        text = f"the folder {folder!r} for the code is not empty; nothing was written"
        raise SourceError(text, reason=Reason.SOURCE_REFUSED)
    return path


@contextmanager
def removed_on_error(folder: str) -> Iterator[None]:
    """Remove *folder* when the block raises, whatever it raises."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@contextmanager
def new_file(folder: Path, name: str) -> Iterator[BinaryIO]:
    """Give the file *name* of *folder* to be written; one that begins with `#!` is a program.

    Artifacts keep no modes, so that its first bytes have to say it.
    """
    path = folder / name
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        opened = os.open(path, _NEW_FILE, 0o644)
    except OSError as e:
        text = f"{name!r} of the job could not be written: {e.strerror}"
        raise SourceError(text, reason=Reason.DISK_FULL, retry=True) from None
    with os.fdopen(opened, "w+b") as file:
        yield file
        file.seek(0)
        if file.read(len(_PROGRAM)) == _PROGRAM:
            os.fchmod(file.fileno(), 0o755)


def put(folder: Path, name: str, data: bytes) -> None:
    """Write a file at the top of *folder* in the place of whatever has its name."""
    path = folder / name
    if path.is_dir() and not path.is_symlink():
        text = f"{name!r} is a folder in the job's code; rename it"
        raise SourceError(text, reason=Reason.SOURCE_REFUSED)
    path.unlink(missing_ok=True)
    with new_file(folder, name) as file:
        file.write(data)


def make_script(folder: Path, job: WandbJob) -> None:
    """Write the script of a notebook job beside its notebook."""
    if not job.notebook or not job.entrypoint:
        return
    name = job.entrypoint[-1]
    script = script_name(name)
    path = (folder / name).resolve()
    if script == name or not path.is_relative_to(folder.resolve()):
        raise _no_notebook(name, "it is no notebook of the job's code")
    try:
        if path.stat().st_size > _MOST_NOTEBOOK_B:
            raise _no_notebook(name, "it is too large")
        text = script_of(json.loads(path.read_bytes()))
    except FileNotFoundError:
        raise _no_notebook(name, "the job's code has no such file") from None
    except OSError as e:
        raise _no_notebook(name, e.strerror or "it cannot be read") from None
    except NotebookError as e:
        raise _no_notebook(name, str(e)) from None
    except ValueError:
        raise _no_notebook(name, "it is no JSON") from None
    put(path.parent, Path(script).name, text.encode())


def _no_notebook(name: str, why: str) -> SourceError:
    text = f"the job's notebook {name!r} cannot be run: {why}"
    return SourceError(text, reason=Reason.SOURCE_REFUSED)
