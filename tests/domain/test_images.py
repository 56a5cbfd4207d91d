"""Image references and content keys."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchyard.domain.images import (
    EnvironmentContents,
    ImageContents,
    ImageError,
    ImageReference,
    environment_key,
    image_key,
    parse_image,
)

SHA = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("busybox", "docker.io/library/busybox"),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("team/train", "docker.io/team/train"),
        ("index.docker.io/busybox", "docker.io/library/busybox"),
        ("localhost/x", "localhost/x"),
        ("localhost:5000/a/b:v1", "localhost:5000/a/b:v1"),
        ("127.0.0.1:8765/noop:1", "127.0.0.1:8765/noop:1"),
        ("[::1]:5000/x", "[::1]:5000/x"),
        ("Ghcr.IO/a/b__c--d.e", "ghcr.io/a/b__c--d.e"),
        (f"a/b:t@{SHA}", f"docker.io/a/b:t@{SHA}"),
        (f"host.x/a@{SHA}", f"host.x/a@{SHA}"),
    ],
)
def test_references_are_read_as_engines_read_them(text: str, full: str) -> None:
    """Docker Hub is the default; a first part with a dot or a port is a registry."""
    assert str(parse_image(text)) == full


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must not be empty"),
        (" a", "space"),
        ("https://host/a", "leave out the scheme"),
        ("Team/Train", "write `team`"),
        ("a:", "tag"),
        ("a:-x", "tag"),
        (f"a:{'x' * 129}", "tag"),
        ("a@sha256:123", "no digest"),
        ("a//b", "empty part"),
        ("a/", "empty part"),
        ("a/.b", "single separators"),
        ("a b", "single separators"),
        ("host.x:99999/a", "no host name"),
        ("-host.x/a", "no host name"),
        ("a/" * 150 + "a", "longer than"),
    ],
)
def test_a_bad_reference_says_why(text: str, why: str) -> None:
    """The message names the part that is wrong."""
    with pytest.raises(ImageError, match=why):
        parse_image(text)


parts = st.from_regex(r"[a-z0-9]{1,4}([._-][a-z0-9]{1,3})?", fullmatch=True)
references = st.builds(
    ImageReference,
    registry=st.sampled_from(["docker.io", "localhost", "ghcr.io", "10.0.0.1:5000"]),
    repository=st.lists(parts, min_size=2, max_size=3).map("/".join),
    tag=st.just("") | st.from_regex(r"\w[\w.-]{0,5}", fullmatch=True).filter(str.isascii),
    digest=st.sampled_from(["", SHA]),
)


@given(references)
def test_what_is_written_is_read_back(reference: ImageReference) -> None:
    """The full form of a reference means that reference."""
    assert parse_image(str(reference)) == reference


def test_latest_is_assumed_where_nothing_is_said() -> None:
    """A digest says enough."""
    assert parse_image("a").with_default_tag().tag == "latest"
    assert parse_image("a:1").with_default_tag().tag == "1"
    pinned = parse_image(f"a@{SHA}")
    assert pinned.with_default_tag() == pinned
    assert pinned.pinned


def venv(*lines: str) -> str:
    """Return the key of an environment with these requirements."""
    contents = EnvironmentContents(python="3.11.7", platform="linux-x86_64", requirements=lines)
    return environment_key(contents)


@pytest.mark.parametrize(
    "same",
    [
        ("numpy>=2", "Flask[async, b]==3 ; python_version<'4'"),
        ("flask[b,async] == 3;python_version<'4'", "", "# comment", "NumPy >= 2  # why"),
        ("numpy>=2\r\nflask[async,b]\\\n==3; python_version<'4'", "numpy>=2"),
    ],
)
def test_spelling_does_not_change_an_environments_key(same: tuple[str, ...]) -> None:
    """Jobs that want the same packages share the same environment."""
    assert venv(*same) == venv("flask[async,b]==3;python_version<'4'", "numpy>=2")


def test_the_order_of_options_counts() -> None:
    """Where the same option stands twice the last one may win."""
    one, other = "--index-url https://one.invalid", "--index-url https://other.invalid"
    assert venv(one, other, "a") != venv(other, one, "a")
    assert venv("a", one, other) == venv(one, other, "a")


@pytest.mark.parametrize("line", ["./Pkg", "-e ./Pkg", "Pkg/Sub", "pkg @ https://host/Pkg#egg=P"])
def test_paths_and_urls_are_left_as_they_are(line: str) -> None:
    """A folder's name has capitals that count; `#` inside a URL begins no comment."""
    assert venv(line) != venv(line.lower())


def test_everything_that_matters_changes_the_key() -> None:
    """Interpreter, platform, versions and further files each make another environment."""
    base = EnvironmentContents(python="3.11", platform="x", requirements=("a==1",))
    others = [
        base,
        replace(base, python="3.12"),
        replace(base, platform="y"),
        replace(base, requirements=("a==2",)),
        replace(base, requirements=()),
        replace(base, files={"uv.lock": "1"}),
        replace(base, files={"uv.lock": "2"}),
        replace(base, files={"b.lock": "1"}),
    ]
    keys = {environment_key(contents) for contents in others}
    assert len(keys) == len(others)
    assert all(len(key) == 32 and int(key, 16) >= 0 for key in keys)


def test_an_images_key_follows_its_contents() -> None:
    """Source, Dockerfile, platform, base and build arguments each count; their order does not."""
    base = ImageContents(source="1", dockerfile="2", platform="3", arguments={"a": "1", "b": "2"})
    others = [
        replace(base, source="x"),
        replace(base, dockerfile="x"),
        replace(base, platform="x"),
        replace(base, base="x"),
        replace(base, arguments={}),
    ]
    assert len({image_key(contents) for contents in (base, *others)}) == 6
    assert image_key(replace(base, arguments={"b": "2", "a": "1"})) == image_key(base)


VENV = EnvironmentContents(
    python="3.11.7",
    platform="x",
    requirements=("a==1",),
    indexes=("index-url=https://one.invalid",),
)


@pytest.mark.parametrize(
    "other",
    [
        replace(VENV, indexes=("index-url=https://two.invalid",)),
        replace(VENV, requirements=("--index-url https://two.invalid", *VENV.requirements)),
        replace(VENV, requirements=("--extra-index-url https://b.invalid", *VENV.requirements)),
    ],
)
def test_another_index_is_another_environment(other: EnvironmentContents) -> None:
    """A package of the same name and version may be another one there."""
    assert environment_key(other) != environment_key(VENV)
