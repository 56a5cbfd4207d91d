"""What fails is in the log once, not once a request."""

from __future__ import annotations

import errno
import logging

import pytest

from launchyard.adapters.http.ailments import Ailments, Organ
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
    ailments = Ailments(clock)
    ailments.worked(Organ.FILES)
    for name in ("a", "b"):
        ailments.note(_failed(name, errno.ENOSPC))
        ailments.worked(Organ.FILES)
    ailments.note(_failed("c", errno.EIO))
    ailments.worked(Organ.DATABASE)
    clock.pass_s(60)
    for _ in range(2):
        ailments.worked(Organ.FILES)
    told = [record.getMessage().partition(";")[0] for record in caplog.records]
    assert told == [
        "cannot store a: ENOSPC",
        "cannot store c: EIO",
        "the server's files can be written again",
    ]


def test_a_refusal_is_no_ailment(caplog: pytest.LogCaptureFixture) -> None:
    """What a client did wrong, or what is not there, says nothing about the server."""
    ailments = Ailments(MovableClock())
    ailments.note(StoreError("there is no item 'x'", Trouble.NOT_FOUND))
    ailments.note(BlobError("there is no 'x'", missing=True))
    ailments.note(ValueError("x"))
    assert not caplog.records
    ailments.note(StoreError("the disk is full", Trouble.UNAVAILABLE))
    assert len(caplog.records) == 1
