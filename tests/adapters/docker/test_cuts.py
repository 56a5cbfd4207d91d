"""What is cut off on its way from the engine is neither taken for its end nor for a refusal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from launchyard.adapters.docker.runner import SOURCE, DockerRunner
from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason
from launchyard.ports.runner import Observation, RunnerError, Watch
from tests.adapters.docker.cutting import Cutting
from tests.adapters.docker.launches import end, launch, refusal, run_of, started
from tests.programs import until
from tests.rig.dockerd import Docker

S = AttemptState


def test_a_pull_that_breaks_off_is_tried_again(
    proxy: Cutting, beyond: DockerRunner, logged_in: str
) -> None:
    """Whether the engine was cut off in the middle, or stopped well and had fetched nothing.

    In the former case it is the engine that is away: its words say nothing about the image.
    """
    for said, reason in ((b"{}", Reason.SOURCE_UNREACHABLE), (0, Reason.TARGET_UNREACHABLE)):
        proxy.once(b"/images/create", lambda said=said: said)  # type: ignore[misc]
        error = refusal(beyond, run_of(logged_in))
        assert (error.reason, error.retry) == (reason, True), error
    handle = started(beyond, run_of(logged_in))
    assert end(beyond, handle).state is S.SUCCEEDED
    beyond.remove(handle)


def test_an_image_that_went_meanwhile_is_fetched_again(
    docker: Docker, proxy: Cutting, beyond: DockerRunner, logged_in: str
) -> None:
    """Between the look at it and the container somebody may remove it: `docker run` pulls, too."""

    def removed() -> None:
        docker.run("rmi", logged_in)

    docker.run("pull", logged_in)
    proxy.once(b"/containers/create", removed)
    handle = started(beyond, run_of(logged_in))
    assert end(beyond, handle).state is S.SUCCEEDED
    beyond.remove(handle)
    docker.run("rmi", logged_in)
    never = run_of(logged_in)
    error = refusal(beyond, replace(never, plan=replace(never.plan, pull="never")))
    assert error.reason is Reason.SOURCE_NOT_FOUND


def test_a_start_without_an_answer_is_repeated(proxy: Cutting, beyond: DockerRunner) -> None:
    """It may run by now, so nobody may give it up; the next submit takes it as it is."""
    wish = launch("exit 4")
    proxy.once(b"/start", proxy.cut)
    error = refusal(beyond, wish)
    assert (error.unsure, error.retry) == (True, True), error
    handle = started(beyond, wish)
    assert end(beyond, handle).exit_code == 4
    beyond.remove(handle)


def test_a_log_that_breaks_off_is_not_at_its_end(proxy: Cutting, beyond: DockerRunner) -> None:
    """Its rest is read when the engine answers again, every byte once."""
    handle = beyond.submit(launch("yes 0123456789 | head -n 20000"))
    assert end(beyond, handle).state is S.SUCCEEDED
    proxy.once(b"/logs?", lambda: 400_000)
    text, at, done, breaks = b"", 0, False, list[bool]()
    while not done:
        try:
            piece = beyond.read_log(handle, SOURCE, at, 50_000)
        except RunnerError as e:
            breaks.append(e.retry)
            continue
        text, at, done = text + piece.data, piece.to, piece.end
    assert (len(text), set(text.split())) == (20_000 * 11, {b"0123456789"})
    assert breaks == [True]
    beyond.remove(handle)


def test_ends_that_nobody_heard_of_are_seen(
    docker: Docker, proxy: Cutting, beyond: DockerRunner, caplog: pytest.LogCaptureFixture
) -> None:
    """One stream tells of all containers; when it is there anew, everything is looked at."""
    first, second = (beyond.submit(launch("exec sleep 600", {"init": True})) for _ in range(2))
    watch = beyond.watch()
    try:
        for handle in (first, second):
            watch.add(handle)
            assert _next(watch).state is S.RUNNING
        proxy.shut = True
        proxy.cut()
        until(lambda: "events are not heard" in caplog.text, "notice")
        docker.run("kill", first.uid)
        assert not watch.wait(0.0)
        proxy.shut = False
        assert _next(watch).exit_code == 137
        docker.run("kill", second.uid)
        assert _next(watch).exit_code == 137
    finally:
        watch.close()
    for handle in (first, second):
        beyond.remove(handle)


def _next(watch: Watch) -> Observation:
    """Return the next thing that a watch tells; long before it looks at everything anyway."""
    seen: list[Observation] = []

    def told() -> bool:
        seen.extend(one.observation for one in watch.wait(0.5))
        return bool(seen)

    until(told, "news", 40)
    assert len(seen) == 1
    return seen[0]
