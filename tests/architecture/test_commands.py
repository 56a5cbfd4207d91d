"""The commands that pages and units name are those that there are, with their options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from launchyard.adapters.cli.main import launchyard

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder, pattern in (
        (ROOT, "*.md"),
        (ROOT / "docs", "**/*.md"),
        (ROOT / "examples", "**/*.md"),
        (ROOT / "deploy", "**/*.service"),
    )
    for path in folder.glob(pattern)
)


def _said(text: str) -> Iterator[str]:
    """Yield what stands after the program's name, whole or as prose shortens it."""
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    for block in blocks:
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            yield from re.findall(r"^(?:.*[\s/])?launchyard (.*)$", line)
    yield from re.findall(r"^ExecStart=\S*/launchyard (.*)$", text, re.MULTILINE)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    yield from re.findall(r"`launchyard ([^`]+)`", prose)


def wrong(said: str) -> str:
    """Return what the command line would say against these words; values are not looked at."""
    words = shlex.split(re.split(r"[|><;]|&&| #", said)[0])
    command: click.Command = launchyard
    context = click.Context(command, info_name="launchyard")
    while isinstance(command, click.Group) and words and re.fullmatch(r"[a-z][a-z-]+", words[0]):
        inner = command.get_command(context, words[0])
        if inner is None:
            return f"no command {words[0]}"
        command, words = inner, words[1:]
        context = click.Context(command, parent=context, info_name=command.name)
    if command is launchyard:
        return ""  # a placeholder, or the name of the image
    try:
        command.make_parser(context).parse_args(words)
    except click.BadOptionUsage:
        return ""  # prose names options without their values
    except click.UsageError as error:
        return error.format_message()
    return ""


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_commands_that_exist(page: str) -> None:
    """Who copies a line meets no wrong usage."""
    text = (ROOT / page).read_text(encoding="utf-8")
    assert not [(said, why) for said in _said(text) if (why := wrong(said))]


def test_a_command_that_is_not_there_is_seen() -> None:
    """The check can fail."""
    assert wrong("launch --nonsense")
    assert wrong("nonsense")
    assert wrong("keys nonsense --to x")
    assert not wrong("keys create ada --role submitter --to ada.key")
