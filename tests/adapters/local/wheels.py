"""Packages made on the spot, so that builds are real and need no network."""

from __future__ import annotations

import zipfile
from pathlib import Path


def make_wheel(folder: Path, name: str, version: str, requires: str = "") -> Path:
    """Write a wheel that brings one module, which knows its version."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    if requires:
        metadata += f"Requires-Dist: {requires}\n"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)
    return wheel


def make_project(folder: Path, name: str, backend: str) -> Path:
    """Write a project that builds itself with *backend*, the body of a function."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "1"\n'
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    body = "\n".join(f"    {line}" for line in backend.splitlines())
    (folder / "backend.py").write_text(
        f"def build_wheel(to, settings=None, metadata=None):\n{body}\n"
    )
    return folder


def make_held_project(folder: Path, aside: Path) -> Path:
    """Write a project `held` whose build waits while `<aside>/hold` is there; return that file.

    Each time it begins, it adds an `x` to `<aside>/begun`.
    """
    hold = aside / "hold"
    hold.touch()
    wheel = make_wheel(aside / "ready", "held", "1")
    code = (
        "import os, shutil, time\n"
        f"open({str(aside / 'begun')!r}, 'a').write('x')\n"
        f"while os.path.exists({str(hold)!r}): time.sleep(0.01)\n"
        f"shutil.copy({str(wheel)!r}, to)\n"
        f"return {wheel.name!r}"
    )
    make_project(folder, "held", code)
    return hold
