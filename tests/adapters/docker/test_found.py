"""Which agents serve containers: those that are told to, and on a W&B server those that can."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import pytest

from launchyard.adapters.system.folder import StateFolder
from launchyard.bootstrap.hosts import HostSettings
from launchyard.bootstrap.logs import LogSettings
from launchyard.bootstrap.policy import TargetSettingsError
from launchyard.bootstrap.servers import AgentServer
from launchyard.bootstrap.targets import Surroundings, made_targets
from launchyard.domain.config.check import check
from launchyard.domain.config.problem import Marked
from launchyard.domain.documents import Json
from launchyard.plugins.manager import Plugins
from tests.rig.dockerd import Docker

WANDB = "wandb+http://127.0.0.1:9"
OURS = "http://127.0.0.1:9"
ALWAYS = {"local-process"}


def served(folder: Path, server: str, engine: str, document: Mapping[str, Json]) -> set[str]:
    """Return the targets of an agent on a machine whose engine is at *engine*."""
    plugins = Plugins()
    stock: dict[str, Json] = {"entity": "team", "queues": ["boxes"], "server": server}
    said: Json = {**stock, **document}
    config = check(Marked(value=said), {}, {}, plugins.known_types()).config
    assert config is not None

    def common(role: str) -> HostSettings:
        return HostSettings(role=role, server=server, key="", log=LogSettings(process=role))

    with StateFolder(str(folder)) as state:
        remote = AgentServer(server, "", state, config)
        environment = {"DOCKER_HOST": engine, "HOME": str(folder)}
        around = Surroundings(config, remote, state, environment, common)
        return set(made_targets(plugins.targets.values(), around))


def test_a_configuration_of_w_and_b_s_is_enough(docker: Docker, tmp_path: Path) -> None:
    """It names no targets; on our server that is a refusal."""
    engine = f"unix://{docker.socket}"
    assert served(tmp_path, WANDB, engine, {}) == {*ALWAYS, "local-container"}
    assert served(tmp_path, OURS, engine, {}) == ALWAYS
    empty: dict[str, Json] = {"targets": {"local-container": {}}}
    assert served(tmp_path, OURS, engine, empty) == {*ALWAYS, "local-container"}


def test_an_engine_that_is_away_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where nobody named it, the agent does what it can; where somebody did, it cannot start."""
    away = f"unix://{tmp_path}/none"
    with caplog.at_level(logging.WARNING):
        assert served(tmp_path, WANDB, away, {}) == ALWAYS
    assert "local-container are not served" in caplog.text
    with pytest.raises(TargetSettingsError, match="does not answer"):
        served(tmp_path, WANDB, away, {"targets": {"local-container": {}}})
