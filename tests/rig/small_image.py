"""An image with a shell and a few words, put together from this machine's own files in a second."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from tests.rig.dockerd import Docker

IMAGE = "local/small:test"
_PROGRAMS = ("sh", "sleep", "cat", "head", "yes", "tail", "mkdir", "ln", "date")
_LIBRARY = re.compile(r"(/\S+) \(0x")


def load_small_image(docker: Docker, folder: Path) -> str:
    """Have *docker* know the image; return its name."""
    root = folder / "root"
    (root / "bin").mkdir(parents=True)
    (root / "tmp").mkdir(mode=0o777)
    for name in _PROGRAMS:
        program = shutil.which(name)
        assert program, name
        shutil.copy(Path(program).resolve(), root / "bin" / name)
        needs = subprocess.run(["ldd", program], capture_output=True, text=True, check=True)
        for library in _LIBRARY.findall(needs.stdout):
            into = root / library.lstrip("/")
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path(library).resolve(), into)
    tar = folder / "small.tar"
    words = ["tar", "-C", str(root), "--numeric-owner", "--owner=0", "--group=0", "-cf", str(tar)]
    subprocess.run([*words, "."], check=True)
    docker.run("import", "--change", "ENV PATH=/bin", str(tar), IMAGE)
    shutil.rmtree(root)
    return IMAGE
