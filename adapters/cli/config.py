"""`config check|show|schema`: the agent's configuration, judged and explained."""

from __future__ import annotations

import json

import click

from launchyard.adapters.cli.codes import Code
from launchyard.adapters.cli.output import json_option, print_json, print_table
from launchyard.adapters.cli.session import Session
from launchyard.domain.config.check import Checked
from launchyard.domain.config.problem import Severity
from launchyard.domain.config.show import as_document, with_origins
from launchyard.ports.programs import ConfigRequest


@click.group()
def config() -> None:
    """Check and explain an agent's configuration."""


file_option = click.option(
    "-c", "--config", "file", default="", metavar="FILE", help="The file; else the usual places."
)


@config.command()
@file_option
@json_option
@click.pass_obj
def check(session: Session, *, file: str, as_json: bool) -> int:
    """Tell everything that is wrong, each with its file and line, and the remedy."""
    checked = session.programs.check_config(ConfigRequest(file=file))
    if as_json:
        print_json([_problem(checked, n) for n in range(len(checked.problems))])
    else:
        print_problems(checked)
        if not checked.errors:
            warnings = sum(p.severity is Severity.WARNING for p in checked.problems)
            click.echo("the configuration is good" + f", {warnings} warnings" * bool(warnings))
    return Code.CONFIG if checked.errors else Code.OK


@config.command()
@file_option
@click.option("--origin", is_flag=True, help="Where each value is from.")
@json_option
@click.pass_obj
def show(session: Session, *, file: str, origin: bool, as_json: bool) -> int:
    """Print the values in force."""
    checked = session.programs.check_config(ConfigRequest(file=file))
    if checked.errors:
        print_problems(checked)
        return Code.CONFIG
    if origin:
        rows = with_origins(checked.settings)
        if as_json:
            print_json([dict(zip(("key", "value", "origin"), row, strict=True)) for row in rows])
        else:
            print_table(("KEY", "VALUE", "ORIGIN"), rows, "nothing")
        return Code.OK
    document = as_document(checked.settings)
    if as_json:
        print_json(document)
    else:
        click.echo(session.programs.write_document(document), nl=False)
    return Code.OK


@config.command()
@click.pass_obj
def schema(session: Session) -> None:
    """Print the JSON Schema of the file, for editors."""
    click.echo(json.dumps(session.programs.config_schema(), indent=2, ensure_ascii=False))


def print_problems(checked: Checked) -> None:
    """Print every problem on standard error, errors in red."""
    for problem in checked.problems:
        red = problem.severity is Severity.ERROR
        first, *rest = problem.text.splitlines()
        word, _, what = first.partition(": ")
        click.echo(click.style(f"{word}: ", fg="red" if red else "yellow") + what, err=True)
        for line in rest:
            click.echo(line, err=True)


def _problem(checked: Checked, number: int) -> dict[str, object]:
    problem = checked.problems[number]
    return {
        "severity": problem.severity.value,
        "where": problem.where,
        "path": list(problem.path),
        "message": problem.message,
        "allowed": problem.allowed,
        "hint": problem.hint,
    }
