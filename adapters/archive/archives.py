"""The archive port on gzipped tar files."""

from __future__ import annotations

from typing import BinaryIO

from launchyard.adapters.archive.pack import pack
from launchyard.adapters.archive.unpack import inspect, unpack
from launchyard.domain.archive import Limits
from launchyard.ports.archive import Contents


class TarArchives:
    """`Archives` as tar.gz; it keeps nothing, so one serves every thread."""

    def pack(self, folder: str, into: str, limits: Limits) -> Contents:
        return pack(folder, into, limits)

    def inspect(self, file: BinaryIO, limits: Limits) -> Contents:
        return inspect(file, limits)

    def unpack(self, file: BinaryIO, into: str, sha256: str, limits: Limits) -> Contents:
        return unpack(file, into, sha256, limits)
