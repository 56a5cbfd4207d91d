"""Every command against the real server, as people and scripts use it."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from launchyard.domain.attempt import AttemptState
from tests.adapters.cli.kit import Driver, Home
from tests.servers import RunningServer


def test_login_keeps_the_key_and_never_prints_it(
    stranger: Home, server: RunningServer, tmp_path: Path
) -> None:
    """The file is its owner's alone; afterwards no flag is needed."""
    key = server.make_key("submitter", user="ada")
    done = stranger.run("login", server.url, "-e", "team", "-q", "main", stdin=f"{key}\n")
    assert done.code == 0, done.err
    assert "as ada (submitter in team)" in done.out
    file = tmp_path / "launchyard" / "contexts.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    launched = stranger.run("launch", "--", "true")
    assert launched.code == 0, launched.err
    assert key not in done.out + done.err + launched.out + launched.err


def test_a_key_that_is_refused_is_not_kept(stranger: Home, server: RunningServer) -> None:
    """Login asks the server first."""
    assert stranger.run("login", server.url, stdin="w" * 40).code == 4
    assert not (stranger.folder / "launchyard").exists()


def test_a_contexts_key_goes_to_its_own_server_alone(stranger: Home, server: RunningServer) -> None:
    """Another address by flag or variable does not get it."""
    key = server.make_key("submitter")
    assert stranger.run("login", server.url, stdin=key).code == 0
    elsewhere = server.url.replace("127.0.0.1", "localhost")
    assert stranger.run("ps", env={"LAUNCHYARD_SERVER": elsewhere}).code == 4


def test_queues_from_making_to_deleting(home: Home) -> None:
    """Configuration comes in YAML from a file or from standard input, and goes out again."""
    made = home.run("queue", "create", "night", "--limit", "2", "--config", "-", stdin="nice: 5\n")
    assert made.code == 0, made.err
    shown = home.run("queue", "show", "night", "--json").json
    assert (shown["config"], shown["limit"], shown["counts"]["waiting"]) == ({"nice": 5}, 2, 0)
    assert home.run("queue", "pause", "night").code == 0
    listed = {queue["name"]: queue for queue in home.run("queue", "list", "--json").json}
    assert listed["night"]["paused"] is True
    assert home.run("queue", "resume", "night").code == 0
    assert "night" in home.run("queue", "list").out
    assert home.run("queue", "delete", "night").code == 0
    assert home.run("queue", "show", "night").code == 5


def test_a_launch_and_what_is_known_of_it(home: Home) -> None:
    """The id alone is on standard output, for scripts; parts of it and @last name it later."""
    done = home.run("launch", "--name", "first", "--env", "A=1", "--", "sh", "-c", "exit 0")
    item = done.out.strip()
    (found,) = home.run("ps", "-q", home.env["LAUNCHYARD_QUEUE"], "--json").json
    assert (found["id"], found["name"], found["state"]) == (item, "first", "queued")
    for name in (item, item[-8:], item[:20], "@last"):
        shown = home.run("show", name, "--json").json
        assert shown["id"] == item
        assert shown["attempts"] == []
    assert shown["spec"]["overrides"]["entry_point"] == ["sh", "-c", "exit 0"]
    assert shown["spec"]["env"] == {"A": "1"}
    assert "first" in home.run("show", item).out
    assert item[-8:] in home.run("ps").out
    why = home.run("why", item, "--json").json
    assert (why["reason"], why["position"]) == ("no_agent", 1)
    assert home.run("cancel", item).out.split() == [item[-8:], "cancelled"]
    assert home.run("ps", "-q", home.env["LAUNCHYARD_QUEUE"], "--json").json == []


def test_the_same_launch_twice_is_one_job(home: Home) -> None:
    """With one idempotency key; another command under it is refused."""
    words = ("launch", "--idempotency-key", home.env["LAUNCHYARD_QUEUE"], "--json", "--")
    first, second = (home.run(*words, "true").lines[0] for _ in range(2))
    assert (first["new"], second["new"]) == (True, False)
    assert first["item"]["id"] == second["item"]["id"]
    assert home.run(*words, "false").code == 6


def test_a_plan_changes_nothing(home: Home, tmp_path: Path) -> None:
    """Neither `plan` nor `--dry-run` puts anything on the queue, or sends code."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").write_text(f"# {home.env}\n")
    words = ("--dir", "code", "-R", '{"env": {"B": "2"}}', "--json", "--", "python", "train.py")
    planned = home.run("plan", *words).json
    assert planned["config"]["env"] == {"B": "2"}
    assert planned["spec"]["overrides"]["entry_point"] == ["python", "train.py"]
    dry = home.run("launch", "--dry-run", *words)
    assert dry.json == planned
    assert "not sent" in dry.err
    assert home.run("ps", "-q", home.env["LAUNCHYARD_QUEUE"], "--all", "--json").json == []


def test_a_plan_is_reviewed(home: Home, tmp_path: Path) -> None:
    """By the rules of this machine's configuration; what would not run ends with an error."""
    here = {"XDG_CONFIG_HOME": str(tmp_path / "etc")}
    (tmp_path / "etc/wandb").mkdir(parents=True)
    (tmp_path / "etc/wandb/launch-config.yaml").write_text("entity: null\nsecure_mode: true\n")
    done = home.run("plan", "--json", "--", "true", env=here)
    assert done.code == 1
    assert done.json["refused"].startswith("refused by secure-mode, rule `entry_point`:")
    assert "would not run" in done.err


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (
            ["--git", "https://host/code.git", "-g", "main", "--path", "sub", "--", "true"],
            {"source": {"git": {"url": "https://host/code.git", "ref": "main", "path": "sub"}}},
        ),
        (["-d", "image:1"], {"docker": {"docker_image": "image:1"}}),
        (
            # The letters of `wandb launch`.
            ["-e", "team", "-E", "python train.py", "--", "--steps", "3"],
            {
                "entity": "team",
                "overrides": {"entry_point": ["python", "train.py"], "args": ["--steps", "3"]},
            },
        ),
        (["-p", "proj", "--timeout", "60", "--", "true"], {"project": "proj", "timeout_s": 60}),
    ],
)
def test_flags_become_a_spec(home: Home, words: list[str], part: dict[str, object]) -> None:
    """As the spec is documented."""
    done = home.run("plan", "--json", *words)
    assert done.code == 0, done.err
    assert {key: done.json["spec"][key] for key in part} == part


def test_a_spec_from_a_file_is_overridden_by_flags(home: Home, tmp_path: Path) -> None:
    """JSON or YAML; what the flags do not say stays."""
    spec = {"project": "p", "name": "from file", "priority": 2, "env": {"A": "1"}}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    words = ("plan", "-c", "spec.json", "--name", "mine", "--env", "B=2", "--json", "--", "true")
    planned = home.run(*words).json
    found = planned["spec"]
    assert (found["name"], planned["priority"], found["project"]) == ("mine", "medium", "p")
    assert found["env"] == {"A": "1", "B": "2"}


def test_outputs_are_listed_and_fetched(home: Home, driver: Driver, tmp_path: Path) -> None:
    """Folders are kept; files arrive whole."""
    home.run("launch", "--", "true")
    item = driver.claim()
    driver.tell(AttemptState.RUNNING)
    driver.output("metrics.json", b"{}\n")
    driver.output("plots/a b.png", b"\x89PNG" * 1000)
    driver.end()
    listed = home.run("outputs", item, "--json").json
    assert {file["path"] for file in listed} == {"metrics.json", "plots/a b.png"}
    assert home.run("outputs", item, "--get", "here").code == 0
    assert (tmp_path / "here" / "plots" / "a b.png").read_bytes() == b"\x89PNG" * 1000


def test_keys_are_told_once(home: Home, tmp_path: Path) -> None:
    """On standard output alone, or in a file; the list has no texts; a revoked one is refused."""
    made = home.run("keys", "create", "bob", "--role", "viewer", "--label", "laptop", "--json").json
    home.run("keys", "create", "eve", "--to", "eve.key")
    assert stat.S_IMODE((tmp_path / "eve.key").stat().st_mode) == 0o600
    listed = home.run("keys", "list")
    assert made["key"] not in listed.out
    assert "laptop" in listed.out
    bob = {"LAUNCHYARD_KEY": made["key"]}
    assert home.run("ps", env=bob).code == 0
    refused = home.run("launch", "--", "true", env=bob)
    assert refused.code == 4, refused.err
    assert home.run("keys", "revoke", made["id"]).code == 0
    assert home.run("ps", env=bob).code == 4


def test_a_key_is_made_once_its_file_is_open_and_for_its_owner_s_eyes_alone(
    home: Home, tmp_path: Path
) -> None:
    """Also where a file that others can read is there; a path that cannot be leaves no key."""
    old = tmp_path / "old.key"
    old.write_text("old")
    old.chmod(0o644)
    name = f"u{home.env['LAUNCHYARD_QUEUE']}"
    assert home.run("keys", "create", name, "--to", "old.key").code == 0
    assert stat.S_IMODE(old.stat().st_mode) == 0o600
    assert len(old.read_text().strip()) >= 40
    for place in ("nowhere/new.key", "."):
        failed = home.run("keys", "create", name, "--to", place)
        assert failed.code == 2, failed.err
        assert "cannot be written" in failed.err
        assert "no key was made" in failed.err
    assert [key["user"] for key in home.run("keys", "list", "--json").json].count(name) == 1
    assert not list(tmp_path.glob(".*key-*"))


def test_entities_are_made_and_listed(home: Home) -> None:
    """A person's entity too."""
    name = f"e{home.env['LAUNCHYARD_QUEUE']}"
    assert home.run("entity", "create", name, "--kind", "personal").code == 0
    assert name in home.run("entity", "list").out
    assert home.run("entity", "create", name).code == 6


def test_agents_are_listed_and_drained(home: Home, driver: Driver) -> None:
    """By name; one that is not there is exit code 5."""
    found = {agent["name"]: agent for agent in home.run("agents", "--json").json}
    assert found[driver.name]["online"] is True
    assert driver.name in home.run("agents").out
    assert "resume" in home.run("pause", driver.name).out
    assert "paused" in home.run("agents").out
    assert home.run("resume", driver.name, "--json").json["paused"] is False
    assert home.run("drain", driver.name, "--json").json["name"] == driver.name
    assert home.run("drain", "nobody").code == 5


def test_the_configuration_is_judged_whole(stranger: Home, tmp_path: Path) -> None:
    """All problems with their lines, by `config check` and by `agent` alike; exit code 3."""
    (tmp_path / "bad.yaml").write_text("queues: [q]\nmax_jobs: many\nbulder: {}\n")
    for words in (("config", "check"), ("agent",)):
        done = stranger.run(*words, "-c", "bad.yaml")
        assert done.code == 3
        assert "bad.yaml:2: max_jobs" in done.err
        assert "bad.yaml:3: bulder" in done.err
        assert "did you mean `builder`" in done.err
    problems = stranger.run("config", "check", "-c", "bad.yaml", "--json").json
    assert [problem["path"] for problem in problems] == [["max_jobs"], ["bulder"]]


def test_the_configuration_is_shown_with_origins(stranger: Home, tmp_path: Path) -> None:
    """File, variable and default; the file is found where W&B looks."""
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "launch-config.yaml").write_text("entity: mine\nmax_jobs: 3\n")
    env = {"LAUNCHYARD_AGENT_MAX_JOBS": "7"}
    rows = stranger.run("config", "show", "--origin", "--json", env=env).json
    found = {row["key"]: row for row in rows}
    assert found["entity"]["origin"].endswith("launch-config.yaml:1")
    assert (found["max_jobs"]["value"], found["max_jobs"]["origin"]) == (
        "7",
        "env:LAUNCHYARD_AGENT_MAX_JOBS",
    )
    assert "max_jobs: 7" in stranger.run("config", "show", env=env).out
    assert stranger.run("config", "schema").json["type"] == ["object", "null"]
    assert stranger.run("config", "check", "-c", "nosuch.yaml").code == 3


def test_an_agent_without_a_queue_is_told_so(home: Home) -> None:
    """Exit code 3, with the flag."""
    done = home.run("agent", env={"LAUNCHYARD_QUEUE": ""})
    assert (done.code, "launchyard agent -q" in done.err) == (3, True)


def test_plugins_and_version(stranger: Home) -> None:
    """Need no server."""
    listed = stranger.run("plugins", "--json").json
    assert all(plugin["state"] == "on" for plugin in listed)
    assert stranger.run("version", "--json").json["launchyard"]
