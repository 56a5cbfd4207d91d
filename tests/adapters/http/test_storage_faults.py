"""What fails is in the log once, not once a request."""

from __future__ import annotations

import errno
import logging

import pytest

from launchyard.adapters.http.storage_faults import Storage, StorageFaults
from launchyard.plugins.testkit.store_world import MovableClock
from launchyard.ports.blobs import BlobError
from launchyard.ports.records import StoreError, Trouble


def _failed(name: str, number: int) -> BlobError:
    error = BlobError(f"cannot store {name}: {errno.errorcode[number]}")
    error.__cause__ = OSError(number, "no")
    return error


def test_each_change_has_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """When it begins, when its cause is another one, and once it has worked for a while."""
    caplog.set_level(logging.INFO)
    clock = MovableClock()
    faults = StorageFaults(clock)
    faults.worked(Storage.FILES)
    for name in ("a", "b"):
        faults.note(_failed(name, errno.ENOSPC))
        faults.worked(Storage.FILES)
    faults.note(_failed("c", errno.EIO))
    faults.worked(Storage.DATABASE)
    clock.pass_s(60)
    for _ in range(2):
        faults.worked(Storage.FILES)
    told = [record.getMessage().partition(";")[0] for record in caplog.records]
    assert told == [
        "cannot store a: ENOSPC",
        "cannot store c: EIO",
        "the server's files can be written again",
    ]


def test_a_refusal_is_no_ailment(caplog: pytest.LogCaptureFixture) -> None:
    """What a client did wrong, or what is not there, says nothing about the server."""
    faults = StorageFaults(MovableClock())
    faults.note(StoreError("there is no item 'x'", Trouble.NOT_FOUND))
    faults.note(BlobError("there is no 'x'", missing=True))
    faults.note(ValueError("x"))
    assert not caplog.records
    faults.note(StoreError("the disk is full", Trouble.UNAVAILABLE))
    assert len(caplog.records) == 1
