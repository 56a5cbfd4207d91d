"""The status page: what a person wants to see of an agent at one look."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final

from launchyard.ports.agent_status import (
    ActorView,
    AgentStatus,
    AttemptView,
    CircuitView,
    ErrorView,
    LimitView,
    OrphanView,
)

_CSS: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --good: #1a7f37; --bad: #cf222e;
  --warn: #9a6700; --quiet: #6e7781; }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --bad: #f85149; --warn: #d29922;
  --quiet: #8b949e; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .4rem; }
p { margin: .2rem 0; } .quiet { color: var(--quiet); }
.state { display: inline-block; padding: 0 .6rem; border-radius: 1rem; font-size: .85rem;
  font-weight: 600; border: 1px solid currentColor; vertical-align: .15rem; margin-left: .5rem; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .25rem .7rem
  .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; font-size: .85rem; color: var(--quiet); }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
ul { list-style: none; margin: 0; padding-left: 1.3rem; border-left: 1px solid var(--line); }
ul.root { padding: 0; border: 0; } li { padding: .12rem 0; }
.bar { height: .5rem; width: 12rem; background: var(--soft); border-radius: 1rem;
  overflow: hidden; margin-top: .5rem; }
table.slots { width: auto; }
.bar i { display: block; height: 100%; background: var(--good); }
"""
_FOOT: Final = (
    '<p class="quiet">The same as <a href="/status.json">JSON</a>, the '
    '<a href="/metrics">metrics</a>, <a href="/readyz?verbose">ready</a>.</p>'
)
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86400
_STATES: Final = {"running": "good", "draining": "warn", "paused": "warn", "starting": "warn"}
_MANY: Final = 200


def status_html(status: AgentStatus, now_ms: int) -> str:
    """Return the page; every text in it is escaped, and it loads itself again every 5 s."""
    body = "\n".join(
        (
            *_head(status, now_ms),
            *_limits(status.limits),
            *_attempts(status.attempts, now_ms),
            *_circuits(status.circuits),
            *_orphans(status.orphans),
            *_actors(status.actors),
            *_errors(status.errors, now_ms),
            _FOOT,
        )
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        '<meta http-equiv="refresh" content="5">'
        f"<title>{escape(status.name or 'agent')}: {escape(status.state)}</title>"
        f"<style>{_CSS}</style></head><body>\n{body}\n</body></html>\n"
    )


def _head(status: AgentStatus, now_ms: int) -> Iterator[str]:
    look = _STATES.get(status.state, "bad")
    yield (
        f"<h1>{escape(status.name or 'agent')}"
        f'<span class="state {look}">{escape(status.state)}</span></h1>'
    )
    queues = ", ".join(escape(queue) for queue in status.queues) or "none"
    yield f"<p>Queues: <b>{queues}</b> on <code>{escape(status.server)}</code></p>"
    if not status.ready:
        yield f'<p class="bad">Takes no work: {escape(status.why or status.state)}</p>'
    yield (
        f'<p class="quiet">version {escape(status.version)} · up {_ago(status.started_ms, now_ms)}'
        f" · leases hold for {status.lease_s:.0f} s · {status.outbox} reports to send"
        f" · <code>{escape(status.agent)}</code></p>"
    )


def _limits(limits: Sequence[LimitView]) -> Iterator[str]:
    if not limits:
        return
    yield "<h2>Slots</h2><table class=slots>"
    for one in limits:
        bound = "no limit" if one.limit < 0 else str(one.limit)
        share = min(100, 100 * one.used // one.limit) if one.limit > 0 else 0
        bar = f'<div class="bar"><i style="width:{share}%"></i></div>' if one.limit > 0 else ""
        yield f"<tr><td>{escape(one.kind)}</td><td>{one.used} of {bound}</td><td>{bar}</td></tr>"
    yield "</table>"


def _attempts(attempts: Sequence[AttemptView], now_ms: int) -> Iterator[str]:
    yield f"<h2>Attempts <span class=quiet>{len(attempts)}</span></h2>"
    if not attempts:
        yield '<p class="quiet">None: this agent waits for work.</p>'
        return
    yield _row("th", ("item", "queue", "target", "state", "since", "where"), "<table>")
    for one in attempts[:_MANY]:
        place = f"<code>{escape(one.place)}</code> {escape(one.detail)}"
        yield (
            f"<tr><td><code>{escape(one.item)}</code> #{one.attempt}</td>"
            f"<td>{escape(one.queue)}</td><td>{escape(one.target)}</td>"
            f"<td>{escape(one.state)}</td><td>{_ago(one.since_ms, now_ms)}</td>"
            f"<td>{place}</td></tr>"
        )
    yield "</table>"
    if len(attempts) > _MANY:
        yield f'<p class="quiet">and {len(attempts) - _MANY} more, all in the JSON.</p>'


def _circuits(circuits: Sequence[CircuitView]) -> Iterator[str]:
    shown = [one for one in circuits if one.detail]
    if not shown:
        return
    yield "<h2>Targets that fail</h2>"
    yield _row("th", ("target", "circuit", "opened", ""), "<table>")
    for one in shown:
        yield (
            f"<tr><td>{escape(one.target)}</td><td>{escape(one.state)}</td>"
            f"<td>{one.trips} times</td><td>{escape(one.detail)}</td></tr>"
        )
    yield "</table>"


def _orphans(orphans: Sequence[OrphanView]) -> Iterator[str]:
    if not orphans:
        return
    yield f"<h2>Orphans <span class=quiet>{len(orphans)}</span></h2>"
    yield "<p class=quiet>On a target and ours, but no attempt's that is known; they are left.</p>"
    yield _row("th", ("item", "target", "state", "where"), "<table>")
    for one in orphans[:_MANY]:
        yield (
            f"<tr><td><code>{escape(one.item)}</code> #{one.attempt}</td>"
            f"<td>{escape(one.target)}</td><td>{escape(one.state)}</td>"
            f"<td><code>{escape(one.place)}</code></td></tr>"
        )
    yield "</table>"


def _actors(actors: Sequence[ActorView]) -> Iterator[str]:
    """Yield the tree; an actor whose parent is not there hangs under the root."""
    if not actors:
        return
    yield "<h2>Processes and actors</h2>"
    names = {actor.name for actor in actors}
    yield from _branch(actors, [a for a in actors if a.parent not in names], "root", set())


def _branch(
    actors: Sequence[ActorView], level: Sequence[ActorView], look: str, above: set[str]
) -> Iterator[str]:
    yield f'<ul class="{look}">'
    for actor in level:
        yield f"<li>{_actor(actor)}"
        below = [a for a in actors if a.parent == actor.name and a.name not in above | {actor.name}]
        if below:
            yield from _branch(actors, below, "", above | {actor.name})
        yield "</li>"
    yield "</ul>"


def _actor(actor: ActorView) -> str:
    dead = "" if actor.alive else ' <span class="bad">dead</span>'
    waiting = f' <span class="warn">{actor.mailbox} waiting</span>' if actor.mailbox else ""
    again = f' <span class="warn">restarted {actor.restarts}×</span>' if actor.restarts else ""
    doing = f" {escape(actor.doing)}" if actor.doing else ' <span class="quiet">idle</span>'
    return (
        f'<b>{escape(actor.name)}</b> <span class="quiet">{escape(actor.process)}</span>'
        f"{dead}{again}{waiting} ·{doing}"
    )


def _errors(errors: Sequence[ErrorView], now_ms: int) -> Iterator[str]:
    if not errors:
        return
    yield "<h2>Trouble</h2>"
    yield _row("th", ("where", "what", "times", "last"), "<table>")
    for one in errors:
        yield (
            f"<tr><td>{escape(one.where)}</td><td>{escape(one.message)}</td>"
            f"<td>{one.times}</td><td>{_ago(one.at_ms, now_ms)} ago</td></tr>"
        )
    yield "</table>"


def _row(cell: str, texts: Iterable[str], before: str = "") -> str:
    cells = "".join(f"<{cell}>{escape(text)}</{cell}>" for text in texts)
    return f"{before}<tr>{cells}</tr>"


def _ago(then_ms: int, now_ms: int) -> str:
    """Return the time between in two units at most."""
    seconds = max(0, now_ms - then_ms) // 1000
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min {seconds % _MINUTE} s"
    if seconds < _DAY:
        return f"{seconds // _HOUR} h {seconds % _HOUR // _MINUTE} min"
    return f"{seconds // _DAY} d {seconds % _DAY // _HOUR} h"
