"""The launch spec: what a launch asks for, read from and written to a document."""

from __future__ import annotations

from launchyard.domain.spec.model import (
    ArchiveSource,
    Docker,
    GitSource,
    ImageSource,
    JobSource,
    LaunchSpec,
    NoSource,
    Overrides,
    SecretRef,
    Service,
    Source,
    command_of,
    split_api_key,
)
from launchyard.domain.spec.parse import parse_spec, suspicious_keys
from launchyard.domain.spec.write import to_document

__all__ = [
    "ArchiveSource",
    "Docker",
    "GitSource",
    "ImageSource",
    "JobSource",
    "LaunchSpec",
    "NoSource",
    "Overrides",
    "SecretRef",
    "Service",
    "Source",
    "command_of",
    "parse_spec",
    "split_api_key",
    "suspicious_keys",
    "to_document",
]
