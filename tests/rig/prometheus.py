"""A real Prometheus that scrapes what a test tells it to."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.programs import LIMIT_S, free_port, is_ok, until


@dataclass(frozen=True)
class Prometheus:
    """A running one."""

    url: str

    def query(self, expression: str) -> list[tuple[Mapping[str, str], float]]:
        """Return the labels and values that an expression has now."""
        answer = requests.get(
            f"{self.url}/api/v1/query", params={"query": expression}, timeout=LIMIT_S
        ).json()
        assert answer["status"] == "success", answer
        return [(one["metric"], float(one["value"][1])) for one in answer["data"]["result"]]

    def wait_for(self, expression: str, limit_s: float = LIMIT_S) -> None:
        """Wait until an expression has a value."""
        until(lambda: bool(self.query(expression)), expression, limit_s)


@contextlib.contextmanager
def prometheus(folder: Path, targets: Mapping[str, str]) -> Iterator[Prometheus]:
    """Run one that scrapes *targets*, given as job → host:port, each second."""
    config = folder / "prometheus.yml"
    jobs = [
        {"job_name": job, "static_configs": [{"targets": [address]}]}
        for job, address in targets.items()
    ]
    # JSON is YAML, too.
    config.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}))
    address = f"127.0.0.1:{free_port()}"
    with (folder / "prometheus.log").open("ab") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address={address}",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            made = Prometheus(f"http://{address}")
            until(lambda: process.poll() is not None or is_ok(f"{made.url}/-/ready"), "prometheus")
            assert process.poll() is None, (folder / "prometheus.log").read_text()
            yield made
        finally:
            process.terminate()
            process.wait(LIMIT_S)


def promtool_test(folder: Path, cases: Mapping[str, object]) -> str:
    """Return what `promtool test rules` says against rules; nothing when all is well."""
    file = folder / "cases.json"
    file.write_text(json.dumps(cases))
    words = ["promtool", "test", "rules", str(file)]
    done = subprocess.run(words, text=True, capture_output=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def promtool_check(exposition: str) -> str:
    """Return what `promtool check metrics` says of a page; nothing when all is well."""
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=exposition,
        text=True,
        capture_output=True,
        check=False,
    )
    said = done.stdout + done.stderr
    return said or ("" if done.returncode == 0 else f"exit code {done.returncode}")
