"""Every block of the documents that we implement is read, or gets the hint that repairs it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from launchyard.adapters.yaml.reader import read, read_on
from launchyard.domain.config.check import Checked, check
from launchyard.domain.config.problem import Marked, repaired
from launchyard.domain.config.schema import KnownTypes
from launchyard.domain.documents import dotted

SEEDS = Path(__file__).parents[2] / "fixtures" / "seeds"
QUEUES = ("000-12", "000-13", "001-01", "001-02", "001-16", "001-17", "002-08", "002-10")
LISTS = ("000-14", "001-18", "002-09", "002-11")
FILES = ("004-03",)
ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com/images"
ADD_ENVIRONMENT = (
    "add `environment.region` and `environment.project` with `environment.type: gcp`, "
    "or write `uri` instead"
)
DROP_COMMA = (
    "write `us-central1-docker.pkg.dev/my-project-1/images/train`; "
    "put the value in quotes if the comma belongs to it"
)
SLASHES = [(5, "write `# highlight-start`"), (8, "write `# highlight-end`")]
TOLD: Mapping[str, list[tuple[int, str]]] = {
    "000-01": [
        (6, "pick one of `aws`, `gcp` or `azure`"),
        (8, "pick one of `ecr`, `gcr` or `acr`"),
        (10, "pick one of `docker`, `kaniko` or `noop`"),
    ],
    "001-04": [
        (2, "indent with two spaces for each level"),
        (2, "pick one of `docker` or `kaniko`"),
    ],
    "001-06": SLASHES,
    "001-07": [(5, "write `# highlight-start`"), (10, "write `# highlight-end`")],
    "001-09": SLASHES,
    "003-01": [
        (6, "pick one of `aws` or `gcp`"),
        (8, "pick one of `ecr` or `gcr`"),
        (9, "write `builder:`"),
        (10, "write `type: docker|kaniko|noop`"),
        (10, "pick one of `docker`, `kaniko` or `noop`"),
    ],
    "003-04": [(3, "did you mean `my-ecr-repo`?")],
    "003-05": [(3, ADD_ENVIRONMENT)],
    "004-05": [(3, DROP_COMMA)],
}
CHOSEN = {"AWS_REGION": "us-east-1", "LAUNCHYARD_AGENT_REGISTRY_URI": ECR}
# What the blocks leave to their neighbours in the document, or to the reader's choice.
REST: Mapping[str, tuple[set[str], Mapping[str, str]]] = {
    "000-01": ({"environment.type", "registry.type"}, CHOSEN),
    "003-01": ({"environment.type", "registry.type"}, CHOSEN),
    "003-04": (
        {"registry.repository"},
        {"LAUNCHYARD_AGENT_ENVIRONMENT_TYPE": "aws", "AWS_REGION": "us-east-1"},
    ),
    "003-05": (
        {"registry.repository"},
        {
            "LAUNCHYARD_AGENT_ENVIRONMENT_TYPE": "gcp",
            "GOOGLE_CLOUD_REGION": "us-central1",
            "GOOGLE_CLOUD_PROJECT": "my-project-1",
        },
    ),
}
AGENTS = tuple(
    path.stem for path in sorted(SEEDS.iterdir()) if path.stem not in {*QUEUES, *LISTS, *FILES}
)


def text_of(name: str) -> str:
    """Return the text of the fixture *name*."""
    (path,) = SEEDS.glob(f"{name}.*")
    return path.read_text(encoding="utf-8")


def agent(document: Marked, environment: Mapping[str, str] | None = None) -> Checked:
    """Check *document* as an agent's configuration."""
    return check(document, environment or {}, {}, KnownTypes())


def test_there_is_a_fixture_for_every_block() -> None:
    """The five documents hold 14, 18, 11, 9 and 6 blocks of configuration."""
    counts = [len(list(SEEDS.glob(f"00{number}-*"))) for number in range(5)]
    assert counts == [14, 18, 11, 9, 6]


@pytest.mark.parametrize("name", [name for name in AGENTS if name not in TOLD])
def test_documented_configurations_are_valid(name: str) -> None:
    """What the documents show can be used as it is."""
    assert agent(read(text_of(name), name)).config is not None


@pytest.mark.parametrize("name", list(TOLD))
def test_slips_of_the_documents_get_the_hint_that_repairs_them(name: str) -> None:
    """The hints, and no others; after the repair the text is read, and the check satisfied."""
    text = text_of(name)
    result = agent(read_on(text, name))
    assert [(p.line, p.hint) for p in result.errors] == TOLD[name]
    mended = read(repaired(text, result.errors), name)
    asked, environment = REST.get(name, (set[str](), {}))
    assert {dotted(p.path) for p in agent(mended).errors} == asked
    assert agent(mended, environment).config is not None


@pytest.mark.parametrize("name", QUEUES)
def test_documented_queues_and_policies_are_read(name: str) -> None:
    """Manifests, requests and policies are YAML as they are, JSON included."""
    document = read(text_of(name), name)
    assert isinstance(document.value, dict)
    assert {"Statement", "RoleArn", "apiVersion"} & set(document.value)


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_permissions_get_their_dashes(name: str) -> None:
    """Words below each other are told to be entries of a list, line by line."""
    text = text_of(name)
    problems = read_on(text, name).problems
    words = [line.rstrip(";") for line in text.splitlines()]
    assert [p.hint for p in problems] == [f"write `- {word}`" for word in words]
    assert read(repaired(text, problems), name).value == words


def test_a_credentials_file_is_recognised_and_not_shown() -> None:
    """It is no YAML, and its values stay out of the message."""
    (problem,) = read_on(text_of("004-03"), "004-03").problems
    assert "~/.aws/credentials" in problem.hint
    assert "example" not in problem.text
