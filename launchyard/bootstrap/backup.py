"""Backups of a server's state folder: its database and the bytes beside it, never its keys."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final

from launchyard.adapters.archive.bundle import BundleError, BundleWriter, unpack_bundle
from launchyard.adapters.local.blobs import FolderBlobs
from launchyard.adapters.sql.snapshot import Copied, copy_database, path_of, raise_epoch
from launchyard.adapters.system.clock import SystemClock
from launchyard.bootstrap.server import DATABASE, server_folder
from launchyard.domain.documents import Json
from launchyard.ports.blobs import BlobError
from launchyard.ports.programs import Backup, ProgramError
from launchyard.ports.records import StoreError

_FORMAT: Final = 1
_FAILED: Final = 1
_CONFIG: Final = 3
_CONFLICT: Final = 6
_BLOBS: Final = "blobs"


def back_up(file: str, state_dir: str, database: str) -> Backup:
    """Write what the server of a state folder keeps to *file*, also while it runs.

    Raises:
        ProgramError: it could not; *file* is as it was.
    """
    state, path = server_folder(state_dir), Path(file).absolute()
    with _in_words(f"{file} was not written"):
        source = path_of(database) if database else state / DATABASE
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=path.parent) as scratch:
            return _write(path, source, FolderBlobs(state / _BLOBS), Path(scratch, DATABASE))


def _write(path: Path, source: Path, blobs: FolderBlobs, copy: Path) -> Backup:
    """Write the database first: what it names was there before, and blobs seldom change."""
    now_ms, copied, kept = SystemClock().now_ms(), copy_database(source, copy), 0
    writer = BundleWriter(path)
    try:
        with copy.open("rb") as database:
            writer.add(DATABASE, database)
        for name in copied.blobs:
            try:
                with blobs.open(name) as blob:
                    writer.add(f"{_BLOBS}/{name}", blob)
            except BlobError as error:
                if not error.missing:
                    raise
                continue  # housekeeping took it away meanwhile
            kept += 1
        size_b = writer.finish(_about(copied, now_ms))
    finally:
        writer.drop()
    return Backup(
        file=str(path),
        installation=copied.installation,
        created_ms=now_ms,
        items=copied.items,
        blobs=kept,
        size_b=size_b,
    )


def _about(copied: Copied, now_ms: int) -> Json:
    return {
        "format": _FORMAT,
        "release": version("launchyard"),
        "installation": copied.installation,
        "schema": copied.schema,
        "created_ms": now_ms,
        "items": copied.items,
        "blobs": len(copied.blobs),
    }


def restore(file: str, state_dir: str, database: str) -> Backup:
    """Make a state folder of a backup; every token of before is stale from then on.

    Raises:
        ProgramError: the backup is damaged, or of a newer release, or the folder is not empty, or
            the server is to have another *database* than that of the folder.
    """
    state, path = server_folder(state_dir), Path(file).absolute()
    if database and not _is_file(database, state / DATABASE):
        what = f"the restored database is {state / DATABASE}, and the server is to have another one"
        where = "--database, or LAUNCHYARD_SERVER_DATABASE"
        remedy = "set it to that file, or leave it out, both here and for the server"
        raise ProgramError(what, code=_CONFIG, where=where, remedy=remedy)
    if state.exists() and any(state.iterdir()):
        what = f"the state folder {state} is not empty"
        remedy = "name a new one with --state-dir, or move the old one away"
        raise ProgramError(what, code=_CONFLICT, remedy=remedy)
    with _in_words(f"{file} was not restored"):
        state.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(prefix=f".{state.name}-restore-", dir=state.parent))
        try:
            done = _unpack(path, half)
            half.replace(state)  # at once, so that no server ever starts with half of it
        finally:
            shutil.rmtree(half, ignore_errors=True)
    return done


def _is_file(database: str, path: Path) -> bool:
    """Tell whether an address of a database, which may hold a password, is that of a file."""
    try:
        return path_of(database).resolve() == path.resolve()
    except StoreError:
        return False


def _unpack(path: Path, half: Path) -> Backup:
    about = unpack_bundle(path, half)
    if not isinstance(about, dict) or not (half / DATABASE).is_file():
        raise BundleError(f"{path} is no backup of a server")
    if about.get("format") != _FORMAT:
        raise BundleError(f"{path} was made by a newer release; restore it with that one")
    epoch = raise_epoch(half / DATABASE, SystemClock().now_ms())
    for end in ("-wal", "-shm"):
        (half / f"{DATABASE}{end}").unlink(missing_ok=True)
    return Backup(
        file=str(path),
        installation=str(about["installation"]),
        created_ms=int(str(about["created_ms"])),
        items=int(str(about["items"])),
        blobs=sum(len(files) for _, _, files in os.walk(half / _BLOBS)),
        size_b=path.stat().st_size,
        epoch=epoch,
    )


@contextmanager
def _in_words(what: str) -> Iterator[None]:
    try:
        yield
    except (StoreError, BundleError, BlobError) as error:
        raise ProgramError(what, code=_FAILED, where=str(error)) from error
    except OSError as error:
        where = f"{error.filename or ''}: {error.strerror or error}".lstrip(": ")
        raise ProgramError(what, code=_FAILED, where=where) from error
