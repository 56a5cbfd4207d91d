"""What every store must do, as tests; the parts are beside this file."""

from __future__ import annotations

from launchyard.plugins.testkit.store_directory import DirectoryContract, ItemsContract
from launchyard.plugins.testkit.store_expiry import ExpiryContract
from launchyard.plugins.testkit.store_files import FilesContract
from launchyard.plugins.testkit.store_housekeeping import HousekeepingContract
from launchyard.plugins.testkit.store_leases import ClaimContract, LeaseContract
from launchyard.plugins.testkit.store_queues import QueueContract
from launchyard.plugins.testkit.store_refunds import RefundContract
from launchyard.plugins.testkit.store_reports import (
    ReclaimContract,
    ReleaseContract,
    ReportContract,
)
from launchyard.plugins.testkit.store_retries import (
    DeadLetterContract,
    DelayContract,
    RetryContract,
)
from launchyard.plugins.testkit.store_secrets import SecretsContract
from launchyard.plugins.testkit.store_together import TogetherContract


class StoreContract(
    DirectoryContract,
    ItemsContract,
    SecretsContract,
    ClaimContract,
    QueueContract,
    LeaseContract,
    ExpiryContract,
    ReportContract,
    ReclaimContract,
    ReleaseContract,
    RetryContract,
    RefundContract,
    DelayContract,
    DeadLetterContract,
    FilesContract,
    HousekeepingContract,
    TogetherContract,
):
    """Subclass as `TestMyStore` and give it an `opening`."""
