"""Ways to begin jobs on a cluster and to wait for what becomes of them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from launchyard.adapters.kubernetes.runner import KubernetesRunner
from launchyard.domain.attempt import ENDS
from launchyard.domain.documents import Json
from launchyard.domain.naming import Owner, labels, target_name
from launchyard.ports.runner import Handle, Launch, Observation, Watch
from tests.adapters.kubernetes.plans import script_plan
from tests.programs import until
from tests.rig.kubernetes.proxy import Fault, Proxy

LIMIT_S = 120.0


def launch(
    script: str, config: Json = None, secrets: Mapping[str, str] | None = None, **more: Any
) -> Launch:
    """Return the launch of a script by a new owner, or by an `owner` that is given."""
    item = str(uuid.uuid4())
    owner = more.pop("owner", Owner(installation="tests", item=item, attempt=1, agent="a"))
    return Launch(
        owner=owner,
        name=target_name(owner.installation, owner.item, owner.attempt),
        labels=labels(owner, ""),
        plan=script_plan(script, config, **more),
        deadline=time.clock_gettime(time.CLOCK_BOOTTIME) + LIMIT_S,
        secrets=secrets or {},
    )


def gated(gate: Path) -> Launch:
    """Return the launch of a job that fails with 3 once *gate* is there, however late that is."""
    return launch(f"until [ -e {gate} ]; do sleep 0.05; done; exit 3")


def told(watch: Watch, wanted: Callable[[Observation], bool]) -> Observation:
    """Return the first observation that is *wanted*."""
    until, last = time.monotonic() + LIMIT_S, None
    while time.monotonic() < until:
        for seen in watch.wait(until - time.monotonic()):
            last = seen.observation
            if wanted(last):
                return last
    raise AssertionError(f"never told; the last was {last}")


def end_of(runner: KubernetesRunner, handle: Handle) -> Observation:
    """Return how a job ended, which it has to."""
    watch = runner.watch()
    try:
        watch.add(handle)
        return told(watch, lambda seen: seen.state in ENDS)
    finally:
        watch.close()


def log_of(runner: KubernetesRunner, handle: Handle, source: str, start: int = 0) -> bytes:
    """Return the log of a job that is over from *start* to its end."""
    text, until = b"", time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        piece = runner.read_log(handle, source, start + len(text), 1 << 16)
        text += piece.data
        if piece.end:
            return text
    raise AssertionError("the log has no end")


def cut_off(proxy: Proxy, fault: Fault) -> None:
    """Cut the watches until one meets *fault*: one that was just about to begin is not cut."""

    def met() -> bool:
        proxy.cut()
        return fault.met.wait(0.5)

    until(met, "the fault")
