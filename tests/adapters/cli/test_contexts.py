"""Which server a command goes to where several logins are kept, and how people choose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from launchyard.adapters.cli.contexts import Asked, Context, Contexts
from launchyard.adapters.cli.errors import CommandError

TEAM = Context(url="http://team:1", key="t" * 40, entity="vision", queue="gpus")
LOCAL = Context(url="http://127.0.0.1:8630", key="l" * 40)


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Give the variables of a person who logged in to a team's server and then ran `up`."""
    variables = {"XDG_CONFIG_HOME": str(tmp_path)}
    contexts = Contexts(variables)
    contexts.save("team", TEAM)
    contexts.save("local", LOCAL)
    return variables


def test_a_login_of_before_is_chosen_by_its_name(home: dict[str, str]) -> None:
    """For one command by flag or variable, for all by `use`; the flag is the strongest."""
    contexts = Contexts(home)
    assert contexts.resolve(Asked()) == LOCAL
    assert contexts.resolve(Asked(context="team")) == TEAM
    named = Contexts({**home, "LAUNCHYARD_CONTEXT": "team"})
    assert named.resolve(Asked()) == TEAM
    assert named.resolve(Asked(context="local")) == LOCAL
    contexts.use("team")
    assert (contexts.in_use(), contexts.resolve(Asked())) == ("team", TEAM)


def test_a_context_that_a_flag_names_takes_the_place_of_variables(home: dict[str, str]) -> None:
    """Nothing of another server's reaches it, least of all a key; other flags still hold."""
    elsewhere = {"LAUNCHYARD_SERVER": "http://other:1", "LAUNCHYARD_KEY": "o" * 40}
    contexts = Contexts({**home, **elsewhere, "LAUNCHYARD_QUEUE": "other"})
    assert contexts.resolve(Asked(context="team")) == TEAM
    assert contexts.resolve(Asked(context="team", queue="cpus")).queue == "cpus"
    assert contexts.resolve(Asked()).url == "http://other:1"


@pytest.mark.parametrize("how", ["flag", "variable", "use"])
def test_a_name_that_is_not_kept_is_told(home: dict[str, str], how: str) -> None:
    """With the names that are; what is in use stays."""
    contexts = Contexts(home | ({"LAUNCHYARD_CONTEXT": "temp"} if how == "variable" else {}))
    ways: dict[str, Callable[[], object]] = {
        "flag": lambda: contexts.resolve(Asked(context="temp")),
        "variable": lambda: contexts.resolve(Asked()),
        "use": lambda: contexts.use("temp"),
    }
    with pytest.raises(CommandError, match="no context is called temp") as e:
        ways[how]()
    assert "team, local" in e.value.why
    assert contexts.in_use() == "local"
