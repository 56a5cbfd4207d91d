"""`login`: keep a server's address and key as a context."""

from __future__ import annotations

import re
import sys

import click

from launchyard.adapters.cli.codes import Code
from launchyard.adapters.cli.contexts import Context, checked_key, checked_url, read_key
from launchyard.adapters.cli.errors import CommandError
from launchyard.adapters.cli.session import Session


@click.command()
@click.argument("url", required=False)
@click.option("--key-file", metavar="FILE", help="File with the key; else you are asked.")
@click.option("-e", "--entity", default="", help="Team or person to use when none is named.")
@click.option("-q", "--queue", default="", help="Queue to use when none is named.")
@click.option("--name", default="", help="The context's name; else made of the address.")
@click.option("--use", metavar="NAME", help="Use a login of before from now on; takes no URL.")
@click.pass_obj
def login(
    session: Session,
    *,
    url: str | None,
    key_file: str | None,
    entity: str,
    queue: str,
    name: str,
    use: str | None,
) -> None:
    """Keep the address and the key of the server at URL, and use them from now on.

    The key is checked with the server first, kept in a file that only you can read, and never
    printed.
    """
    if bool(use) is bool(url):
        raise click.UsageError("Give a URL to log in to, or --use and the name of a login.")
    if use:
        session.contexts.use(use)
        click.echo(f"commands use {use} from now on")
        return
    address = checked_url(url or "")
    context = Context(url=address, key=_key(session, key_file), entity=entity, queue=queue)
    me = session.programs.operator(address, context.key).me()
    session.contexts.save(name or re.sub(r"^https?://", "", address), context)
    roles = ", ".join(f"{role} in {where}" for where, role in sorted(me.roles.items()))
    everywhere = f"{me.everywhere} everywhere" if me.everywhere else ""
    click.echo(f"logged in to {address} as {me.user} ({everywhere or roles or 'no role yet'})")


def _key(session: Session, file: str | None) -> str:
    if file:
        return read_key(file)
    if key := session.environment.get("LAUNCHYARD_KEY", "").strip():
        return checked_key(key, "LAUNCHYARD_KEY")
    if named := session.environment.get("LAUNCHYARD_KEY_FILE", ""):
        return read_key(named)
    if sys.stdin.isatty():
        return checked_key(click.prompt("Key", hide_input=True, err=True).strip(), "what you typed")
    text = sys.stdin.readline().strip()
    if not text:
        raise CommandError(
            "there is no key to log in with",
            "no --key-file, no LAUNCHYARD_KEY, and nothing on standard input",
            "`launchyard login URL --key-file FILE`",
            code=Code.AUTH,
        )
    return checked_key(text, "standard input")
