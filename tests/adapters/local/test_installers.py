"""What installers are told, and what is made of their words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from launchyard.adapters.local.venv.failures import install_failed
from launchyard.adapters.local.venv.installer import Uv, indexes
from launchyard.adapters.local.venv.process import Output
from launchyard.domain.reason import Reason


def test_no_credentials_in_output() -> None:
    """However the bytes are cut."""
    said: list[bytes] = []
    output = Output(said.append)
    text = b"Looking in https://ann:s3cr3t@host/simple\nfrom https://t0ken@host/x"
    for at in range(0, len(text), 3):
        output.feed(text[at : at + 3])
    output.flush()
    told = b"".join(said)
    assert told.count(b"***@host") == 2
    assert b"s3cr3t" not in told + output.tail.encode()


def test_uv_is_told_what_pip_is_told(tmp_path: Path) -> None:
    """The machine's files and variables for pip hold for uv, and uv's own are stronger."""
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text(
        "[global]\nindex-url = file:///mirror/simple\nfind-links =\n  /a\n  /b\n"
    )
    agent = {"HOME": str(tmp_path), "PIP_EXTRA_INDEX_URL": "file:///x", "AWS_KEY": "no"}
    env = Uv("uv", agent).environment()
    assert env["UV_DEFAULT_INDEX"] == "file:///mirror/simple"
    assert env["UV_FIND_LINKS"] == "/a,/b"
    assert env["UV_INDEX"] == "file:///x"
    assert "AWS_KEY" not in env
    assert Uv("uv", {**agent, "UV_INDEX": "file:///y"}).environment()["UV_INDEX"] == "file:///y"


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("ERROR: No matching distribution found for numpy==99", "numpy==99"),
        ("ERROR: Cannot install tiny==1.0 and tiny==2.0 because these", "tiny==1.0"),
        ("ERROR: Failed building wheel for torch-thing", "torch-thing"),
        ("ERROR: Invalid requirement: 'foo bar' (from line 1 of r.txt)", "foo bar"),
        ("  cause: Because nosuch was not found in the registry and you require nosuch", "nosuch"),
        ("  × No solution\n  ╰─▶ Because there is no version of\n      tiny==7 and you", "tiny==7"),
        ("  cause: Because only tiny==1.0 is available and you require tiny>2", "tiny==1.0"),
        ("error: Failed to build `bad @ file:///x/bad`\n  cause: The build backend", "bad"),
        ("Collecting a\nProcessing ./bad\n  error: subprocess-exited-with-error\n", "bad"),
    ],
)
def test_a_failed_dependency_is_named(said: str, named: str) -> None:
    """In what each installer says of each kind of failure."""
    error = install_failed(said, ())
    assert error.reason is Reason.DEPENDENCY_FAILED
    assert f"`{named}`" in str(error)


def test_a_dependency_is_named_as_it_was_asked_for() -> None:
    """So that its line is found again."""
    said = "ERROR: No matching distribution found for scikit-learn>=99"
    error = install_failed(said, ("numpy", "scikit_learn >= 99  ; python_version > '3'"))
    assert "scikit_learn >= 99" in str(error)


def test_a_full_disk_is_no_dependencys_fault() -> None:
    """It passes when there is room again."""
    error = install_failed("Collecting x\nOSError: [Errno 28] No space left on device\n", ("x",))
    assert (error.reason, error.retry) == (Reason.DISK_FULL, True)


def test_an_index_out_of_reach_may_come_back() -> None:
    """Trying again may help."""
    said = "error: Failed to fetch: https://h/simple/tiny/\n  cause: error sending request for url"
    error = install_failed(said, ("tiny",))
    assert error.retry
    assert "`tiny`" in str(error)
    assert "index" in str(error)


def test_where_packages_come_from_is_told_without_credentials(tmp_path: Path) -> None:
    """By pip's files and variables and by uv's; it takes part in an environment's key."""
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://bob:s3cret@one.invalid/simple\n")
    files = {"PIP_CONFIG_FILE": str(file)}
    assert indexes(files) == ("index-url=https://one.invalid/simple",)
    assert indexes({**files, "PIP_INDEX_URL": "https://two.invalid"}) == (
        "index-url=https://two.invalid",
    )
    assert indexes({"PIP_CONFIG_FILE": os.devnull, "UV_INDEX": "https://t:o@x.invalid b"}) == (
        "UV_INDEX=https://x.invalid b",
    )
    assert indexes({"PIP_CONFIG_FILE": os.devnull, "PATH": "/bin"}) == ()
