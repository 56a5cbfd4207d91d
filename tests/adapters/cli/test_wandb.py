"""Which W&B server an agent works for, and with which key."""

from __future__ import annotations

from pathlib import Path

import pytest

from launchyard.adapters.cli.contexts import Context
from launchyard.adapters.cli.errors import CommandError
from launchyard.adapters.cli.wandb import wandb_context, wandb_key_file

KEY, OTHER = "a" * 40, "b" * 40
HERE = "http://127.0.0.1:8080"
OURS = Context(url="http://127.0.0.1:8630")


def test_the_address_chooses(tmp_path: Path) -> None:
    """A marked address, or the word for W&B's own; any other is ours, whatever the variables."""
    env = {"WANDB_API_KEY": KEY, "WANDB_BASE_URL": HERE, "HOME": str(tmp_path)}
    found = wandb_context("wandb+https://host", "", env, OURS)
    assert found == Context(url="wandb+https://host", key=KEY)
    assert wandb_context("wandb", "", env, OURS) == Context(url=f"wandb+{HERE}", key=KEY)
    assert wandb_context("http://127.0.0.1:8630", "", env, None) is None


def test_a_login_counts_before_wandbs_variables(tmp_path: Path) -> None:
    """Many have a key for their training; an agent must not leave its server for that."""
    env = {"WANDB_API_KEY": KEY, "HOME": str(tmp_path)}
    assert wandb_context("", "", env, OURS) is None
    found = wandb_context("", "", env, None)
    assert found is not None
    assert found.url == "wandb+https://api.wandb.ai"
    assert wandb_context("", "", {"HOME": str(tmp_path)}, None) is None


def test_a_key_is_found_where_wandb_keeps_it(tmp_path: Path) -> None:
    """A file that is named, a variable, a variable's file, the netrc file: in this order."""
    named, netrc = tmp_path / "key", tmp_path / ".netrc"
    named.write_text(f"{OTHER}\n")
    netrc.write_text(f"machine 127.0.0.1\n  login user\n  password {KEY}\n")
    netrc.chmod(0o600)
    home = {"WANDB_BASE_URL": HERE, "HOME": str(tmp_path)}

    def key(key_file: str = "", **more: str) -> str:
        found = wandb_context("wandb", key_file, {**home, **more}, None)
        assert found is not None
        return found.key

    assert key(str(named), WANDB_API_KEY=KEY) == OTHER
    assert key(WANDB_API_KEY=KEY, WANDB_API_KEY_FILE=str(named)) == KEY
    assert key(WANDB_API_KEY_FILE=str(named)) == OTHER
    assert key() == KEY
    assert wandb_key_file("", {**home, "WANDB_API_KEY": KEY}) == ""
    assert wandb_key_file(str(named), {**home, "WANDB_API_KEY": KEY}) == str(named)
    assert wandb_key_file("", {**home, "WANDB_API_KEY_FILE": str(named)}) == str(named)
    assert wandb_key_file("", home) == str(netrc)
    assert wandb_key_file("", {**home, "NETRC": str(tmp_path / "none")}) == ""
    assert wandb_context("", "", {"WANDB_BASE_URL": HERE, "HOME": str(tmp_path)}, None) is not None


def test_a_login_at_a_host_is_found_in_wandbs_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable, this folder's file, the user's file: in the order of W&B's own client."""
    work, config = tmp_path / "work", tmp_path / ".config" / "wandb"
    for folder in (work / "wandb", config, tmp_path / "other"):
        folder.mkdir(parents=True)
    monkeypatch.chdir(work)
    netrc = tmp_path / ".netrc"
    netrc.write_text(f"machine own.example\n  login user\n  password {KEY}\n")
    netrc.chmod(0o600)
    env = {"HOME": str(tmp_path)}

    def url(**more: str) -> str:
        found = wandb_context("wandb", "", {**env, "WANDB_API_KEY": KEY, **more}, None)
        assert found is not None
        return found.url

    (config / "settings").write_text("[default]\nbase_url = https://own.example\nmode = 50%\n")
    assert wandb_context("", "", env, None) == Context(url="wandb+https://own.example", key=KEY)
    assert url(WANDB_BASE_URL=HERE) == f"wandb+{HERE}"
    assert url(WANDB_CONFIG_DIR=str(tmp_path / "other")) == "wandb+https://api.wandb.ai"
    (tmp_path / "other" / "settings").write_text("[default]\nbase_url = https://o.example\n")
    assert url(WANDB_CONFIG_DIR="~/other") == "wandb+https://o.example"
    (work / "wandb" / "settings").write_text("[default]\nbase_url = https://w.example\n")
    assert url() == "wandb+https://w.example"
    (work / "wandb" / "settings").write_text("base_url = https://w.example\n")
    assert url() == "wandb+https://own.example"
    (work / ".wandb").mkdir()
    (work / ".wandb" / "settings").write_text("[default]\nbase_url = https://dot.example\n")
    assert url() == "wandb+https://dot.example"


def test_what_is_no_key_is_said_and_not_shown(tmp_path: Path) -> None:
    """The remedy names W&B's own ways; no message has a key in it."""
    env = {"WANDB_BASE_URL": HERE, "HOME": str(tmp_path)}
    with pytest.raises(CommandError, match="no API key is known") as missing:
        wandb_context("wandb", "", env, None)
    assert HERE in str(missing.value)
    with pytest.raises(CommandError, match="is no API key") as wrong:
        wandb_context("wandb", "", {**env, "WANDB_API_KEY": "secret words in it"}, None)
    assert "secret words" not in str(wrong.value)
    with pytest.raises(CommandError, match="cannot be read"):
        wandb_context("wandb", str(tmp_path / "none"), env, None)
