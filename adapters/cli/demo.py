"""`demo`: a server, an agent and a training job, from the folder to the result."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from launchyard.adapters.cli.codes import Code
from launchyard.adapters.cli.contexts import Asked, Context
from launchyard.adapters.cli.errors import CommandError
from launchyard.adapters.cli.folders import state_folder
from launchyard.adapters.cli.follow import follow
from launchyard.adapters.cli.launching import Wanted, launch_of
from launchyard.adapters.cli.live import view_for
from launchyard.adapters.cli.output import duration, json_option, size
from launchyard.adapters.cli.outputs import fetch
from launchyard.adapters.cli.session import Session
from launchyard.adapters.cli.yard import ENTITY, QUEUE, Plan, Yard, free_port
from launchyard.ports.operator import Operator
from launchyard.ports.records import ItemView

_USUAL: Final = "examples/digits"
_SCRIPT: Final = "train.py"
_REQUIREMENTS: Final = ("requirements.txt", "requirements.frozen.txt", "pyproject.toml")
_TINY: Final = '''\
"""Find pi with darts: a job that needs nothing but Python."""

import json
import os
import random
from pathlib import Path

random.seed(0)
hits, thrown = 0, 0
for step in range(1, 11):
    for _ in range(50_000):
        hits += random.random() ** 2 + random.random() ** 2 <= 1
    thrown += 50_000
    print(f"step {step:>2}/10  pi is about {4 * hits / thrown:.4f}", flush=True)

metrics = {"pi": round(4 * hits / thrown, 4), "darts": thrown}
output = Path(os.environ["LAUNCHYARD_OUTPUT"])
(output / "metrics.json").write_text(json.dumps(metrics))
'''


@click.command()
@click.option("--dir", "folder", metavar="DIR", help=f"The job's folder; ./{_USUAL} if there.")
@click.option("--state-dir", metavar="DIR", help="Else below XDG_STATE_HOME; kept, see below.")
@json_option
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def demo(
    session: Session,
    *,
    folder: str | None,
    state_dir: str | None,
    as_json: bool,
    command: Sequence[str],
) -> int:
    """Run a real training job from its folder to its result, and stop everything again.

    Needs no service: server and agent run for this one job on free ports. What they keep stays,
    so that a second run finds the job's environment and starts at once.
    """
    began = time.monotonic()
    state = Path(state_dir).absolute() if state_dir else state_folder(session.environment) / "demo"
    plan = Plan(
        state=state, port=free_port(), operations_port=0, max_jobs=os.cpu_count() or 1, drain_s=15
    )
    with _folder(folder) as source, Yard(session.programs, plan) as yard:
        context = yard.start_server()
        _use(session, context)
        yard.start_agent(session.operator)
        click.echo(
            f"server and agent are ready after {duration(time.monotonic() - began)}", err=True
        )
        wanted = Wanted(folder=source, name="demo", command=tuple(command) or _command(source))
        item, _ = session.operator.submit(launch_of(session, wanted))
        code = follow(session.operator, item, view_for(session.environment, as_json=as_json))
        if code == Code.OK and not as_json:
            _show_result(session.operator, item, state / "outputs")
    if code == Code.OK:
        click.echo(f"the demo took {duration(time.monotonic() - began)}", err=True)
    return code


def _command(folder: str) -> tuple[str, str]:
    """Return the usual command; where no requirements bring a Python, ours has to do."""
    built = any(Path(folder, name).is_file() for name in _REQUIREMENTS)
    return ("python" if built else sys.executable, _SCRIPT)


def _use(session: Session, context: Context) -> None:
    """Let the rest of the command speak to the demo's own server, whatever is set elsewhere."""
    session.asked = Asked(server=context.url, entity=ENTITY, queue=QUEUE)
    session.context = context


def _show_result(operator: Operator, item: ItemView, into: Path) -> None:
    """Fetch the outputs, and print the numbers that the job left."""
    for file in operator.outputs(item.id):
        path = fetch(operator, item.id, file, into)
        click.echo(f"  {path} ({size(file.size_b)})")
        if path.name == "metrics.json":
            for name, value in _numbers(path).items():
                click.echo(f"    {name}: {value}")


def _numbers(file: Path) -> dict[str, object]:
    try:
        found = json.loads(file.read_text())
    except ValueError:
        return {}
    plain = found if isinstance(found, dict) else {}
    return {k: v for k, v in plain.items() if isinstance(v, (int, float, str))}


@contextmanager
def _folder(given: str | None) -> Iterator[str]:
    """Give the job's folder; a tiny job of its own where there is no example at hand."""
    if given is not None:
        if not Path(given).is_dir():
            raise CommandError(f"{given} is no folder", "", "check --dir", code=Code.USAGE)
        yield given
    elif Path(_USUAL, _SCRIPT).is_file():
        yield _USUAL
    else:
        with tempfile.TemporaryDirectory(prefix="launchyard-demo-") as made:
            Path(made, _SCRIPT).write_text(_TINY)
            yield made
