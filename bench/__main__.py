"""Run every benchmark and print one table."""

from __future__ import annotations

import os
import platform

from bench import (
    claims,
    docker,
    idle,
    kubernetes,
    latency,
    listing,
    running,
    stock_agents,
    throughput,
    wandb,
)


def main() -> None:
    """Run them one after another; the machine and its load stand above the figures."""
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load before: {load}\n")
    print("| what | stock agent | wanted | seen |\n| --- | --- | --- | --- |", flush=True)
    parts = (latency, throughput, idle, running, claims, listing, wandb, stock_agents)
    for part in (*parts, kubernetes, docker):
        part.main()


if __name__ == "__main__":
    main()
