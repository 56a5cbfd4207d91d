"""What engines get that know less than the newest."""

from __future__ import annotations

from typing import Any

import pytest

from launchyard.adapters.docker.older import as_known

MAC = "02:42:0a:00:00:05"


@pytest.mark.parametrize("api", ["1.24", "1.41", "1.43"])
def test_older_engines_take_a_mac_address_of_the_container(api: str) -> None:
    """They would not heed it elsewhere; what else is said of the network stays."""
    only = {"default": {"MacAddress": MAC}}
    alone: dict[str, Any] = {"NetworkingConfig": {"EndpointsConfig": only}}
    assert as_known(alone, api) == {"NetworkingConfig": {"EndpointsConfig": {}}, "MacAddress": MAC}
    named: dict[str, Any] = {"lab": {"MacAddress": MAC, "Aliases": ["db"]}}
    found = as_known({"Image": "a", "NetworkingConfig": {"EndpointsConfig": named}}, api)
    rest = {"NetworkingConfig": {"EndpointsConfig": {"lab": {"Aliases": ["db"]}}}}
    assert found == {"Image": "a", "MacAddress": MAC, **rest}
    assert as_known({"Image": "a"}, api) == {"Image": "a"}


@pytest.mark.parametrize("api", ["1.44", "1.52", "2.0"])
def test_newer_engines_take_it_of_the_network(api: str) -> None:
    """They refuse the other, in time."""
    asked: dict[str, Any] = {"NetworkingConfig": {"EndpointsConfig": {"lab": {"MacAddress": MAC}}}}
    assert as_known(asked, api) == asked
