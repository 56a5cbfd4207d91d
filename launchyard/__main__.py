"""`python -m launchyard` and the script `launchyard`."""

from __future__ import annotations

import os
import sys

from launchyard.adapters.cli.main import run
from launchyard.bootstrap.programs import LocalPrograms


def main() -> None:
    """Carry out the command in `sys.argv` and exit with its code."""
    sys.exit(run(LocalPrograms(os.environ), sys.argv[1:], os.environ))


if __name__ == "__main__":
    main()
