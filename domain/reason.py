"""Why an attempt ended: one bounded list, each reason with the class that owns it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class FailureClass(StrEnum):
    """Who has to act on a reason; retry policies and alerts go by it."""

    USER = "user"
    BUILD = "build"
    PLATFORM = "platform"
    AGENT = "agent"
    POLICY = "policy"


class Reason(StrEnum):
    """Why an attempt ended; the text is the value on the wire and in metric labels."""

    COMPLETED = "completed"
    EXIT_CODE = "exit_code"
    KILLED_BY_SIGNAL = "killed_by_signal"
    OUT_OF_MEMORY = "out_of_memory"
    COMMAND_NOT_FOUND = "command_not_found"
    SPEC_INVALID = "spec_invalid"
    SOURCE_NOT_FOUND = "source_not_found"
    SOURCE_REFUSED = "source_refused"
    SOURCE_CORRUPT = "source_corrupt"
    DEPENDENCY_FAILED = "dependency_failed"
    BUILD_FAILED = "build_failed"
    BUILD_TIMEOUT = "build_timeout"
    BUILDER_MISSING = "builder_missing"
    SOURCE_UNREACHABLE = "source_unreachable"
    SUBMIT_FAILED = "submit_failed"
    TARGET_UNREACHABLE = "target_unreachable"
    NAME_TAKEN = "name_taken"
    HOST_REBOOTED = "host_rebooted"
    HOST_LOST = "host_lost"
    HANDLE_UNKNOWN = "handle_unknown"
    UNSCHEDULABLE = "unschedulable"
    QUOTA_EXCEEDED = "quota_exceeded"
    CONTAINER_CONFIG = "container_config"
    EVICTED = "evicted"
    OUT_OF_STORAGE = "out_of_storage"
    PREEMPTED = "preempted"
    DISK_FULL = "disk_full"
    KILLED_WITHOUT_RECORD = "killed_without_record"
    DEADLINE_PASSED = "deadline_passed"
    AGENT_ERROR = "agent_error"
    AGENT_SILENT = "agent_silent"
    CANCELLED = "cancelled"
    RUN_TIMEOUT = "run_timeout"
    REVIEW_REJECTED = "review_rejected"
    TARGET_MISSING = "target_missing"


_U, _B, _P, _A, _Y = FailureClass

CLASS_OF: Final[Mapping[Reason, FailureClass]] = {
    Reason.COMPLETED: _U,
    Reason.EXIT_CODE: _U,
    Reason.KILLED_BY_SIGNAL: _U,
    Reason.OUT_OF_MEMORY: _U,
    Reason.COMMAND_NOT_FOUND: _U,
    Reason.SPEC_INVALID: _U,
    Reason.SOURCE_NOT_FOUND: _U,
    Reason.SOURCE_REFUSED: _U,
    Reason.SOURCE_CORRUPT: _U,
    Reason.DEPENDENCY_FAILED: _B,
    Reason.BUILD_FAILED: _B,
    Reason.BUILD_TIMEOUT: _B,
    Reason.BUILDER_MISSING: _B,
    Reason.SOURCE_UNREACHABLE: _P,
    Reason.SUBMIT_FAILED: _P,
    Reason.TARGET_UNREACHABLE: _P,
    Reason.NAME_TAKEN: _P,
    Reason.HOST_REBOOTED: _P,
    Reason.HOST_LOST: _P,
    Reason.HANDLE_UNKNOWN: _P,
    Reason.UNSCHEDULABLE: _P,
    Reason.QUOTA_EXCEEDED: _P,
    Reason.CONTAINER_CONFIG: _U,
    Reason.EVICTED: _P,
    Reason.OUT_OF_STORAGE: _U,
    Reason.PREEMPTED: _P,
    Reason.DISK_FULL: _A,
    Reason.KILLED_WITHOUT_RECORD: _A,
    Reason.DEADLINE_PASSED: _A,
    Reason.AGENT_ERROR: _A,
    Reason.AGENT_SILENT: _A,
    Reason.CANCELLED: _Y,
    Reason.RUN_TIMEOUT: _Y,
    Reason.REVIEW_REJECTED: _Y,
    Reason.TARGET_MISSING: _Y,
}
