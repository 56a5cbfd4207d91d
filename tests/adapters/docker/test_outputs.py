"""Outputs of containers, fetched after the end from an engine of the tests' own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from launchyard.adapters.docker.client import Engine
from launchyard.adapters.docker.engine import Address
from launchyard.adapters.docker.outputs import Limits, Outputs
from launchyard.adapters.docker.runner import DockerRunner
from launchyard.domain.attempt import AttemptState
from launchyard.domain.documents import Json
from launchyard.domain.reason import Reason
from launchyard.ports.runner import Handle, RunnerError
from tests.adapters.docker.launches import end, launch
from tests.adapters.docker.plans import script_plan
from tests.programs import until
from tests.rig.dockerd import Docker


def outputs(runner: DockerRunner, handle: Handle) -> list[str]:
    """Return the outputs of *handle* once they are here."""
    return arrived(lambda: runner.outputs(handle))


def arrived(ask: Callable[[], Sequence[str]]) -> list[str]:
    """Ask until what is on its way is here."""
    found: list[str] = []

    def here() -> bool:
        try:
            found[:] = ask()
        except RunnerError as e:
            if not e.retry:
                raise
            return False
        return True

    until(here, "outputs")
    return found


def ended(runner: DockerRunner, script: str, config: Json = None) -> Handle:
    """Run a script in the output folder to its success."""
    handle = runner.submit(launch(f'cd "$LAUNCHYARD_OUTPUT"; {script}', config))
    seen = end(runner, handle)
    assert seen.state is AttemptState.SUCCEEDED, seen
    return handle


def test_files_are_fetched_whole_and_again(
    docker: Docker, runner: DockerRunner, tmp_path: Path
) -> None:
    """Any user's job leaves files; another process fetches them anew; in the end none stays."""
    script = "echo one >a.txt; mkdir -p deep/er; yes | head -c 3000000 >deep/er/b"
    handle = ended(runner, script, {"user": "1234:1234"})
    assert outputs(runner, handle) == ["a.txt", "deep/er/b"]
    root = Path(runner.output_root(handle))
    assert root.joinpath("a.txt").read_text() == "one\n"
    with closing(DockerRunner(Address(url=f"unix://{docker.socket}"), str(tmp_path))) as again:
        assert not root.exists()
        assert outputs(again, handle) == ["a.txt", "deep/er/b"]
        assert root.joinpath("deep/er/b").read_bytes() == b"y\n" * 1_500_000
        again.remove(handle)
        assert not root.exists()
        assert again.outputs(handle) == ()
    assert not docker.run("volume", "ls", "--quiet", "--filter", f"name={handle.name}")


def test_a_job_that_runs_has_none_yet(runner: DockerRunner) -> None:
    """Nothing is fetched before the end, and an empty folder is no file."""
    handle = runner.submit(launch("sleep 600", {"init": False}))
    assert runner.outputs(handle) == ()
    runner.cancel(handle, 0.0, Reason.CANCELLED)
    end(runner, handle)
    assert outputs(runner, handle) == []
    runner.remove(handle)


def test_only_what_a_launch_names_is_fetched(
    docker: Docker, runner: DockerRunner, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By its patterns, also for an agent that took the container over; a lost name is told."""
    caplog.set_level("INFO")
    script = 'cd "$LAUNCHYARD_OUTPUT"; mkdir d; echo 1 >a.log; echo 2 >d/b.pt; ln a.log z.pt'
    plan = script_plan(script, outputs=("*.pt", "d"))
    handle = runner.submit(launch("", plan=plan))
    assert end(runner, handle).state is AttemptState.SUCCEEDED
    assert outputs(runner, handle) == ["d/b.pt"]
    assert "z.pt, another name of" in caplog.text
    with closing(DockerRunner(Address(url=f"unix://{docker.socket}"), str(tmp_path))) as again:
        assert outputs(again, handle) == ["d/b.pt"]
        again.remove(handle)


def test_links_lead_nowhere(runner: DockerRunner) -> None:
    """Links are neither followed nor listed; a second name of a file is a file."""
    script = "echo x >a; ln a b; ln -s /etc/passwd c; ln -s / root; mkdir -p d/e"
    handle = ended(runner, script)
    assert outputs(runner, handle) == ["a", "b"]
    assert Path(runner.output_root(handle), "b").read_text() == "x\n"
    runner.remove(handle)


def test_a_folder_that_is_not_there_has_none(
    docker: Docker, runner: DockerRunner, tmp_path: Path
) -> None:
    """As of a container that somebody has taken away: nothing is waited for."""
    handle = ended(runner, "true")
    engine = Engine(Address(url=f"unix://{docker.socket}"))
    with closing(engine):
        copies = Outputs(engine, str(tmp_path / "copies"), Limits())
        assert arrived(lambda: copies.files(handle, "/nowhere")) == []
    runner.remove(handle)


@pytest.mark.parametrize("limits", [Limits(files=2), Limits(total_b=20)])
def test_too_much_stays_behind(
    docker: Docker, tmp_path: Path, limits: Limits, caplog: pytest.LogCaptureFixture
) -> None:
    """What fits is kept, and the agent's log names who left too much."""
    address = Address(url=f"unix://{docker.socket}")
    with closing(DockerRunner(address, str(tmp_path), limits)) as runner:
        handle = ended(runner, "for i in 1 2 3 4; do echo 12345678 >$i; done")
        assert len(outputs(runner, handle)) == 2
        assert f"{handle.name} left more files than are kept" in caplog.text
        runner.remove(handle)
