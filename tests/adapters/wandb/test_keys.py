"""The key of a W&B server, where it is kept in a file that somebody may write anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from launchyard.adapters.wandb.keys import key_in
from launchyard.plugins.builtin_wandb import launch_servers
from launchyard.plugins.specs import Place
from launchyard.ports.launch_server import ServerError
from tests.adapters.wandb.agent_kit import SPEC, Side
from tests.wandb_server import WandbServer

FIRST, NEXT = "a" * 40, "b" * 40
SERVER = "https://wandb.example:8080"


def test_a_key_without_a_file_stays() -> None:
    """What a variable of ours holds nobody can change."""
    assert key_in({"server": SERVER, "key": FIRST})() == FIRST
    assert key_in({"server": SERVER, "key": FIRST, "key_file": ""})() == FIRST


def test_a_key_is_what_its_file_holds_now(tmp_path: Path) -> None:
    """Alone, or as a netrc entry of the server's host; what cannot be read changes nothing."""
    file = tmp_path / "key"
    key = key_in({"server": SERVER, "key": FIRST, "key_file": str(file)})
    assert key() == FIRST
    for text in ("", "  \n", "one two", "\u00e9" * 40, "machine other\n  login u\n  password p\n"):
        file.write_text(text)
        assert key() == FIRST
    file.write_bytes(b"\xff\xfe")
    assert key() == FIRST
    file.write_text(f"{NEXT}\n")
    assert key() == NEXT
    file.write_text(f"machine wandb.example\n  login user\n  password {'c' * 40}\n")
    assert key() == "c" * 40


def test_an_agent_goes_on_with_the_key_that_its_file_has(
    wandb_server: WandbServer, tmp_path: Path
) -> None:
    """Whoever changes a key need not start the agent again; its jobs get the new one, too."""
    file = tmp_path / "key"
    file.write_text(FIRST)
    told = {"server": wandb_server.base_url, "key": FIRST, "key_file": str(file)}
    (provider,) = launch_servers()
    side = Side(wandb_server, tmp_path / "wandb")
    side.port.close()
    made = provider.make(Place(folder=str(tmp_path / "wandb"), settings=told))
    side.port = made  # type: ignore[assignment]
    with pytest.raises(ServerError, match="does not take the API key"):
        side.hello()
    file.write_text(f"{wandb_server.api_key}\n")
    with pytest.raises(ServerError):
        side.hello()
    assert side.hello().agent
    wandb_server.push("q1", SPEC)
    assert side.one().secrets["WANDB_API_KEY"] == wandb_server.api_key
    side.close()


def test_a_key_that_was_replaced_is_taken_out_of_logs(side: Side) -> None:
    """A job that was given it may print it after that."""
    line, keys = side.port._line, [FIRST, NEXT]
    side.server.push("q1", SPEC)
    grant = side.one()
    assert grant.secrets["WANDB_API_KEY"] == side.server.api_key
    line.settings = type(line.settings)(
        base_url=line.settings.base_url, key=lambda: keys[-1], folder=line.settings.folder
    )
    errors = side.port._ends._errors
    shown = errors._without_keys(grant.item, f"{side.server.api_key} {NEXT} end".encode())
    assert shown == b"*** *** end"
