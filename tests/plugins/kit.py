"""Installs plugins as pip would leave them, for one test."""

from __future__ import annotations

from pathlib import Path

HEAD = """
from launchyard.domain.config.schema import Block
from launchyard.plugins import hookimpl
from launchyard.plugins.specs import BuilderProvider, Place, SourceProvider, TargetProvider

launchyard_api = 1

def builder(name, **more):
    return BuilderProvider(
        name=name, doc="One of the tests.", config=Block(key=name, doc="Nothing."),
        make=lambda place: (_ for _ in ()).throw(ValueError("no such disk")), process="build",
        **more,
    )
"""


def install(folder: Path, name: str, code: str, head: str = HEAD) -> None:
    """Put a distribution with one module and one entry point, both named *name*, into *folder*."""
    folder.mkdir(exist_ok=True)
    module = f"ly_test_{name.replace('-', '_')}"
    (folder / f"{module}.py").write_text(head + code)
    info = folder / f"{module}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: ly-{name}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[launchyard]\n{name} = {module}\n")
