"""Queues from files, template variables and priorities, from the command line."""

from __future__ import annotations

from collections.abc import Iterator

from tests.adapters.cli.kit import Home

FILE = """
queues:
  - name: {name}
    resource: local-process
    mode: priority
    limit: 3
    template_variables:
      threads: {{type: integer, minimum: 1, maximum: 8, default: 2}}
      data: {{type: string, enum: [small, full]}}
    config:
      env: {{THREADS: "{{{{threads}}}}", DATA: "/data/{{{{data}}}}"}}
"""


def _file(home: Home, numbers: Iterator[int]) -> tuple[str, str]:
    name = f"applied{next(numbers)}"
    (home.folder / "queues.yaml").write_text(FILE.format(name=name))
    return name, "queues.yaml"


def test_a_file_is_applied_once_and_shown_again(home: Home, numbers: Iterator[int]) -> None:
    """A dry run says what would change and changes nothing; what is shown goes in again."""
    name, file = _file(home, numbers)
    dry = home.run("queue", "apply", "-f", file, "--dry-run")
    assert (dry.code, home.run("queue", "show", name).code) == (9, 5)
    assert f"team/{name} would be made" in dry.out
    assert "  + limit: 3" in dry.out
    assert home.run("queue", "apply", "-f", file).code == 0
    again = home.run("queue", "apply", "-f", file, "--dry-run")
    assert (again.code, again.out) == (0, f"team/{name} is as the file says\n")
    shown = home.run("queue", "show", name, "--yaml").out
    assert home.run("queue", "apply", "-f", "-", "--dry-run", stdin=shown).code == 0
    home.run("queue", "pause", name)
    changed = shown.replace("limit: 3", "limit: 4").replace("maximum: 8", "maximum: 9")
    done = home.run("queue", "apply", "-f", "-", "--json", stdin=changed)
    assert done.code == 0, done.err
    [step] = done.json
    assert {one["path"]: (one["old"], one["new"]) for one in step["changes"]} == {
        "limit": (3, 4),
        "template_variables.threads.schema.maximum": (8, 9),
    }
    found = home.run("queue", "show", name, "--json").json
    assert (found["limit"], found["paused"], found["mode"]) == (4, True, "priority")


def test_a_wrong_file_changes_nothing(home: Home, numbers: Iterator[int]) -> None:
    """All queues are looked at before the first is changed, and slips of the pen are named."""
    good, file = _file(home, numbers)
    text = (home.folder / file).read_text()
    wrong = text + "  - {name: other, resource: local-process, config: {nise: 3}, limt: 2}\n"
    slip = home.run("queue", "apply", "-f", "-", stdin=wrong)
    assert slip.code == 3
    assert "queues[1]: a queue has no `limt`" in slip.err
    assert "did you mean `limit`?" in slip.err
    text = text.replace("{{data}}", "{{dota}}").replace("maximum: 8", "maximum: 0")
    refused = home.run("queue", "apply", "-f", "-", stdin=text)
    assert refused.code == 3
    assert "template_variables.threads" in refused.err
    assert home.run("queue", "show", good).code == 5


def test_what_would_be_refused_is_found_before_the_first_change(
    home: Home, numbers: Iterator[int]
) -> None:
    """A dry run finds it, too; what is changed is said before it is."""
    name, file = _file(home, numbers)
    made = home.run("queue", "apply", "-f", file)
    assert (made.code, made.out.splitlines()[0]) == (0, f"team/{name} is being made")
    assert home.run("launch", "-q", name, "-P", "low", "-v", "data=full", "--", "true").code == 0
    fifo = (home.folder / file).read_text().replace("mode: priority", "mode: fifo")
    both = fifo.replace("queues:", "queues:\n  - {name: first, resource: local-process}")
    for more in ((), ("--dry-run",)):
        refused = home.run("queue", "apply", "-f", "-", *more, stdin=both)
        assert "priority low" in refused.err
        assert (refused.code in {0, 9}, refused.out) == (False, "")
    assert home.run("queue", "show", "first").code == 5


def test_launches_choose_values_and_urgency(home: Home, numbers: Iterator[int]) -> None:
    """Values take their variable's type; all that is wrong is told at once; `ps` says who waits."""
    name, file = _file(home, numbers)
    home.run("queue", "apply", "-f", file)
    here = {"LAUNCHYARD_QUEUE": name}
    wrong = home.run("launch", "-v", "threads=9", "-v", "date=full", "--", "true", env=here)
    assert wrong.code == 3
    assert "template_variables.threads: must be at most 8" in wrong.err
    assert "did you mean `data`?" in wrong.err
    over = ("-R", '{"env": {"THREADS": "64"}}')
    locked = home.run("launch", "-v", "data=full", *over, "--", "true", env=here)
    assert locked.code == 3
    assert "template variable `threads` stands there" in locked.err
    launch = ("launch", "-v", "data=full", "-v", "threads=4")
    planned = home.run("plan", *launch[1:], "--json", "--", "true", env=here).json
    assert planned["config"]["env"] == {"THREADS": 4, "DATA": "/data/full"}
    first, second = (
        home.run(*launch, *more, "--", "true", env=here).out.strip()
        for more in ((), ("-P", "high"))
    )
    assert home.run("why", second, "--json").json["position"] == 1
    moved = home.run("priority", first, "critical")
    assert moved.out.split(maxsplit=1) == [first[-8:], "critical, number 1 in line\n"]
    listed = home.run("ps", "-q", name, "--json").json
    assert [(one["id"], one["priority"], one["waits"]) for one in listed] == [
        (second, 1, "no_agent"),
        (first, 0, "no_agent"),
    ]
    assert "no_agent" in home.run("ps", "-q", name).out


def test_a_fifo_queue_refuses_urgency(home: Home) -> None:
    """With the remedy, at the launch and later; the default goes through, as W&B's sweeps need."""
    assert home.run("launch", "-P", "high", "--", "true").code == 3
    item = home.run("launch", "-P", "medium", "--", "true").out.strip()
    moved = home.run("priority", item, "high")
    assert moved.code == 6
    assert "mode: priority" in moved.err
