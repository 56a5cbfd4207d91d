"""Which repositories are fetched, and what is shown of their addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchyard.domain.documents import Json
from launchyard.domain.remotes import (
    Remote,
    RemoteRefusedError,
    check_ref,
    check_subdir,
    hide_user_data,
    is_commit,
    may_be_commit,
    parse_remote,
    resolve_submodule,
    scrub,
)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/team/code.git",
        "https://example.org:8443/code",
        "https://[::1]:8443/code",
        "https://example.org/~ann/code%20x.git",
        "ssh://git@example.org/team/code.git",
        "ssh://example.org:2222/~/code",
        "git@example.org:team/code.git",
        "git@example.org:/srv/code.git",
    ],
)
def test_proper_addresses_are_taken_as_they_are(url: str) -> None:
    """An address without credentials goes to git unchanged."""
    assert parse_remote(url) == Remote(url=url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "-uexploit",
        "--upload-pack=x",
        "ext::sh -c x",
        "ext::sh%20-c",
        "fd::17",
        "file:///etc",
        "file://host/etc",
        "/srv/code",
        "./code",
        "../code",
        "C:/code",
        "host:code",
        "http://example.org/code",
        "HTTPS://example.org/code",
        "git://example.org/code",
        "ftp://example.org/code",
        "https::https://example.org/code",
        "https://example.org",
        "https://example.org/",
        "https://-x/code",
        "https:///code",
        "https://example.org:port/code",
        "https://example.org/a/../b",
        "https://example.org/a/%2e%2e/b",
        "https://example.org/code?token=x",
        "https://example.org/code#main",
        "https://example.org/co\nde",
        "https://example.org/co de",
        "https://ex\u0430mple.org/code",
        "https://a%0ab:c@example.org/code",
        "https://[::1/code",
        "ssh://-oProxyCommand=x/code",
        "ssh://-x@example.org/code",
        "ssh://ann:pass@example.org/code",
        "git@-x:code",
        "-x@example.org:code",
        "git@example.org:-x",
        "git@example.org:",
        "git@ext::sh",
        "a@b:c://d",
        "https://example.org/" + "x" * 3000,
    ],
)
def test_all_else_is_refused(url: str) -> None:
    """Helpers, options, local paths, plain protocols and broken addresses never reach git."""
    with pytest.raises(RemoteRefusedError):
        parse_remote(url)


def test_credentials_are_set_apart() -> None:
    """The address to show has none; they are decoded, and hidden from a repr."""
    remote = parse_remote("https://ann:p%40ss@example.org/code")
    assert remote.url == "https://example.org/code"
    assert (remote.username, remote.password) == ("ann", "p@ss")
    assert "p@ss" not in repr(remote)
    assert "ann" not in repr(remote)


@pytest.mark.parametrize(
    "url",
    [
        "https://ann:hunter2/x@example.org/code",
        "https://ann:hunter2@",
        "https://ann:hunter2@example.org/code?x",
        "https://ann:hun?hunter2@example.org/code",
        "http://ann:hunter2@example.org/code",
        "http://example.org/code?token=hunter2",
        "ann:hunter2@example.org/code",
        "ssh://ann:hunter2@example.org/code",
        "https://ann:hunter2 @example.org/code",
        "https://ann:hunter2@-x/code",
    ],
)
def test_no_refusal_tells_a_credential(url: str) -> None:
    """However an address is broken, its error shows none of what may be secret."""
    with pytest.raises(RemoteRefusedError) as e:
        parse_remote(url)
    assert "hunter2" not in str(e.value)


@pytest.mark.parametrize(
    ("parent", "url", "expected"),
    [
        ("https://h/a/b.git", "../c.git", "https://h/a/c.git"),
        ("https://h/a/b.git", "../../c", "https://h/c"),
        ("https://h/a/b", "./c", "https://h/a/b/c"),
        ("https://h/a/b/", "../c", "https://h/a/c"),
        ("ssh://git@h:22/a/b", "../c", "ssh://git@h:22/a/c"),
        ("git@h:a/b", "../c", "git@h:a/c"),
        ("git@h:b", "../c", "git@h:c"),
        ("git@h:/a/b", "../c", "git@h:/a/c"),
        ("https://h/a/b", "https://other/c", "https://other/c"),
    ],
)
def test_submodules_are_found_from_their_parent(parent: str, url: str, expected: str) -> None:
    """Relative addresses go from the parent's, whichever way it is written."""
    assert resolve_submodule(parse_remote(parent), url).url == expected


def test_credentials_stay_on_their_host() -> None:
    """A relative submodule is read with the parent's credentials, another address without."""
    parent = parse_remote("https://ann:secret@h/a/b")
    assert resolve_submodule(parent, "../c").password == "secret"  # noqa: S105
    assert resolve_submodule(parent, "https://h/a/c").password == ""


@pytest.mark.parametrize(
    "url",
    ["../../../c", "../..", "ext::sh", "-u./x", "file:///x", "/x", "http://h/x", "../-\nx", ""],
)
def test_bad_submodules_are_refused(url: str) -> None:
    """A submodule is held to the same list as a repository."""
    with pytest.raises(RemoteRefusedError):
        resolve_submodule(parse_remote("https://h/a/b"), url)


def test_an_scp_like_submodule_cannot_become_an_option() -> None:
    """A relative address cannot put a dash where ssh's path begins."""
    with pytest.raises(RemoteRefusedError):
        resolve_submodule(parse_remote("git@h:b"), "../-x")


@pytest.mark.parametrize(
    "ref", ["main", "feature/x-1", "v1.0", "refs/heads/main", "a" * 40, "HEAD"]
)
def test_proper_refs_pass(ref: str) -> None:
    """Branches, tags, full names and commits."""
    assert check_ref(ref) == ref


@pytest.mark.parametrize(
    "ref",
    [
        *("", "-x", "--upload-pack=x", "a..b", "a b", "a~1", "a^", "a:b", "+a:b", "a*", "a[", "a?"),
        *("a\\b", "a@{1}", "@", "/a", "a/", "a//b", ".a", "a/.b", "a.lock", "a.", "a\nb", "\x7f"),
        "a" * 256,
    ],
)
def test_bad_refs_are_refused(ref: str) -> None:
    """What git would read as an option, a range or a refspec is no ref."""
    with pytest.raises(RemoteRefusedError):
        check_ref(ref)


@pytest.mark.parametrize(
    ("subdir", "expected"), [("", ""), (".", ""), ("a", "a"), ("./a//b/", "a/b")]
)
def test_subdirs_are_shortened(subdir: str, expected: str) -> None:
    """The root is the empty path."""
    assert check_subdir(subdir) == expected


@pytest.mark.parametrize("subdir", ["/a", "..", "a/../b", "a\0", ".git", "a/.GIT/hooks"])
def test_bad_subdirs_are_refused(subdir: str) -> None:
    """A folder is inside, and not git's own."""
    with pytest.raises(RemoteRefusedError):
        check_subdir(subdir)


def test_commits_are_told_from_names() -> None:
    """Forty hexadecimal digits are a commit; seven or more may be."""
    assert is_commit("a1" * 20)
    assert not is_commit("a1" * 10)
    assert may_be_commit("a1b2c3d")
    assert not may_be_commit("main")


@given(st.text(alphabet=st.characters(codec="ascii", categories=["L", "N"]), min_size=5))
def test_no_secret_survives_scrubbing(secret: str) -> None:
    """User data in addresses and the known secrets go, wherever they stand."""
    remote = Remote(url="https://h/x", username="ann", password=secret)
    text = f"fatal: https://ann:{secret}@h/x and {secret} again"
    assert scrub(text, remote).replace("***", "").count(secret) == 0


def test_a_token_as_user_name_is_a_secret() -> None:
    """A lone user name is a token; a short one beside a password is a name."""
    assert scrub("token1", Remote(url="x", username="token1")) == "***"
    assert scrub("git", Remote(url="x", username="git", password="secret")) == "git"  # noqa: S106


def test_a_document_is_shown_without_users_of_addresses() -> None:
    """Wherever an address stands; a user of ssh is no secret, and the document stays as it is."""
    document: Json = {
        "source": {"git": {"url": "https://ann:secret@host/x@y"}, "n": 3},
        "more": ["HTTPS://token@host", "ssh://git@host/x", "a@b", None, True],
    }
    assert hide_user_data(document) == {
        "source": {"git": {"url": "https://***@host/x@y"}, "n": 3},
        "more": ["HTTPS://***@host", "ssh://git@host/x", "a@b", None, True],
    }
    assert "secret" in str(document)
