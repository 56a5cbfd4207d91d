"""Everything wrong with a configuration is told at once, with place, bounds and remedy."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchyard.domain.config.check import check
from launchyard.domain.config.keys import agent_schema
from launchyard.domain.config.problem import HIDDEN, Marked, Severity
from launchyard.domain.config.schema import Block, Field, Kind, KnownTypes, variables
from launchyard.domain.config.suggest import did_you_mean
from launchyard.domain.documents import Json, Path

from .kit import checked, config, errors, only_error

SCHEMA = agent_schema(KnownTypes())
KEYS = [(path, name) for path, block in SCHEMA.levels() for name in block.names]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
KNOWN_KEYS = st.sampled_from(sorted({name for _, name in KEYS}))
DOCUMENTS = st.dictionaries(
    KNOWN_KEYS, TREES | st.dictionaries(KNOWN_KEYS, TREES, max_size=5), max_size=6
)


def test_an_empty_file_is_all_defaults() -> None:
    """Nothing needs to be written down."""
    empty = config(None)
    assert (empty.max_jobs, empty.queues, empty.builder.type) == (1, (), None)
    assert (empty.operations.host, empty.operations.port) == ("127.0.0.1", 9460)
    assert empty.log_quota_b == 50 * 1024 * 1024


def test_five_mistakes_come_at_once_with_their_lines() -> None:
    """People mend a file once, not five times."""
    value: Json = {
        "entity": "my-team",
        "max_jobs": -2,
        "max_build": 3,
        "builder": {"type": "dokcer"},
        "region": "us-east-1",
        "registry": {"type": "acr", "uri": "my-registry.azurecr.io/images:latest"},
    }
    told = [(p.line, p.path, p.hint) for p in checked(value).errors]
    assert told == [
        (2, ("max_jobs",), "the nearest value is -1"),
        (3, ("max_build",), "did you mean `max_builds`?"),
        (5, ("builder", "type"), "did you mean `docker`?"),
        (6, ("region",), "`region` belongs under `environment` or under `registry`"),
        (9, ("registry", "uri"), "write `my-registry.azurecr.io/images`"),
    ]


@settings(deadline=None)
@given(DOCUMENTS | TREES)
def test_no_document_breaks_the_check(value: Json) -> None:
    """Whatever stands in the file, the answer is a list of complete problems or a configuration."""
    result = checked(value)
    for problem in result.errors:
        assert problem.message
        assert problem.hint
        assert problem.allowed
        assert problem.path or not isinstance(value, dict)
        assert problem.line is not None
    assert (result.config is None) == bool(result.errors)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([n for p, e in SCHEMA.leaves() for n in variables(p, e)]), st.text()
    ),
    st.dictionaries(st.text(max_size=10) | st.just("--queue") | st.just("--max-jobs"), SCALARS),
)
def test_no_variable_or_flag_breaks_the_check(
    environment: dict[str, str], flags: dict[str, Json]
) -> None:
    """Bad variables and flags are problems, never exceptions."""
    result = check(Marked(value=None), environment, flags, KnownTypes())
    assert all(problem.message and problem.source for problem in result.problems)


def typos(word: str) -> set[str]:
    """Return *word* with each letter left out, doubled, replaced, and changed with the next."""
    found = set[str]()
    for i, letter in enumerate(word):
        found |= {word[:i] + word[i + 1 :], word[:i] + letter + word[i:]}
        found |= {word[:i] + other + word[i + 1 :] for other in string.ascii_lowercase[::5]}
        found.add(word[:i] + word[i + 1 : i + 2] + letter + word[i + 2 :])
    return found - {word, ""}


@pytest.mark.parametrize(("path", "name"), KEYS, ids=str)
def test_one_letter_typos_of_every_key_are_recognised(path: Path, name: str) -> None:
    """Did-you-mean names the key that was meant, unless the typo is itself a key."""
    names = next(block.names for where, block in SCHEMA.levels() if where == path)
    for typo in typos(name) - set(names):
        assert f"`{name}`" in did_you_mean(typo, names), typo


@pytest.mark.parametrize(
    ("value", "path", "hint"),
    [
        ({"project": "p"}, "project", "`project` belongs under `environment` or under `registry`"),
        ({"environment": {"uri": "x"}}, "environment.uri", "`uri` belongs under `registry`"),
        ({"builder": {"max_jobs": 1}}, "builder.max_jobs", "`max_jobs` belongs at the top level"),
        ({"base_url": "https://x"}, "base_url", "the server's URL belongs under `server`"),
        ({"builder": {"kaniko_image": "x"}}, "builder.kaniko_image", "did you mean `kaniko-image`"),
        ({"zzz": 1}, "zzz", "remove it; `launchyard config schema` lists every key"),
        ({"targets": {"slurm": {}}}, "targets.slurm", "install the plugin"),
        ({"targets": {"kubernets": {}}}, "targets.kubernets", "did you mean `kubernetes`?"),
    ],
)
def test_unknown_keys_are_told_where_they_belong(value: Json, path: str, hint: str) -> None:
    """A key in the wrong block is pointed to the right one."""
    assert hint in errors(value)[path]


def test_values_of_credentials_are_never_shown() -> None:
    """A key that people paste into the file does not end up in a log."""
    pasted = "0123456789abcdef"
    problem = only_error({"api_key": pasted})
    assert problem.value == HIDDEN
    assert pasted not in problem.text
    url = f"https://me:{pasted}@example.org"
    assert pasted not in repr(checked({"server": url}).problems)
    assert pasted not in repr(checked({"server": {"a": url}}).problems)


def test_a_secret_field_of_a_plugin_is_hidden_everywhere() -> None:
    """Plugins mark their secrets, and problems and listings hide them."""
    field = Field(key="pin", kind=Kind.INTEGER, doc="A number.", secret=True)
    block = Block(key="vault", doc="A vault.", fields=(field,))
    known = KnownTypes(builders=("vault",), blocks={"builder.vault": block})
    good = checked({"builder": {"type": "vault", "pin": 7766}}, known=known)
    assert "7766" not in str([s.shown for s in good.settings])
    assert good.config is not None
    assert good.config.builder.extra == {"pin": 7766}
    bad = checked({"builder": {"type": "vault", "pin": "sesame"}}, known=known)
    assert "sesame" not in repr(bad.problems)
    assert [p.path for p in bad.errors] == [("builder", "pin")]


@pytest.mark.parametrize(
    ("key", "value", "attribute", "wanted"),
    [
        ("drain_timeout", "10m", "drain_timeout_s", 600.0),
        ("run_timeout", 90, "run_timeout_s", 90.0),
        ("run_timeout", "1.5h", "run_timeout_s", 5400.0),
        ("log_quota", "2 MiB", "log_quota_b", 2 * 1024 * 1024),
        ("log_quota", "1GB", "log_quota_b", 10**9),
        ("secure_mode", "yes", "secure_mode", True),
        ("max_jobs", None, "max_jobs", 1),
        ("max_jobs", 0, "max_jobs", 0),
        ("max_jobs", -1, "max_jobs", -1),
        ("queues", "default", "queues", ("default",)),
        ("queues", [], "queues", ()),
        ("server", "http://localhost:8080/", "server", "http://localhost:8080"),
    ],
)
def test_values_are_normalised(key: str, value: Json, attribute: str, wanted: object) -> None:
    """Times become seconds, sizes bytes, and null the default."""
    assert getattr(config({key: value}), attribute) == wanted


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ({"max_jobs": "4"}, "remove the quotes: 4"),
        ({"max_jobs": True}, "write a whole number, -1 or more"),
        ({"max_jobs": 2.0}, "write a whole number, -1 or more"),
        ({"max_jobs": "<num-max-jobs>"}, "write a whole number, -1 or more"),
        ({"entity": 7}, 'put it in quotes: "7"'),
        ({"entity": "<entity-name>"}, "put your own value in the place of `<entity-name>`"),
        ({"entity": " "}, "fill it in or remove the key"),
        ({"log_format": "json|console"}, "pick one of `json` or `console`"),
        ({"operations": {"port": 70000}}, "the nearest value is 65535"),
        ({"operations": 9460}, "write `operations:` and below it, indented, `host: …`"),
        ({"server": "localhost:8080"}, "write `http://localhost:8080`"),
        ({"server": "https://me@example.org"}, "give the key with `launchyard login`"),
        ({"plugins": {"allow": ["a"], "deny": ["a"]}}, "remove it from `plugins.allow`"),
        ({"queues": {"a": 1}}, "write each entry on a line of its own"),
        ({"secure_mode": "maybe"}, "write `true` or `false`"),
    ],
)
def test_wrong_values_come_with_the_remedy(value: Json, hint: str) -> None:
    """The hint says what to write instead."""
    assert hint in only_error(value).hint


def test_a_bad_entry_of_a_list_is_named_by_its_place() -> None:
    """The third queue is the third queue."""
    assert only_error({"queues": ["a", "b", 3]}).path == ("queues", 2)


def test_queue_joins_queues_and_doubles_are_told() -> None:
    """W&B's singular key counts; a queue named twice is polled once."""
    result = checked({"queue": "a", "queues": ["b", "a"]})
    assert result.config is not None
    assert result.config.queues == ("b", "a")
    assert [p.severity for p in result.problems] == [Severity.WARNING]


def test_missing_packages_are_told_with_the_line_to_run() -> None:
    """A configured target or builder whose extra is absent is an error before the start."""
    known = KnownTypes(missing={"builder.kaniko": "kubernetes", "targets.vertex": "gcp"})
    value: Json = {"builder": {"type": "noop"}, "targets": {"vertex": {}}}
    (problem,) = checked(value, known=known).errors
    assert problem.hint == "run: pip install 'launchyard[gcp]'"
    assert checked({"builder": {"type": "noop"}}, known=known).errors == ()


def test_what_nothing_acts_on_is_told() -> None:
    """A W&B file stays valid, and nobody waits for an image that is never built."""
    absent = ("builder.kaniko", "builder.noop", "environment.local", "targets.vertex")
    known = KnownTypes(absent=frozenset(absent))
    value: Json = {
        "builder": {"type": "noop"},
        "environment": {"type": "local"},
        "targets": {"vertex": {}, "kubernetes": {}},
    }
    result = checked(value, known=known)
    assert result.errors == ()
    assert [(p.path, p.severity) for p in result.problems] == [
        (("builder", "type"), Severity.WARNING),
        (("targets", "vertex"), Severity.WARNING),
    ]
    assert "no builder `noop`" in result.problems[0].message
    assert not checked({}, known=known).problems


def test_targets_are_checked_by_the_description_of_their_plugin() -> None:
    """A plugin's block has the same rails as ours; other targets stay open."""
    block = Block(
        key="x", doc="Slurm.", fields=(Field(key="partition", kind=Kind.TEXT, doc="Where."),)
    )
    known = KnownTypes(targets=("slurm", "vertex"), blocks={"targets.slurm": block})
    good = checked({"targets": {"slurm": {"partition": "gpu"}, "vertex": {"a": 1}}}, known=known)
    assert good.config is not None
    assert good.config.targets == {"slurm": {"partition": "gpu"}, "vertex": {"a": 1}}
    (problem,) = checked({"targets": {"slurm": {"partitoin": "gpu"}}}, known=known).errors
    assert problem.hint == "did you mean `partition`?"
