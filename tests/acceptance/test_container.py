"""The image: an agent in its container, on a server outside, scraped by a real Prometheus."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.programs import ENTITY, LIMIT_S, QUEUE, Yard, is_ok, until, yard
from tests.rig.base_image import make_base
from tests.rig.dockerd import Docker, docker_daemon
from tests.rig.prometheus import Prometheus, prometheus, promtool_check, promtool_test

ROOT = Path(__file__).parents[2]
BASE, IMAGE = "local/base:test", "launchyard:test"
PORT = 9460

pytestmark = pytest.mark.timeout(900)  # a base image and all packages are put together


@dataclass(frozen=True)
class Site:
    """A server on this machine, an agent in a container, and who watches the two."""

    docker: Docker
    yard: Yard
    container: str
    agent_url: str
    watcher: Prometheus


def build(docker: Docker, folder: Path) -> None:
    """Make the image as anyone would, on a base of Debian's packages."""
    tar = make_base(folder)
    path = "ENV PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    docker.run("import", "--change", path, str(tar), BASE)
    # The packages of the other targets would double the time, and no test here needs them.
    lock = "--build-arg=LOCK=requirements/run.lock"
    arguments = [f"--build-arg=BASE={BASE}", "--build-arg=PACKAGES=", lock]
    docker.run("build", "--network=host", *arguments, f"--tag={IMAGE}", str(ROOT))


def start_agent(docker: Docker, on: Yard, folder: Path) -> str:
    """Start the image's own command, told all by flags; return the container's id."""
    key = folder / "agent.key"
    shutil.copy(on.key_file, key)
    # As docs/operations.md has it: the container's user is not ours, and the key is nobody else's.
    words = (
        "--entrypoint",
        "chown",
        f"--volume={folder}:/keys",
        IMAGE,
        "10001",
        f"/keys/{key.name}",
    )
    docker.run("run", "--rm", "--user", "0", *words)
    assert (key.stat().st_uid, key.stat().st_mode & 0o777) == (10001, 0o600)
    return docker.run(
        *("run", "--detach", "--init", f"--volume={key}:/key:ro", IMAGE, "agent"),
        *("--queue", QUEUE, "--entity", ENTITY, "--max-jobs", "2", "--key-file", "/key"),
        *("--server", f"http://{docker.gateway}:{on.port}"),
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Give all of it, with a job that has run."""
    folder = tmp_path_factory.mktemp("container")
    with docker_daemon(folder) as docker:
        (folder / "base").mkdir()
        build(docker, folder / "base")
        words = ("--host", "0.0.0.0", "--host-name", docker.gateway)  # noqa: S104 - containers call
        with yard(folder, *words) as on:
            container = start_agent(docker, on, folder)
            told = json.loads(docker.run("inspect", container))[0]["NetworkSettings"]
            address = told["Networks"]["bridge"]["IPAddress"]
            targets = {"agent": f"{address}:{PORT}", "server": f"127.0.0.1:{on.port}"}
            until(
                lambda: is_ok(f"http://{address}:{PORT}/readyz"),
                lambda: docker.run("logs", container),
            )
            with prometheus(folder, targets) as watcher:
                yield Site(docker, on, container, f"http://{address}:{PORT}", watcher)
            docker.run("rm", "--force", container)


def test_a_job_runs_in_the_container_as_nobody_special(site: Site) -> None:
    """The agent in the image does its work, and not as root."""
    item = site.yard.submit("/bin/sh", "-c", "id -u")
    view = site.yard.wait_done(item)
    told = f"{view['reason']}: {view['detail']}\n{site.docker.run('logs', site.container)}"
    assert view["attempt_state"] == "succeeded", told
    assert site.yard.log_of(item).strip() == "10001"


def test_prometheus_sees_agent_and_server(site: Site) -> None:
    """Both are up, and what happened is in their numbers."""
    site.yard.wait_done(site.yard.submit("/bin/true"))
    for job in ("agent", "server"):
        site.watcher.wait_for(f'up{{job="{job}"}} == 1')
        site.watcher.wait_for(f'launchyard_build_info{{component="{job}"}} == 1')
    site.watcher.wait_for(
        f'launchyard_jobs_finished_total{{queue="{QUEUE}",outcome="succeeded"}} >= 1'
    )
    site.watcher.wait_for(
        f'launchyard_queue_enqueued_total{{entity="{ENTITY}",queue="{QUEUE}",dedup="new"}} >= 1'
    )


@pytest.mark.parametrize("whose", ["agent", "server"])
def test_promtool_finds_nothing_wrong(site: Site, whose: str) -> None:
    """Names, types and help are as Prometheus wants them."""
    url = {"agent": site.agent_url, "server": site.yard.url}[whose]
    page = requests.get(f"{url}/metrics", timeout=LIMIT_S)
    assert page.ok
    assert promtool_check(page.text) == ""


def test_the_shipped_alert_fires_and_spares_a_drain(tmp_path: Path) -> None:
    """The rules can be loaded; an agent that hears nothing calls for somebody, unless it leaves."""
    alert, silent = "LaunchyardAgentNotPolling", "launchyard_last_successful_poll_timestamp_seconds"
    series = [
        {"series": f'{silent}{{instance="{state}", queue="q"}}', "values": "0x60"}
        for state in ("running", "draining", "stopping")
    ] + [
        {
            "series": f'launchyard_process_state{{instance="{here}", state="{state}"}}',
            "values": f"{int(here == state)}x60",
        }
        for here in ("running", "draining", "stopping")
        for state in ("running", "draining", "stopping")
    ]
    summary = "running has not heard from its server for two minutes"
    fires = {
        "exp_labels": {"severity": "critical", "instance": "running", "queue": "q"},
        "exp_annotations": {"summary": summary},
    }
    tests = [{"eval_time": "10m", "alertname": alert, "exp_alerts": [fires]}]
    case = {"interval": "15s", "input_series": series, "alert_rule_test": tests}
    rules = str(ROOT / "deploy/prometheus/alerts.yml")
    assert promtool_test(tmp_path, {"rule_files": [rules], "tests": [case]}) == ""


def test_a_stop_is_a_drain(site: Site) -> None:
    """`docker stop` ends an idle agent at once and in order."""
    site.docker.run("stop", "--time", "120", site.container)
    state = json.loads(site.docker.run("inspect", site.container))[0]["State"]
    assert state["ExitCode"] == 0, site.docker.run("logs", site.container)
