"""The rules for members of code archives."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchyard.domain.archive import (
    Kind,
    Limits,
    Member,
    Problem,
    Rule,
    Seen,
    check_flow,
    check_member,
    clean_name,
)

LIMITS = Limits()


def judge(*members: Member, limits: Limits = LIMITS) -> Problem | None:
    """Return the first problem of an archive."""
    seen = Seen()
    return next((p for m in members if (p := check_member(m, seen, limits))), None)


def file(name: str, size_b: int = 0, mode: int = 0o644) -> Member:
    """Return a file."""
    return Member(name=name, kind=Kind.FILE, size_b=size_b, mode=mode)


def folder(name: str) -> Member:
    """Return a folder."""
    return Member(name=name, kind=Kind.FOLDER, mode=0o2775)


def link(name: str, target: str) -> Member:
    """Return a symbolic link."""
    return Member(name=name, kind=Kind.SYMLINK, target=target, mode=0o777)


def hard(name: str, target: str) -> Member:
    """Return a hard link."""
    return Member(name=name, kind=Kind.HARDLINK, target=target)


@pytest.mark.parametrize(
    "members",
    [
        [file("a"), file("b/c"), folder("b"), folder("./"), file("./d//e")],
        [link("a/b", "../c"), link("here", "."), link("d", "a/b"), link("e", "not/there")],
        [file("a"), hard("b", "./a"), hard("c", "b")],
        [file("..a"), file("a..b"), file("a\\b"), file("name with space"), file("ü")],
    ],
)
def test_ordinary_trees_pass(members: list[Member]) -> None:
    """Nothing that source trees have is refused."""
    assert judge(*members) is None


@pytest.mark.parametrize(
    ("rule", "members"),
    [
        (Rule.NAME, [file("")]),
        (Rule.NAME, [file("a\0b")]),
        (Rule.NAME, [file("a\udcff")]),
        (Rule.NAME, [file("./")]),
        (Rule.ABSOLUTE, [file("/etc/passwd")]),
        (Rule.PARENT, [file("../x")]),
        (Rule.PARENT, [file("a/../x")]),
        (Rule.PARENT, [folder("a/..")]),
        (Rule.LENGTH, [file("a/" * 600 + "a")]),
        (Rule.LENGTH, [file("ü" * 128)]),
        (Rule.KIND, [Member(name="pipe", kind=Kind.OTHER)]),
        (Rule.MODE, [file("a", mode=0o4755)]),
        (Rule.MODE, [file("a", mode=0o2755)]),
        (Rule.LINK, [link("a", "/etc/passwd")]),
        (Rule.LINK, [link("a", "..")]),
        (Rule.LINK, [link("a/b", "../../x")]),
        (Rule.LINK, [link("a", "")]),
        (Rule.LINK, [link("a", "b\0c")]),
        (Rule.LINK, [link("p/q/d", "../.."), link("e", "p/q/d/../x")]),
        (Rule.LINK, [hard("a", "/etc/passwd")]),
        (Rule.LINK, [hard("a", "../x")]),
        (Rule.LINK, [hard("a", "b"), file("b")]),
        (Rule.LINK, [link("a", "b"), hard("c", "a")]),
        (Rule.LINK, [folder("a"), hard("c", "a")]),
        (Rule.THROUGH, [link("a", "b"), file("a/x")]),
        (Rule.THROUGH, [file("a"), file("a/b/c")]),
        (Rule.DUPLICATE, [file("a"), file("./a")]),
        (Rule.DUPLICATE, [folder("a"), link("a", "b")]),
        (Rule.DUPLICATE, [file("a/b"), file("a")]),
        (Rule.CASE, [file("Read.me"), file("read.me")]),
        (Rule.CASE, [file("A/x"), file("a/y")]),
        (Rule.CASE, [file("\u00e9"), file("e\u0301")]),
        (Rule.SIZE, [file("a", LIMITS.single_b + 1)]),
        (Rule.SIZE, [file("a", -1)]),
        (Rule.SIZE, [file(n, LIMITS.single_b) for n in "abc"]),
    ],
)
def test_what_could_do_harm_is_refused(rule: Rule, members: list[Member]) -> None:
    """Each attack breaks the rule that is meant for it."""
    problem = judge(*members)
    assert problem is not None
    assert problem.rule is rule


def test_too_many_members_are_refused() -> None:
    """Folders count, too: a million of them fill a disk without a byte."""
    limits = Limits(members=3)
    assert judge(*(folder(n) for n in "abc"), limits=limits) is None
    problem = judge(*(folder(n) for n in "abcd"), limits=limits)
    assert problem is not None
    assert problem.rule is Rule.COUNT


def test_messages_stay_printable() -> None:
    """A name cannot write control characters into a terminal or a log."""
    problem = judge(file("/\x1b[31m\n" + "x" * 500))
    assert problem is not None
    assert problem.message.isprintable()
    assert len(problem.message) < 300


def test_the_flow_is_bounded() -> None:
    """The ratio counts beyond what is free; the packed size and the whole have limits."""
    limits = Limits(packed_b=1000, total_b=10_000, ratio=10, ratio_free_b=500)
    assert check_flow(500, 1, limits) is None
    assert check_flow(1000, 100, limits) is None
    rules = [
        problem.rule
        for flow in [(1001, 100), (0, 1001), (10_501, 1000)]
        if (problem := check_flow(*flow, limits))
    ]
    assert rules == [Rule.RATIO, Rule.SIZE, Rule.SIZE]


names = st.lists(st.sampled_from(["a", "b", "c", "..", "."]), min_size=1, max_size=4)
paths = names.map("/".join)
members = st.lists(
    st.builds(
        Member,
        name=paths,
        kind=st.sampled_from([Kind.FILE, Kind.FOLDER, Kind.SYMLINK, Kind.SYMLINK]),
        target=paths,
    ),
    max_size=12,
)


def follow(path: str, links: dict[str, str], fuel: int = 200) -> str | None:
    """Return where *path* leads, as a file system would; None for a loop."""
    done: list[str] = []
    todo = path.split("/")
    while todo:
        fuel -= 1
        if fuel < 0:
            return None
        step = todo.pop(0)
        if step == "..":
            if not done:
                return ".."
            done.pop()
        elif step not in {"", "."}:
            done.append(step)
            if (target := links.get("/".join(done))) is not None:
                done.pop()
                todo = target.split("/") + todo
    return "/".join(done)


@given(members)
def test_no_accepted_link_leaves(tree: list[Member]) -> None:
    """Whatever is accepted together, every link, followed for real, ends inside."""
    seen = Seen()
    taken = [m for m in tree if check_member(m, seen, LIMITS) is None]
    links = {clean_name(m.name): m.target for m in taken if m.kind is Kind.SYMLINK}
    for member in taken:
        assert follow(member.name, links) != ".."
        parent = posixpath.dirname(clean_name(member.name))
        assert follow(parent, links) == parent
