"""What we ship for operators names metrics that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

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
