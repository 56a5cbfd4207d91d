"""What we ship for operators names metrics that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from launchyard.adapters.cli.codes import Code
from launchyard.domain.config.layers import CONTAINER
from launchyard.domain.reason import Reason
from launchyard.ports.families import AGENT_FAMILIES, SERVER_FAMILIES
from launchyard.ports.metrics import Kind

ROOT = Path(__file__).parents[2]
NAMES = {
    f"launchyard_{family.name}{'_total' if family.kind is Kind.COUNTER else ''}"
    for family in (*AGENT_FAMILIES, *SERVER_FAMILIES)
}


@pytest.mark.parametrize("page", ["deploy/prometheus/alerts.yml", "docs/operations.md"])
def test_rules_name_metrics_that_exist(page: str) -> None:
    """An alert on a number that nobody tells would never fire."""
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"\blaunchyard_\w+", text))
    assert named
    assert not named - NAMES


def test_the_page_shows_the_rules_that_are_shipped() -> None:
    """Who copies a row gets what the file has, and every rule is explained."""
    groups = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
    shipped = {(" ".join(rule["expr"].split()), rule.get("for")) for rule in groups[0]["rules"]}
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(.*?)`(?: for (\d+) min)? \|", page.replace("\\|", "\0"), re.MULTILINE)
    shown = {
        (expression.replace("\0", "|"), f"{minutes}m" if minutes else None)
        for expression, minutes in rows
        if "launchyard_" in expression
    }
    assert shown == shipped


def test_alerts_name_reasons_that_exist() -> None:
    """A reason that was renamed would drop out of the alert unnoticed."""
    text = (ROOT / "deploy/prometheus/alerts.yml").read_text(encoding="utf-8")
    for group in re.findall(r'reason=~"([^"]+)"', text):
        assert set(group.split("|")) <= {reason.value for reason in Reason}


def test_the_image_says_that_it_is_a_container() -> None:
    """By this the agent waits for its jobs by default; a key set in a file is still stronger."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert f"{CONTAINER[0]}=1" in text
    assert "HOST_BOUND_ON_EXIT" not in text


def _unit(name: str) -> dict[str, str]:
    """Return the settings of a unit's service; one that is repeated by its last line."""
    text = (ROOT / "deploy/systemd" / f"launchyard-{name}.service").read_text(encoding="utf-8")
    lines = (line.partition("=") for line in text.splitlines() if not line.startswith("#"))
    return {key: value for key, _, value in lines if value}


@pytest.mark.parametrize("name", ["agent", "server"])
def test_a_unit_starts_again_what_may_come_right(name: str) -> None:
    """And leaves alone what would meet the same mistake; its codes are ours."""
    unit = _unit(name)
    never = {Code(int(code)) for code in unit["RestartPreventExitStatus"].split()}
    assert Code.USAGE in never
    assert not never & {Code.OK, Code.ERROR, Code.CONFLICT, Code.UNREACHABLE, Code.DRAINED}
    if name == "agent":
        assert {Code.CONFIG, Code.AUTH, Code.NOT_FOUND} <= never
        assert unit["RestartForceExitStatus"] == str(int(Code.DRAINED))


def test_the_agents_unit_is_told_all_that_it_needs() -> None:
    """A queue, a server and a key; a file of its own is not demanded; SIGHUP is its reload."""
    unit = _unit("agent")
    words = unit["ExecStart"].split()[1:]
    assert {"-q", "-e", "--server", "--key-file"} <= set(words)
    assert not {"-c", "--config"} & set(words)
    assert unit["ExecReload"].endswith("kill -HUP $MAINPID")
    assert unit["KillMode"] == "process"
    (name, _, _) = unit["Environment"].partition("=")
    assert name == "LAUNCHYARD_AGENT_STATE_DIR"
