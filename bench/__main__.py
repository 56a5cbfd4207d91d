"""Run every benchmark and print one table."""

from __future__ import annotations

import os
import platform

from bench import claims, idle, kubernetes, latency, listing, running, throughput, wandb


def main() -> None:
    """Run them one after another; the machine and its load stand above the figures."""
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load before: {load}\n")
    print("| what | stock agent | wanted | seen |\n| --- | --- | --- | --- |", flush=True)
    for part in (latency, throughput, idle, running, claims, listing, wandb, kubernetes):
        part.main()


if __name__ == "__main__":
    main()
