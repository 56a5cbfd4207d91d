"""What every command says of itself, and what asking for it costs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from launchyard.adapters.cli.codes import Code
from launchyard.adapters.cli.main import COMMANDS, launchyard

_HEAVY = (
    "requests",
    "urllib3",
    "fastapi",
    "starlette",
    "uvicorn",
    "sqlalchemy",
    "pykka",
    "pluggy",
    "yaml",
    "docker",
    "kubernetes",
    "boto3",
    "google.cloud.storage",
    "google.cloud.aiplatform",
    "azure",
    "prometheus_client",
    "multiprocessing",
)
_ROOT = Path(__file__).parents[3]


def _command(name: str) -> click.Command:
    """Return a command of the top level."""
    command = launchyard.get_command(click.Context(launchyard), name)
    assert command is not None
    return command


def _all() -> list[tuple[str, ...]]:
    """Return every command, also those of groups."""
    found: list[tuple[str, ...]] = []
    for name in COMMANDS:
        command = _command(name)
        found.append((name,))
        if isinstance(command, click.Group):
            found += [(name, inner) for inner in command.commands]
    return found


@pytest.mark.parametrize("words", _all(), ids=" ".join)
def test_every_command_explains_itself(words: tuple[str, ...]) -> None:
    """In a first line that is not cut off."""
    done = CliRunner().invoke(launchyard, [*words, "--help"])
    assert done.exit_code == 0, done.output
    assert "Usage: launchyard" in done.output
    assert done.output.splitlines()[2].strip()


def test_the_help_knows_each_command_by_its_own_first_line() -> None:
    """The table beside the names, which saves loading them, does not drift away."""
    for name, (_, line) in COMMANDS.items():
        command = _command(name)
        first = (command.help or "").split("\n\n")[0].replace("\n", " ").partition(":")[0]
        assert first.split()[0] == line.split()[0], name


@pytest.mark.parametrize("words", [["--help"], ["launch", "--help"], ["agent", "--help"]])
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    """No server, no client, no cloud, no YAML."""
    script = (
        "import sys, json\n"
        "from launchyard.__main__ import main\n"
        f"sys.argv = ['launchyard', *{words!r}]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = json.loads(done.stderr.splitlines()[-1])
    heavy = [m for m in loaded for name in _HEAVY if m == name or m.startswith(f"{name}.")]
    assert heavy == []


def test_a_client_command_loads_no_server(stranger: object) -> None:
    """Listing jobs needs requests, and nothing of the server's side."""
    script = (
        "import sys\n"
        "import launchyard.adapters.client.operator, launchyard.adapters.cli.items\n"
        "names = ('fastapi', 'starlette', 'uvicorn', 'sqlalchemy', 'pykka', 'pluggy', 'yaml')\n"
        "print([name for name in names if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_exit_code_and_command_is_documented() -> None:
    """`docs/cli.md` has a row for each code and a heading for each command."""
    text = (_ROOT / "docs" / "cli.md").read_text()
    rows = {int(number) for number in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    assert rows == {int(code) for code in Code}
    for words in _all():
        assert f"`{' '.join(words)}" in text, words


def test_every_option_is_documented() -> None:
    """Each long option stands in `docs/cli.md`."""
    text = (_ROOT / "docs" / "cli.md").read_text()
    for name in COMMANDS:
        command = _command(name)
        inner = command.commands.values() if isinstance(command, click.Group) else [command]
        for one in inner:
            for option in one.params:
                long = [word for word in option.opts if word.startswith("--")]
                assert not long or any(f"`{word}" in text for word in long), (name, long)
