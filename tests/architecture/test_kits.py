"""Every adapter in the box is held to its port's promises."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

from launchyard.plugins.manager import Plugins

ROOT = Path(__file__).parents[2]
PORTS = {"targets": "RunnerContract", "builders": "BuilderContract", "sources": "SourceContract"}


def held() -> dict[str, set[str]]:
    """Return, by contract, the names of the adapters that a test class holds to it.

    `TestGit(SourceContract)` holds the source `git`, `TestLocal` the target `local-process`, and
    `TestVenvByUv` the builder `venv`.
    """
    found: dict[str, set[str]] = {contract: set() for contract in PORTS.values()}
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
