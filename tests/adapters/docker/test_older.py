"""What engines get that know less than the newest."""

from __future__ import annotations

from typing import Any

import pytest

from launchyard.adapters.docker.older import as_known
from launchyard.domain.reason import Reason
from launchyard.ports.runner import RunnerError

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


@pytest.mark.parametrize(
    ("options", "word", "before", "since"),
    [
        ({"VolumeOptions": {"Subpath": "mine"}}, "volume-subpath", "1.44", "1.45"),
        ({"BindOptions": {"ReadOnlyForceRecursive": True}}, "bind-recursive", "1.43", "1.44"),
        ({"BindOptions": {"ReadOnlyNonRecursive": True}}, "bind-recursive", "1.41", "1.44"),
    ],
)
def test_what_an_engine_would_not_heed_is_refused(
    options: dict[str, Any], word: str, before: str, since: str
) -> None:
    """It would mount the whole volume, or leave what is below a folder writable."""
    mount: dict[str, Any] = {"Type": "volume", "Source": "a", "Target": "/a", **options}
    asked: dict[str, Any] = {"Image": "a", "HostConfig": {"Mounts": [mount]}}
    with pytest.raises(RunnerError, match=f"`{word}` of `mount` needs .* API {since}") as caught:
        as_known(asked, before)
    assert (caught.value.reason, caught.value.retry) == (Reason.CONTAINER_CONFIG, False)
    assert as_known(asked, since) == asked
    plain: dict[str, Any] = {"BindOptions": {"NonRecursive": True}}
    assert as_known({"HostConfig": {"Mounts": [plain]}}, "1.41")
