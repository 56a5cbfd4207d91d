"""The command `launchyard`: finds the command that was named, and has the last word on errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import click

from launchyard.adapters.cli.codes import Code
from launchyard.ports.programs import Programs

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "up": ("up", "Start a server and an agent on this machine."),
    "demo": ("demo", "Run a real training job from its folder to its result."),
    "launch": ("launch", "Put a job on a queue."),
    "ps": ("items", "List what waits, runs and has ended."),
    "show": ("items", "Show all that is known of one job."),
    "why": ("items", "Say why a job waits."),
    "cancel": ("items", "End a job."),
    "priority": ("priority", "Move a waiting job."),
    "retry": ("retrying", "Try a job again that has ended, or let a delayed one go."),
    "duplicate": ("retrying", "Put a job on its queue once more, as a new one."),
    "dead-letters": ("retrying", "List and replay jobs that failed for good."),
    "logs": ("logs", "Print a job's log, as it comes with -f."),
    "outputs": ("outputs", "List or fetch the files that a job left."),
    "plan": ("launch", "Show what a launch would put on its queue; changes nothing."),
    "queue": ("queue", "Make, apply, list, pause and delete queues."),
    "entity": ("entity", "Make and list teams and people."),
    "agents": ("agents", "List agents."),
    "drain": ("agents", "Ask an agent to hand over its work and stop."),
    "pause": ("agents", "Let an agent take nothing new."),
    "resume": ("agents", "Let a paused agent take work again."),
    "login": ("login", "Keep the address and the key of a server."),
    "keys": ("keys", "Make, list and revoke keys."),
    "secret": ("secret", "Set, list and remove secrets."),
    "server": ("server", "Be a server; back it up, and restore it."),
    "gc": ("gc", "Take away what was kept long enough."),
    "agent": ("agent", "Be an agent: take jobs from queues and run them."),
    "config": ("config", "Check and explain an agent's configuration."),
    "plugins": ("plugins", "List the plugins of this installation."),
    "version": ("version", "Print the version."),
}
"""Each command with its module here and its line in the help."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a command is made its session of."""

    programs: Programs
    environment: Mapping[str, str]


class LazyGroup(click.Group):
    """A group that loads a command's module when the command is used, and not for its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"launchyard.adapters.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches  # noqa: PLC0415 - only slips need it

            near = get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            ctx.fail(f"No such command `{args[0]}`.{hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Give the command its session, which help never needs."""
        from launchyard.adapters.cli.session import Session  # noqa: PLC0415 - see above

        if isinstance(ctx.obj, Given):
            ctx.obj = Session(ctx.obj.programs, ctx.obj.environment)
        return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every listing has --json. Exit codes are in docs/cli.md.",
)
def launchyard() -> None:
    """Put machine-learning jobs on queues and run them anywhere."""


def run(programs: Programs, arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Carry out one command; return its exit code. No error leaves, and no traceback is shown."""
    try:
        code = launchyard.main(
            args=list(arguments),
            prog_name="launchyard",
            obj=Given(programs, environment),
            standalone_mode=False,
            color=_color(environment),
        )
    except click.ClickException as error:
        error.show()
        return Code.USAGE if isinstance(error, click.UsageError) else Code.ERROR
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return Code.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last resort
        from launchyard.adapters.cli.errors import told, unexpected  # noqa: PLC0415

        known = told(error) or unexpected(error, environment)
        known.show()
        return int(known.code)
    return _code(code)


def _code(result: Any) -> int:
    return int(result) if isinstance(result, int) else Code.OK


def _color(environment: Mapping[str, str]) -> bool | None:
    """Return whether to use colours; None leaves it to whether a terminal is there."""
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return False
    return True if environment.get("FORCE_COLOR") else None
