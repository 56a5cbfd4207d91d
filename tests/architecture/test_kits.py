"""Every adapter in the box is held to its port's promises."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

from launchyard.plugins.manager import Plugins

ROOT = Path(__file__).parents[2]
PORTS = {
    "targets": "RunnerContract",
    "builders": "BuilderContract",
    "sources": "SourceContract",
    "launch_servers": "AnyServerContract",
}
UNREGISTERED = {
    "adapters/client/files.py": "AttemptFilesContract",
    "adapters/local/blobs.py": "BlobsContract",
    "adapters/sql/store.py": "ClaimContract",
}
"""Adapters that no plugin registers, because they are wired in, and their kits."""


def contracts() -> set[str]:
    """Return the names of all contracts in the test kit."""
    found: set[str] = set()
    for path in sorted((ROOT / "plugins/testkit").glob("*.py")):
        module = importlib.import_module(f"launchyard.plugins.testkit.{path.stem}")
        found |= {name for name in vars(module) if name.endswith("Contract")}
    return found


def held() -> dict[str, set[str]]:
    """Return, by contract, the names of the adapters that a test class holds to it.

    `TestGit(SourceContract)` holds the source `git`, `TestLocal` the target `local-process`, and
    `TestVenvByUv` the builder `venv`.
    """
    found: dict[str, set[str]] = {name: set() for name in contracts()}
    for path in sorted((ROOT / "tests/contract").glob("test_*.py")):
        module = importlib.import_module(f"tests.contract.{path.stem}")
        for name, value in vars(module).items():
            bases = (
                {base.__name__ for base in inspect.getmro(value)} if isinstance(value, type) else ()
            )
            for contract in found.keys() & bases if name.startswith("Test") else ():
                found[contract].add(name.removeprefix("Test").lower())
    return found


@pytest.mark.parametrize("family", PORTS)
def test_every_registered_adapter_has_a_kit(family: str) -> None:
    """An adapter without one could break any promise unnoticed."""
    plugins = Plugins()
    assert plugins.faults() == ()
    names = {name.replace("-", "") for name in getattr(plugins, family)}
    kits = held()[PORTS[family]]
    assert names
    assert not {n for n in names if not any(n.startswith(k) or k.startswith(n) for k in kits)}


def test_every_kit_is_run_here() -> None:
    """One that no adapter of ours passes may ask for what cannot be done."""
    assert not {contract for contract, adapters in held().items() if not adapters}


def test_adapters_that_are_wired_in_have_kits() -> None:
    """Whoever moves one is reminded of its kit."""
    kits = held()
    assert not [path for path in UNREGISTERED if not (ROOT / path).is_file()]
    assert not {kit for kit in UNREGISTERED.values() if not kits.get(kit)}
