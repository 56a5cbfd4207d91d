"""An agent that has nothing to do has loaded nothing that it does not need."""

from __future__ import annotations

from pathlib import Path

from tests.programs import until, yard

TOO_MUCH = {
    *("azure", "boto3", "botocore", "docker", "google", "kubernetes"),
    *("alembic", "fastapi", "jinja2", "sqlalchemy", "starlette", "uvicorn"),
    "prometheus_client",
}


def test_an_idle_agent_loads_no_sdk(tmp_path: Path) -> None:
    """No SDK of a cloud, nothing of the server, and the metrics library not before a scrape."""
    with yard(tmp_path) as on:
        agent = on.start_agent(env={"PYTHONPROFILEIMPORTTIME": "1"})
        until(lambda: any(one["online"] for one in on.call("GET", "/agents")["agents"]), "agent")
        assert agent.stop() == 0, agent.said()[-2000:]
    lines = (line for line in agent.said().splitlines() if line.startswith("import time:"))
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
    assert "pykka" in loaded
    assert not loaded & TOO_MUCH
