"""What a W&B job's file says, and what becomes of a launch that names the job."""

import base64
import hashlib
from typing import Any

import pytest

from launchyard.domain.archive import Limits
from launchyard.domain.config.problem import DocumentError
from launchyard.domain.notebook import NotebookError, script_name, script_of
from launchyard.domain.spec import ImageSource, JobSource, command_of, parse_spec
from launchyard.domain.wandb_artifact import (
    ArtifactName,
    ArtifactRefusedError,
    parse_job_name,
    parse_manifest,
    parse_reference,
)
from launchyard.domain.wandb_job import CodeJob, ImageJob, RepoJob, parse_job
from launchyard.domain.wandb_job_spec import entry_point, with_job

COMMIT = "0123456789" * 4
REPO: dict[str, Any] = {
    "_version": "v0",
    "source_type": "repo",
    "source": {
        "git": {"remote": "https://host.invalid/code.git", "commit": COMMIT},
        "entrypoint": ["python", "train.py"],
        "notebook": False,
    },
    "input_types": {"wb_type": "typedDict"},
    "output_types": {"wb_type": "none"},
    "runtime": "3.11.7",
}
IMAGE: dict[str, Any] = {"source_type": "image", "source": {"image": "team/train:2"}}
NAME = "team/digits/train:v3"


def _digest(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def test_a_repository_job_is_read() -> None:
    """Every key has its place; Python is what decides, so its third number is dropped."""
    job = parse_job(REPO | {"services": {"db": "always"}, "new": 1})
    assert job.code == RepoJob(url="https://host.invalid/code.git", commit=COMMIT)
    assert (job.entrypoint, job.runtime, job.version) == (("python", "train.py"), "3.11", "v0")
    assert job.input_types == {"wb_type": "typedDict"}
    assert (job.services, job.extra) == ({"db": "always"}, {"new": 1})


def test_an_artifact_job_is_read() -> None:
    """The parts about building stand beside the code."""
    source: Any = {
        "artifact": "wandb-artifact://_id/QXJ0",
        "entrypoint": ["python", "nb/train.ipynb"],
        "notebook": True,
        "dockerfile": "Dockerfile.gpu",
        "build_context": "nb",
        "base_image": "python:3.12-slim",
        "args": ["--fast"],
    }
    job = parse_job({"_version": "0.17.0", "source_type": "artifact", "source": source})
    assert job.code == CodeJob(artifact="wandb-artifact://_id/QXJ0")
    assert (job.dockerfile, job.build_context) == ("Dockerfile.gpu", "nb")
    assert (job.base_image, job.args) == ("python:3.12-slim", ("--fast",))
    assert entry_point(job) == ("python", "nb/train.py")


def test_an_image_job_is_read() -> None:
    """There is nothing but an image."""
    assert parse_job(IMAGE).code == ImageJob(image="team/train:2")


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ([], ()),
        ({}, ("source_type",)),
        ({"source_type": "conda", "source": {}}, ("source_type",)),
        ({"source_type": "image", "source": {}}, ("source", "image")),
        ({"source_type": "image", "source": {"image": "not an image"}}, ("source", "image")),
        ({"source_type": "artifact", "source": {}}, ("source", "artifact")),
        (REPO | {"source": {"git": {"remote": "file:///etc"}}}, ("source", "git", "remote")),
        (
            REPO | {"source": {"git": {"remote": "https://h.invalid/x", "commit": "-u"}}},
            ("source", "git", "commit"),
        ),
        (IMAGE | {"source": {"image": "a", "entrypoint": "sh"}}, ("source", "entrypoint")),
        (IMAGE | {"source": {"image": "a", "dockerfile": "../D"}}, ("source", "dockerfile")),
        (IMAGE | {"source": {"image": "a", "notebook": "yes"}}, ("source", "notebook")),
    ],
)
def test_a_wrong_job_is_told_with_its_place(document: Any, path: tuple[str, ...]) -> None:
    """Each mistake is named where it stands; no address of another kind reaches git."""
    with pytest.raises(DocumentError) as e:
        parse_job(document)
    assert path in [problem.path[: len(path)] for problem in e.value.problems]


def test_a_launch_takes_what_its_job_says() -> None:
    """Command, Python and building come from the job, whose exact version is pinned."""
    spec = {"entity": "team", "project": "digits", "job": "team/digits/train:latest"}
    made = with_job(spec, parse_job(REPO), NAME)
    parsed = parse_spec(made)
    assert parsed.source == JobSource(NAME)
    assert (command_of(parsed), parsed.python_version) == (("python", "train.py"), "3.11")
    assert spec == {"entity": "team", "project": "digits", "job": "team/digits/train:latest"}


def test_what_a_launch_says_wins_over_its_job() -> None:
    """An override is what it is for; arguments follow the job's command."""
    overrides: Any = {"args": ["--lr", "1"], "run_config": {"lr": 1}}
    spec: Any = {"job": NAME, "python_version": "3.12", "overrides": overrides}
    parsed = parse_spec(with_job(spec, parse_job(REPO), NAME))
    assert command_of(parsed) == ("python", "train.py", "--lr", "1")
    assert parsed.python_version == "3.12"
    assert parsed.overrides.run_config == {"lr": 1}
    other = with_job({"overrides": {"entry_point": ["sh"]}}, parse_job(REPO), NAME)
    assert command_of(parse_spec(other)) == ("sh",)


def test_an_image_job_becomes_a_launch_of_the_image() -> None:
    """Nothing is built, and the run still finds which job it is of."""
    artifacts: Any = {"data": "team/digits/data:v1"}
    made = with_job({"job": NAME, "overrides": {"artifacts": artifacts}}, parse_job(IMAGE), NAME)
    parsed = parse_spec(made)
    assert parsed.source == ImageSource("team/train:2")
    assert parsed.overrides.artifacts == {**artifacts, "_wandb_job": NAME}


def test_wrong_parts_of_a_launch_stay_for_the_parser() -> None:
    """Merging a job in hides no mistake of the launch."""
    made = with_job({"job": NAME, "overrides": ["x"]}, parse_job(REPO), NAME)
    with pytest.raises(DocumentError):
        parse_spec(made)


def test_names_of_jobs_and_code_are_read() -> None:
    """A job has a full name; its code may be named by id, fully, or within the job's project."""
    job = parse_job_name("team/digits/train")
    assert job.full == "team/digits/train:latest"
    assert job.at("v3").in_project == "train:v3"
    by_id = parse_reference("wandb-artifact://_id/QXJ0", job)
    assert by_id == ArtifactName(id="QXJ0")
    assert parse_reference("wandb-artifact://a/b/c:v1", job).full == "a/b/c:v1"
    assert parse_reference("code-train:v1", job).full == "team/digits/code-train:v1"
    assert parse_reference("other/code:v1", job).full == "team/other/code:v1"


@pytest.mark.parametrize("name", ["", "train", "a/b", "a/b/c/d", "a//c:v1", "a/b/c d", "a/b/c:v\n"])
def test_what_is_no_jobs_name_is_refused(name: str) -> None:
    """The message says how a name is written."""
    with pytest.raises(ArtifactRefusedError, match="entity/project/name:alias"):
        parse_job_name(name)


def test_a_manifest_gives_paths_and_digests() -> None:
    """The digests of a manifest are base64; ours are hex."""
    contents: Any = {
        "src/train.py": {"digest": _digest(b"x"), "size": 1},
        "a": {"digest": _digest(b"")},
    }
    entries = parse_manifest({"version": 1, "contents": contents}, Limits())
    assert entries["src/train.py"].md5 == hashlib.md5(b"x", usedforsecurity=False).hexdigest()
    assert (entries["src/train.py"].size_b, entries["a"].size_b) == (1, None)


@pytest.mark.parametrize(
    "contents",
    [
        None,
        {"/etc/passwd": {"digest": _digest(b"")}},
        {"../up": {"digest": _digest(b"")}},
        {"a/./b": {"digest": _digest(b"")}},
        {"a\\b": {"digest": _digest(b"")}},
        {"a/.Git/hooks/x": {"digest": _digest(b"")}},
        {"a\n": {"digest": _digest(b"")}},
        {"a" * 300: {"digest": _digest(b"")}},
        {"a": {"digest": "AAAA"}},
        {"a": {"digest": None}},
        {"a": {"digest": _digest(b""), "ref": "s3://bucket/a"}},
        {"a": {"digest": _digest(b""), "size": 5 * 1024**3}},
        {"a": {"digest": _digest(b"")}, "a/b": {"digest": _digest(b"")}},
        {"a": {"digest": _digest(b"")}, "A": {"digest": _digest(b"")}},
        {"a": "x"},
    ],
)
def test_a_manifest_that_is_not_safe_is_refused(contents: Any) -> None:
    """Nothing leaves the folder, nothing is unchecked, nothing lies elsewhere."""
    with pytest.raises(ArtifactRefusedError):
        parse_manifest({"contents": contents}, Limits())


def test_a_notebook_becomes_a_script() -> None:
    """Code stays in its order; the shell, magics and other languages do not."""
    cells: Any = [
        {"cell_type": "markdown", "source": ["# Title"]},
        {"cell_type": "code", "source": ["!pip install x \\\n", "  y\n", "%matplotlib inline\n"]},
        {"cell_type": "code", "source": "%%time\nx = (7\n % 4)\nif x:\n    !ls\nprint(x)"},
        {"cell_type": "code", "source": ["%%bash\n", "exit 1"]},
    ]
    script = script_of({"cells": cells, "metadata": {"kernelspec": {"language": "python"}}})
    told: list[Any] = []
    exec(compile(script, "nb.py", "exec"), {"print": told.append})  # noqa: S102 - ours
    assert told == [3]
    assert "Title" not in script
    assert script_name("a/nb.ipynb") == "a/nb.py"
    assert script_name("a/run.sh") == "a/run.sh"


@pytest.mark.parametrize(
    "document",
    [[], {"worksheets": []}, {"cells": [], "metadata": {"language_info": {"name": "R"}}}],
)
def test_what_is_no_python_notebook_is_refused(document: Any) -> None:
    """Nothing is guessed of old formats and other languages."""
    with pytest.raises(NotebookError):
        script_of(document)
