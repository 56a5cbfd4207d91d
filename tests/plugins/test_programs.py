"""The plugin lists of the configuration hold for everything that the command line does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from launchyard.bootstrap.programs import LocalPrograms
from launchyard.ports.programs import ConfigRequest

Install = Callable[..., None]

OVEN = """
@hookimpl
def builders():
    return [builder("oven")]
"""


@pytest.mark.parametrize("lists", ["deny: [bakery]", "allow: [another]"])
def test_what_is_not_admitted_is_not_even_loaded(
    install: Install, tmp_path: Path, lists: str
) -> None:
    """So its types are unknown to the check."""
    install("bakery", OVEN)
    file = tmp_path / "agent.yaml"
    file.write_text(f"queues: [q]\nbuilder: {{type: oven}}\nplugins: {{{lists}}}\n")
    programs = LocalPrograms({})
    checked = programs.check_config(ConfigRequest(file=str(file)))
    assert "oven" in "".join(problem.text for problem in checked.errors)
    assert "ly_test_bakery" not in sys.modules


def test_what_is_admitted_is_known(install: Install, tmp_path: Path) -> None:
    """Without lists, by a list, and when the environment overrules the file."""
    install("bakery", OVEN)
    file = tmp_path / "agent.yaml"
    for lists, environment in (
        ("{}", {}),
        ("{allow: [bakery]}", {}),
        ("{allow: [other]}", {"LAUNCHYARD_AGENT_PLUGINS_ALLOW": "bakery"}),
    ):
        file.write_text(f"queues: [q]\nbuilder: {{type: oven}}\nplugins: {lists}\n")
        checked = LocalPrograms(environment).check_config(ConfigRequest(file=str(file)))
        assert not checked.errors, [problem.text for problem in checked.errors]


def test_the_listing_reads_the_configuration_in_its_usual_place(
    install: Install, tmp_path: Path
) -> None:
    """So that `launchyard plugins` shows what the agent will load."""
    install("bakery", OVEN)
    usual = tmp_path / "wandb/launch-config.yaml"
    usual.parent.mkdir()
    usual.write_text("plugins: {deny: [bakery]}\n")
    programs = LocalPrograms({"XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)})
    states = {view.name: view.state for view in programs.plugins()}
    assert states["bakery"] == "off"
    assert "ly_test_bakery" not in sys.modules
    assert "oven" not in str(programs.config_schema())
