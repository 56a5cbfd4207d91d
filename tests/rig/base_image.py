"""A small image with Python, put together from Debian's packages, since no registry is asked."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

PACKAGES = (
    *("base-files", "base-passwd", "libc-bin", "dash", "bash", "coreutils", "grep", "sed"),
    *("tar", "gzip", "findutils", "hostname", "mawk", "util-linux", "ca-certificates", "openssl"),
    *("python3", "python3-pip", "python3-venv"),
)
_FOLDERS = ("bin", "sbin", "lib", "lib64")
_NOT_NEEDED = ("doc", "man", "locale", "info")
_CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"


def make_base(folder: Path) -> Path:
    """Return a tar file with the image's files."""
    root = folder / "root"
    for name in _FOLDERS:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for package in _download(folder):
        _unpack(package, root)
    _finish(root)
    tar = folder / "base.tar"
    words = ["tar", "-C", str(root), "--numeric-owner", "--owner=0", "--group=0", "-cf", str(tar)]
    subprocess.run([*words, "."], check=True)
    shutil.rmtree(root)
    return tar


def _download(folder: Path) -> list[Path]:
    """Fetch the packages with all that they need, as if nothing were installed here."""
    archives, status = folder / "archives", folder / "status"
    (archives / "partial").mkdir(parents=True)
    status.touch()
    words = ["apt-get", "-qq", "--yes", "--download-only", "install", *PACKAGES]
    options = (
        f"Dir::State::status={status}",
        f"Dir::Cache::archives={archives}",
        "Debug::NoLocking=1",
        "APT::Install-Recommends=false",
        "APT::Sandbox::User=root",
    )
    words += [word for option in options for word in ("-o", option)]
    if subprocess.run(words, capture_output=True, check=False).returncode != 0:
        subprocess.run(["apt-get", "-qq", "update"], check=True, capture_output=True)
        subprocess.run(words, check=True, capture_output=True)
    return sorted(archives.glob("*.deb"))


def _unpack(package: Path, root: Path) -> None:
    excluded = [f"--exclude=./usr/share/{name}/*" for name in _NOT_NEEDED]
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE
    ) as files:
        words = ["tar", "-x", "-C", str(root), "--keep-directory-symlink", *excluded]
        subprocess.run(words, stdin=files.stdout, check=True)
    assert files.returncode == 0, package


def _finish(root: Path) -> None:
    """Do by hand the little that the packages' own scripts would have done."""
    for name in ("passwd", "group"):
        shutil.copy(root / f"usr/share/base-passwd/{name}.master", root / "etc" / name)
    if not (root / "bin/sh").exists():
        (root / "bin/sh").symlink_to("dash")
    for name in ("tmp", "root", "proc", "sys", "dev", "etc/ssl/certs", "usr/local/bin"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    # This machine's authorities: a proxy that signs anew is among them where there is one.
    shutil.copy(f"/{_CERTIFICATES}", root / _CERTIFICATES)
    (root / "usr/bin/awk").unlink(missing_ok=True)
    (root / "usr/bin/awk").symlink_to("mawk")
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        marker.unlink()
