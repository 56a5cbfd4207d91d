"""Which cluster an address means, asked in a process of its own: the agent's main loads no SDK."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from launchyard.adapters.kubernetes.paths import Address

_LIMIT_S: Final = 40.0
_FILE: Final = "cluster.json"
_SCRIPT: Final = "from launchyard.adapters.kubernetes.ask import main; main()"


def scope_of(address: Address, namespace: str, folder: str, environment: Mapping[str, str]) -> str:
    """Return where jobs of this address and namespace can be reached.

    A cluster that does not answer now is the one that it was, if it ever answered: what it is
    called is kept in *folder*.

    Raises:
        ValueError: it does not answer, and never did; the message says why.
    """
    asked = [address.kubeconfig, address.context, namespace]
    kept = Path(folder, _FILE)
    told = _answer(asked, environment)
    if "scope" in told:
        draft = kept.with_suffix(".new")
        with suppress(OSError):
            draft.write_text(json.dumps({"asked": asked, "scope": told["scope"]}))
            draft.replace(kept)
        return told["scope"]
    with suppress(OSError, ValueError):
        old = json.loads(kept.read_text())
        if isinstance(old, dict) and old.get("asked") == asked:
            return str(old["scope"])
    remedy = "correct `targets.kubernetes`, or the kubeconfig that it names"
    raise ValueError(f"{told.get('error', 'the cluster does not answer')}: {remedy}")


def _answer(asked: list[str], environment: Mapping[str, str]) -> dict[str, str]:
    try:
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
            env=dict(environment),
        )
        told = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return {}
    return {str(k): str(v) for k, v in told.items()} if isinstance(told, dict) else {}
