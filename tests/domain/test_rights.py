"""Roles, and what each may do."""

from __future__ import annotations

import itertools

import pytest

from launchyard.domain.rights import ALLOWED, KEY_PATTERN, Action, Principal, Role


@pytest.mark.parametrize(("role", "action"), list(itertools.product(Role, Action)), ids=str)
def test_a_role_holds_in_its_entity_alone(role: Role, action: Action) -> None:
    """And there it is exactly what the table says."""
    who = Principal(user="u", key_id="k", roles={"team": role})
    assert who.may(action, "team") is (action in ALLOWED[role])
    assert not who.may(action, "other")


@pytest.mark.parametrize("action", list(Action))
def test_a_server_administrator_may_do_everything_everywhere(action: Action) -> None:
    """Its role is not bound to an entity."""
    assert Principal(user="u", key_id="k", roles={}, everywhere=Role.ADMIN).may(action, "any")


def test_who_works_does_not_submit_and_who_submits_does_not_work() -> None:
    """An agent's key that leaks puts no job on a queue."""
    assert Action.SUBMIT not in ALLOWED[Role.AGENT]
    assert Action.WORK not in ALLOWED[Role.SUBMITTER]


@pytest.mark.parametrize(
    ("text", "good"),
    [("a" * 40, True), ("0" * 64, True), ("a" * 39, False), ("A" * 40, False), ("a-" * 20, False)],
)
def test_keys_are_what_wandb_clients_accept(text: str, *, good: bool) -> None:
    """Forty or more small letters and digits."""
    assert bool(KEY_PATTERN.fullmatch(text)) is good
