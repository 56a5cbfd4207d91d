"""An agent that reads its configuration again on SIGHUP, and what its log says of it."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

from launchyard.ports.events import EVENTS
from tests.acceptance.test_circuit import operations, ready
from tests.programs import Program, Yard, until, yard


def lines(agent: Program) -> list[dict[str, Any]]:
    """Return the agent's log, each line of which is an object."""
    # The last one may still be being written.
    return [json.loads(line) for line in agent.said().rpartition("\n")[0].splitlines()]


def told(agent: Program, event: str) -> list[dict[str, Any]]:
    """Return the lines of one sort."""
    return [line for line in lines(agent) if line.get("event") == event]


def status(agent: Program) -> dict[str, Any]:
    """Return everything that the agent tells about itself."""
    return dict(operations(agent, "/status.json").json())


def launches(agent: Program) -> int:
    """Return the limit in force."""
    limits = status(agent)["limits"]
    return int(next(one["limit"] for one in limits if one["kind"] == "launch"))


def max_jobs(made: Yard) -> int:
    """Return how many jobs its only agent runs at most, as the server knows."""
    [view] = made.call("GET", "/agents")["agents"]
    return int(view["max_jobs"])


def test_what_changes_counts_at_once_or_is_named(tmp_path: Path) -> None:
    """A limit counts at once, a new port only from the next start, which the log says.

    A broken file changes nothing: status page and log say where it is broken, until it is mended.
    """
    file = tmp_path / "wandb" / "launch-config.yaml"
    file.parent.mkdir()
    file.write_text("max_launches: 3\nlog_format: json\n")
    with yard(tmp_path) as made:
        agent = made.start_agent(jobs=None)
        until(lambda: ready(agent), "agent")
        assert launches(agent) == 3

        file.write_text("max_launches: 5\nlog_format: json\nmax_builds: 7\nwebhook: {tries: 2}\n")
        agent.signal(signal.SIGHUP)
        until(lambda: bool(told(agent, "config_waits")), "the new configuration")
        until(lambda: launches(agent) == 5, "the new limit")
        [read], [waits] = told(agent, "config_read"), told(agent, "config_waits")
        assert read["keys"] == "max_launches"
        assert waits["keys"] == "max_builds, webhook.tries"

        file.write_text("max_launches: 9\nmax_lunches: 1\n")
        agent.signal(signal.SIGHUP)
        until(lambda: bool(status(agent)["errors"]), "the trouble")
        [trouble] = status(agent)["errors"]
        assert trouble["where"] == "configuration"
        assert "launch-config.yaml:2" in trouble["message"]
        assert "max_lunches" in trouble["message"]
        assert launches(agent) == 5
        assert made.wait_done(made.submit("true"))["attempt_state"] == "succeeded"

        assert max_jobs(made) == 1
        file.write_text("max_launches: 4\nmax_jobs: 2\nlog_format: json\n")
        agent.signal(signal.SIGHUP)
        until(lambda: launches(agent) == 4 and not status(agent)["errors"], "the mended one")
        until(lambda: max_jobs(made) > 1, "the limit that the server tells people of")
        assert agent.stop() == 0
        names = {event.name for event in EVENTS}
        assert all(line["event"] in names for line in lines(agent))
        [end] = told(agent, "job_ended")
        assert (end["state"], end["attempt"], end["target"]) == ("succeeded", 1, "local-process")
        assert told(agent, "trouble_over")
