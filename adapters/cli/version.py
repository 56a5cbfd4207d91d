"""`version`."""

from __future__ import annotations

import platform
from importlib.metadata import version as version_of

import click

from launchyard.adapters.cli.output import json_option, print_json


@click.command()
@json_option
def version(*, as_json: bool) -> None:
    """Print the version."""
    ours, python = version_of("launchyard"), platform.python_version()
    if as_json:
        print_json({"launchyard": ours, "python": python})
    else:
        click.echo(f"launchyard {ours} (Python {python})")
