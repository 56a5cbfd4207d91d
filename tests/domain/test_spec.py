"""Launch specs: reading, complaining, and writing them back."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchyard.domain.config.problem import DocumentError
from launchyard.domain.documents import Json, dotted
from launchyard.domain.spec import (
    ArchiveSource,
    GitSource,
    ImageSource,
    JobSource,
    LaunchSpec,
    NoSource,
    SecretRef,
    Source,
    command_of,
    parse_spec,
    split_api_key,
    suspicious_keys,
    to_document,
)
from launchyard.domain.spec.parse import KNOWN_KEYS

SHA = "0123456789abcdef" * 4
RUN: dict[str, Json] = {"overrides": {"entry_point": ["python", "train.py"]}}
FULL: dict[str, Json] = {
    "entity": "team",
    "project": "digits",
    "docker": {"docker_image": "ghcr.io/team/train:1", "user_id": 0, "more": [None]},
    "git": {"repo": "https://host/x", "version": "1"},
    "resource": "kubernetes",
    "resource_args": {"kubernetes": {"spec": {"x": None}, "builder": {"base_image": "a"}}},
    "overrides": {
        "args": ["--lr", "0.1"],
        "run_config": {"lr": 0.1, "none": None},
        "artifacts": {"a": {"id": 1}},
        "files": {"c.yaml": {"content": "x"}},
        "entry_point": ["python", "a b.py"],
        "dockerfile": "docker/Dockerfile",
        "working_dir": "src",
        "odd": {},
    },
    "name": "first",
    "author": "me",
    "run_id": "abc12345",
    "sweep_id": "s1",
    "uri": "placeholder-uri-scheduler",
    "python_version": "3.11",
    "template_variables": {"cpu": 1},
    "queue_entity": "other",
    "registry": {"url": "x"},
    "builder": {"type": "docker"},
    "_wandb_api_key": "k" * 40,
    "_resume_count": 2,
    "additional_services": [{"name": "db", "config": {"kind": "Deployment"}, "also": 1}],
    "priority": 0,
    "secrets": [{"env": "HF_TOKEN", "from": "secret:hf"}],
    "requirements": ["numpy==2", "-r more.txt"],
    "timeout_s": 90,
    "env": {"EPOCHS": "3"},
    "outputs": ["plots/*.png"],
    "unknown": {"kept": [1, None]},
}

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab"), inner, max_size=2),
    max_leaves=4,
)
keys_of_others = st.text("ab_ü.$", min_size=1, max_size=6).filter(lambda key: key not in KNOWN_KEYS)
extras = st.dictionaries(keys_of_others, json.filter(lambda v: v is not None), max_size=4)


def problems(document: Json) -> dict[str, str]:
    """Map the path of every problem to what is said about it."""
    with pytest.raises(DocumentError) as caught:
        parse_spec(document)
    return {dotted(p.path): f"{p.message} {p.hint}".strip() for p in caught.value.problems}


def test_every_key_comes_back_out() -> None:
    """A spec with every key there is, and unknown ones at each level, survives unchanged."""
    assert to_document(parse_spec(FULL)) == FULL


@given(extras, extras, st.sets(st.sampled_from(sorted(set(FULL) - {"docker"}))))
def test_round_trip(top: dict[str, Json], inner: dict[str, Json], dropped: set[str]) -> None:
    """Any selection of keys, with any unknown ones, is written as it was read."""
    document = {k: v for k, v in FULL.items() if k not in dropped - {"entity", "project"}}
    document |= top
    document["docker"] = {**inner, "docker_image": "busybox"}
    spec = parse_spec(document)
    assert to_document(spec) == document
    assert parse_spec(to_document(spec)) == spec


def test_reading_and_writing_share_nothing() -> None:
    """A spec stays what it was when its document, or a document made of it, is changed."""
    document = copy.deepcopy(FULL)
    spec = parse_spec(document)
    before = copy.deepcopy(spec)
    for victim in (document, to_document(spec)):
        for value in victim.values():
            if isinstance(value, (dict, list)):
                value.clear()
    assert spec == before


def test_a_spec_travels_to_other_processes() -> None:
    """Messages between processes carry it pickled."""
    spec = parse_spec(FULL)
    assert pickle.loads(pickle.dumps(spec)) == spec  # noqa: S301


def test_what_stock_clients_send_is_taken() -> None:
    """Nulls at the top count as absent, empty objects as saying nothing."""
    sent: dict[str, Json] = {
        "entity": "ent",
        "project": None,
        "docker": {"docker_image": "127.0.0.1:8765/noop:1"},
        "resource": None,
        "git": {},
        "overrides": {},
        "job": None,
    }
    spec = parse_spec(sent)
    assert (spec.entity, spec.project, spec.resource, spec.job) == ("ent", "", "", "")
    assert to_document(spec) == {
        "entity": "ent",
        "project": "",
        "docker": {"docker_image": "127.0.0.1:8765/noop:1"},
    }


GIT: Json = {"url": "https://host/repo.git", "ref": "main", "path": "a/b"}


@pytest.mark.parametrize(
    ("document", "source"),
    [
        ({"image_uri": "busybox"}, ImageSource("busybox")),
        ({"docker": {"docker_image": "busybox"}}, ImageSource("busybox")),
        ({"docker": {"docker_image": "a"}, "image_uri": "a"}, ImageSource("a")),
        ({"job": "ent/proj/name:v1"}, JobSource("ent/proj/name:v1")),
        ({**RUN, "source": {"archive": SHA}}, ArchiveSource(SHA)),
        ({**RUN, "source": {"git": GIT}}, GitSource("https://host/repo.git", "main", "a/b")),
        (RUN, NoSource()),
    ],
)
def test_each_source_is_recognised(document: Json, source: Source) -> None:
    """Whichever key names the code, the spec has one source."""
    assert parse_spec(document).source == source


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        ({"job": "a", "image_uri": "b"}, "image_uri", "both `job` and `image_uri`"),
        ({"image_uri": "a", "docker": {"docker_image": "b"}}, "image_uri", "are given"),
        ({**RUN, "job": "a", "source": {"archive": SHA}}, "job", "`source` and `job`"),
        ({}, "overrides.entry_point", "nothing to run"),
        ({"source": {"archive": SHA}}, "overrides.entry_point", "no command"),
        ({**RUN, "source": {}}, "source", "exactly one"),
        ({**RUN, "source": {"archive": SHA, "git": GIT}}, "source", "exactly one"),
        ({**RUN, "source": {"archive": "xyz"}}, "source.archive", "64 hexadecimal"),
        ({**RUN, "source": {"gti": GIT}}, "source.gti", "did you mean `git`?"),
        ({**RUN, "source": {"git": {}}}, "source.git.url", "needs the repository's address"),
        ({**RUN, "source": {"git": {"url": "ext::sh"}}}, "source.git.url", "not fetched"),
        ({**RUN, "source": {"git": {"url": "-u"}}}, "source.git.url", "option"),
        ({"image_uri": "Upper/Case"}, "image_uri", "write `upper`"),
        (
            {"overrides": {"args": "--lr 1", "entry_point": ["a"]}},
            "overrides.args",
            '["--lr", "1"]',
        ),
        ({"overrides": {"entry_point": ["a", 1]}}, "overrides.entry_point[1]", "in quotes"),
        ({"overrides": {"entry_point": ["a\0"]}}, "overrides.entry_point[0]", "must be a text"),
        ({"overrides": []}, "overrides", "must be an object, not a list"),
        ({**RUN, "python_version": 3.1}, "python_version", "in quotes"),
        ({**RUN, "python_version": "three"}, "python_version", '"3.11"'),
        ({**RUN, "priority": True}, "priority", "whole number"),
        ({**RUN, "priority": -1}, "priority", "0 or more"),
        ({**RUN, "timeout_s": 0}, "timeout_s", "more than 0"),
        ({**RUN, "timeout_s": "90"}, "timeout_s", "must be a number"),
        ({**RUN, "timeout_s": float("nan")}, "timeout_s", "must be a number"),
        ({**RUN, "env": {"A-B": "1"}}, "env.A-B", "name of a variable"),
        ({**RUN, "env": {"LAUNCHYARD_X": "1"}}, "env.LAUNCHYARD_X", "own"),
        ({**RUN, "env": {"A": True}}, "env.A", "in quotes"),
        ({**RUN, "env": ["A=1"]}, "env", "must be an object"),
        ({**RUN, "secrets": [{"env": "A", "from": "hunter2"}]}, "secrets[0].from", "never hold"),
        ({**RUN, "secrets": [{"env": "", "from": "secret:a"}]}, "secrets[0].env", "variable"),
        ({**RUN, "secrets": ["a"]}, "secrets[0]", "must be an object"),
        ({**RUN, "outputs": ["../x"]}, "outputs[0]", "inside"),
        ({**RUN, "requirements": "/etc/x"}, "requirements", "inside the source"),
        ({**RUN, "requirements": {}}, "requirements", "list of lines"),
        ({**RUN, "requirements": [1]}, "requirements", "list of lines"),
        ({**RUN, "resource_args": {"kubernetes": 1}}, "resource_args.kubernetes", "object"),
        ({**RUN, "additional_services": [{}]}, "additional_services[0].name", "needs a name"),
        ({**RUN, "run_id": "a/b"}, "run_id", "no space, slash"),
        ({**RUN, "overrides": {"working_dir": ".."}}, "overrides.working_dir", "inside"),
        ([], "", "must be an object"),
    ],
)
def test_a_problem_says_where_and_what(document: Json, path: str, words: str) -> None:
    """Each slip is named with its path and, where there is one, its remedy."""
    assert words in problems(document)[path]


def test_all_problems_come_at_once() -> None:
    """Nobody mends a spec one error at a time."""
    document: Json = {"job": 1, "docker": "x", "overrides": {"args": "y"}, "priority": "high"}
    assert set(problems(document)) == {"job", "docker", "overrides.args", "priority"}


def test_a_variable_is_declared_once() -> None:
    """A secret and a plain value for one variable contradict each other."""
    document: Json = {**RUN, "env": {"A": "1"}, "secrets": [{"env": "A", "from": "secret:a"}]}
    assert "secret" in problems(document)["env.A"]


def test_numbers_in_env_become_text() -> None:
    """People write `EPOCHS: 5`."""
    assert parse_spec({**RUN, "env": {"EPOCHS": 5, "LR": 0.1}}).env == {"EPOCHS": "5", "LR": "0.1"}


def test_the_command_is_entry_point_and_args() -> None:
    """Arguments follow the entry point."""
    assert command_of(parse_spec(FULL)) == ("python", "a b.py", "--lr", "0.1")


def test_a_key_is_split_off_and_never_shown() -> None:
    """A W&B key leaves the spec on arrival; until then its `repr` hides it."""
    spec = parse_spec(FULL)
    rest, key = split_api_key(spec)
    assert key == "k" * 40
    assert "_wandb_api_key" not in to_document(rest)
    assert key not in repr(spec)
    assert split_api_key(rest) == (rest, "")


def test_no_problem_shows_a_key() -> None:
    """A key of the wrong type is complained about, not printed."""
    said = problems({**RUN, "_wandb_api_key": 12345678})["_wandb_api_key"]
    assert "12345678" not in said


def test_a_slip_of_the_pen_is_noticed() -> None:
    """Unknown keys are kept, but one that looks like a known key is worth a warning."""
    spec = parse_spec({**RUN, "overide": {}, "zzz": 1, "timeout": 1})
    said = {p.path[0]: p.hint for p in suspicious_keys(spec)}
    assert said == {"overide": "did you mean `overrides`?", "timeout": "did you mean `timeout_s`?"}


def test_schedulers_are_told_apart() -> None:
    """Sweep schedulers have a limit of their own."""
    assert parse_spec({**RUN, "uri": "placeholder-uri-scheduler"}).is_scheduler
    assert not parse_spec({**RUN, "uri": "placeholder-other"}).is_scheduler


def test_a_secret_has_a_reference_only() -> None:
    """What the spec holds of a secret is where to find it."""
    spec = parse_spec({**RUN, "secrets": [{"env": "HF_TOKEN", "from": "secret:hf"}]})
    assert spec.secrets == (SecretRef("HF_TOKEN", "secret:hf"),)


def test_an_empty_spec_is_its_own_default() -> None:
    """Everything has a default that says nothing."""
    assert to_document(LaunchSpec()) == {"entity": "", "project": ""}
