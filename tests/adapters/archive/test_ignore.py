"""What stays out of a code archive."""

from __future__ import annotations

from pathlib import Path

from tests.adapters.archive.trees import make, packed


def test_ignore_files_are_respected(tmp_path: Path) -> None:
    """Nested files overrule higher ones, negation takes back, ignored folders are not entered."""
    folder = make(
        tmp_path / "x",
        {
            ".gitignore": "*.log\n/top\nbuild/\n!keep.log\n",
            "a.log": "",
            "keep.log": "",
            "top": "",
            "build/x": "",
            "build/keep.log": "",
            "sub/top": "",
            "sub/b.log": "",
            "sub/.gitignore": "!b.log\nonly-here\n",
            "sub/only-here": "",
            "only-here": "",
            "sub/deep/b.log": "",
        },
    )
    assert packed(folder) == [
        ".gitignore",
        "keep.log",
        "only-here",
        "sub",
        "sub/.gitignore",
        "sub/b.log",
        "sub/deep",
        "sub/deep/b.log",
        "sub/top",
    ]


def test_our_own_ignore_file_has_the_last_word(tmp_path: Path) -> None:
    """It leaves out what git keeps and sends what git must not keep, at any depth."""
    folder = make(
        tmp_path / "x",
        {
            ".gitignore": "data.bin\n",
            ".launchyardignore": "notes/\n!data.bin\n",
            "data.bin": "",
            "notes/x": "",
            "sub/.gitignore": "data.bin\n",
            "sub/data.bin": "",
        },
    )
    assert packed(folder) == [
        ".gitignore",
        ".launchyardignore",
        "data.bin",
        "sub",
        "sub/.gitignore",
        "sub/data.bin",
    ]


def test_what_no_job_needs_stays_out(tmp_path: Path) -> None:
    """Version control, environments of any name, and caches; not what only sounds like one."""
    folder = make(
        tmp_path / "x",
        {
            ".git/config": "",
            "env-3.11/pyvenv.cfg": "",
            "env-3.11/bin/python": "",
            ".mypy_cache/x": "",
            "pkg/__pycache__/x.pyc": "",
            "pkg/mod.py": "",
            "venv/module.py": "",
            "sub/.git": "gitdir: ../.git/modules/sub",
        },
    )
    assert packed(folder) == ["pkg", "pkg/mod.py", "sub", "venv", "venv/module.py"]


def test_the_repositorys_own_files_above_count(tmp_path: Path) -> None:
    """From its root down, less what would ignore the named folder itself; no further up."""
    make(
        tmp_path,
        {
            ".gitignore": "kept.txt\n",
            "repo/.git/config": "",
            "repo/.gitignore": "*.ckpt\n/app/model/only.txt\n/top.txt\nnotes/\n",
            "repo/app/.gitignore": "!last.ckpt\ndata/\nmodel/\n",
            "repo/app/model/.gitignore": "!best.ckpt\n",
            "repo/app/model/a.ckpt": "",
            "repo/app/model/best.ckpt": "",
            "repo/app/model/kept.txt": "",
            "repo/app/model/notes/x": "",
            "repo/app/model/only.txt": "",
            "repo/app/model/sub/last.ckpt": "",
            "repo/app/model/top.txt": "",
        },
    )
    assert packed(tmp_path / "repo/app/model") == [
        ".gitignore",
        "best.ckpt",
        "kept.txt",
        "sub",
        "top.txt",
    ]
    assert "data" not in packed(make(tmp_path / "repo/app", {"data/x": ""}))


def test_a_folder_outside_of_repositories_stands_alone(tmp_path: Path) -> None:
    """Whatever lies above it is none of its business."""
    make(tmp_path, {".gitignore": "*\n", "x/a": ""})
    assert packed(tmp_path / "x") == ["a"]
