"""What every runner must do, as tests."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import ClassVar, Final

import pytest

from launchyard.domain.attempt import AttemptState
from launchyard.domain.naming import labels, target_name
from launchyard.domain.reason import Reason
from launchyard.plugins.testkit.runner_case import TEXT, RunnerCase, RunnerKit, Work, boottime
from launchyard.ports.runner import Owned, Preparer, Runner, RunnerError

__all__ = ["TEXT", "RunnerCase", "RunnerContract", "Work"]

S: Final = AttemptState
_NEAR_S: Final = 600.0


class RunnerContract(RunnerKit):
    """Subclass as `TestMyRunner` and give it a `case` fixture."""

    provider: ClassVar[str] = ""
    """The name under which the adapter is registered."""

    def test_a_job_succeeds(self, case: RunnerCase, runner: Runner) -> None:
        """Code 0 is success."""
        end = self.end(runner, self.begin(case, runner, Work.SUCCEED))
        assert (end.state, end.reason, end.exit_code) == (S.SUCCEEDED, Reason.COMPLETED, 0)

    def test_a_job_fails(self, case: RunnerCase, runner: Runner) -> None:
        """Another code is a failure of the user's, and is told."""
        end = self.end(runner, self.begin(case, runner, Work.FAIL))
        assert (end.state, end.reason, end.exit_code) == (S.FAILED, Reason.EXIT_CODE, 3)

    def test_the_handle_is_complete(self, case: RunnerCase, runner: Runner) -> None:
        """It says where, under which name, and which very thing."""
        launch = self.launch(case, Work.SUCCEED)
        handle = self.submit(runner, launch)
        assert handle.scope == runner.scope()
        assert handle.name == launch.name
        assert handle.uid

    def test_a_submit_does_not_wait_for_the_end(self, case: RunnerCase, runner: Runner) -> None:
        """What runs long is running when the call returns, or about to."""
        handle = self.begin(case, runner, Work.LONG)
        assert runner.observe(handle).state in {S.PENDING, S.RUNNING}

    def test_submitting_twice_starts_once(self, case: RunnerCase, runner: Runner) -> None:
        """The second call gives the first handle, while it runs and after its end."""
        launch = self.launch(case, Work.LINES)
        handle = self.submit(runner, launch)
        assert runner.submit(launch) == handle
        self.end(runner, handle)
        assert runner.submit(launch) == handle
        assert self.log(runner, handle) == TEXT

    def test_what_is_prepared_is_not_started(self, case: RunnerCase, runner: Runner) -> None:
        """A submit starts it, once, whether the runner had something ready or not."""
        launch = self.launch(case, Work.LINES)
        if isinstance(runner, Preparer):
            runner.prepare(launch)
        assert runner.find(launch.owner, launch.name) is None
        handle = self.submit(runner, launch)
        self.end(runner, handle)
        assert self.log(runner, handle) == TEXT

    def test_a_new_process_submits_the_same(self, case: RunnerCase, runner: Runner) -> None:
        """After a crash nobody knows whether the first call came through: the second finds out."""
        launch = self.launch(case, Work.LINES)
        handle = self.submit(runner, launch)
        again = case.elsewhere or case.make().submit
        assert again(launch) == handle
        self.end(runner, handle)
        assert again(launch) == handle
        assert self.log(runner, handle) == TEXT

    def test_a_handle_is_enough(self, case: RunnerCase, runner: Runner) -> None:
        """A new process takes a job up from its handle: it sees it run, and can end it."""
        handle = self.begin(case, runner, Work.LONG)
        self.log_has(runner, handle, b"up\n")
        other = case.make()
        assert other.observe(handle).state is S.RUNNING
        other.cancel(handle, self.grace_s, Reason.CANCELLED)
        assert self.end(other, handle).state is S.CANCELLED
        assert runner.observe(handle).state is S.CANCELLED

    def test_an_end_is_remembered(self, case: RunnerCase, runner: Runner) -> None:
        """A new process learns how a job ended of which it saw nothing."""
        handle = self.begin(case, runner, Work.FAIL)
        end = self.end(runner, handle)
        assert case.make().observe(handle) == end

    def test_a_name_is_found(self, case: RunnerCase, runner: Runner) -> None:
        """The owner's thing is found by its name; a stranger finds nothing."""
        launch = self.launch(case, Work.LONG)
        assert runner.find(launch.owner, launch.name) is None
        handle = self.submit(runner, launch)
        assert case.make().find(launch.owner, launch.name) == handle
        assert runner.find(replace(launch.owner, item="stranger"), launch.name) is None

    def test_a_strange_handle_is_lost(self, case: RunnerCase, runner: Runner) -> None:
        """What nobody knows is lost, and may be cancelled and removed without harm."""
        known = self.begin(case, runner, Work.SUCCEED)
        strange = replace(known, name=target_name("nobody", "nothing", 1))
        self.end(runner, known)
        runner.cancel(strange, self.grace_s, Reason.CANCELLED)
        runner.remove(strange)
        seen = runner.observe(strange)
        assert (seen.state, seen.reason) == (S.LOST, Reason.HANDLE_UNKNOWN)

    def test_a_taken_name_is_refused(self, case: RunnerCase, runner: Runner) -> None:
        """What another owner started under the name is neither adopted nor touched."""
        launch = self.launch(case, Work.LONG)
        handle = self.submit(runner, launch)
        owner = replace(launch.owner, item="stranger")
        with pytest.raises(RunnerError) as e:
            runner.submit(replace(launch, owner=owner, labels=labels(owner, "")))
        assert (e.value.reason, e.value.retry) == (Reason.NAME_TAKEN, False)
        assert runner.observe(handle).state in {S.PENDING, S.RUNNING}

    def test_a_late_submit_starts_nothing(self, case: RunnerCase, runner: Runner) -> None:
        """Past the deadline another agent may have the lease: nothing is started."""
        launch = self.launch(case, Work.SUCCEED)
        with pytest.raises(RunnerError) as e:
            runner.submit(replace(launch, deadline=boottime() - 0.001))
        assert e.value.reason is Reason.DEADLINE_PASSED
        assert runner.find(launch.owner, launch.name) is None

    def test_a_late_submit_hinders_nobody(self, case: RunnerCase, runner: Runner) -> None:
        """Who has the lease now may start it, under the same name."""
        launch = self.launch(case, Work.SUCCEED)
        with pytest.raises(RunnerError):
            runner.submit(replace(launch, deadline=0.0))
        assert self.end(runner, self.submit(runner, launch)).state is S.SUCCEEDED

    def test_a_cancel_can_come_early(self, case: RunnerCase, runner: Runner) -> None:
        """A cancel right behind the submit ends it, whether it had begun or not."""
        handle = self.begin(case, runner, Work.LONG)
        runner.cancel(handle, self.grace_s, Reason.CANCELLED)
        end = self.end(runner, handle)
        assert (end.state, end.reason) == (S.CANCELLED, Reason.CANCELLED)

    def test_a_cancel_ends_what_runs(self, case: RunnerCase, runner: Runner) -> None:
        """The call returns at once and may be repeated; the end shows later."""
        handle = self.begin(case, runner, Work.LONG)
        self.log_has(runner, handle, b"up\n")
        before = time.monotonic()
        runner.cancel(handle, self.grace_s, Reason.CANCELLED)
        runner.cancel(handle, self.grace_s, Reason.CANCELLED)
        assert time.monotonic() - before < self.grace_s
        assert self.end(runner, handle).state is S.CANCELLED

    def test_a_cancel_can_come_late(self, case: RunnerCase, runner: Runner) -> None:
        """The end stays what it was."""
        handle = self.begin(case, runner, Work.FAIL)
        end = self.end(runner, handle)
        runner.cancel(handle, self.grace_s, Reason.CANCELLED)
        assert runner.observe(handle) == end

    @pytest.mark.parametrize(
        ("reason", "state"),
        [(Reason.RUN_TIMEOUT, S.TIMED_OUT), (Reason.PREEMPTED, S.PREEMPTED)],
    )
    def test_not_for_its_user(
        self, case: RunnerCase, runner: Runner, reason: Reason, state: AttemptState
    ) -> None:
        """A job that ran for too long, or had to make room, is told from one nobody wants."""
        handle = self.begin(case, runner, Work.LONG)
        runner.cancel(handle, self.grace_s, reason)
        end = self.end(runner, handle)
        assert (end.state, end.reason) == (state, reason)

    def test_what_is_on_the_target_is_listed(self, case: RunnerCase, runner: Runner) -> None:
        """From its start to its removal, by any process, and to its own installation alone."""
        launch = self.launch(case, Work.LONG)
        handle = self.submit(runner, launch)
        owner = launch.owner
        mine = Owned(handle=handle, owner=owner)
        (found,) = case.make().list_owned(owner.installation, owner.agent)
        assert found == mine
        if found.created_ms is not None:
            assert abs(found.created_ms / 1000 - time.time()) < _NEAR_S
        assert not runner.list_owned("another", owner.agent)
        runner.cancel(handle, 0.0, Reason.CANCELLED)
        self.end(runner, handle)
        assert mine in runner.list_owned(owner.installation, owner.agent)
        runner.remove(handle)
        assert not runner.list_owned(owner.installation, owner.agent)

    def test_a_log_goes_on_from_a_cursor(self, case: RunnerCase, runner: Runner) -> None:
        """A new process reads what follows the last byte that was stored, and no byte twice."""
        handle = self.begin(case, runner, Work.LINES)
        self.end(runner, handle)
        source = runner.log_sources(handle)[0]
        first = runner.read_log(handle, source, 0, 5)
        assert (first.source, first.start) == (source, 0)
        assert first.data, "what there is is given, and need not be all of it"
        assert TEXT[:5].startswith(first.data)
        other = case.make()
        assert first.data + self.log(other, handle, first.to) == TEXT

    def test_a_log_ends_with_the_job(self, case: RunnerCase, runner: Runner) -> None:
        """While it runs more may come; after its end the last slice says so."""
        handle = self.begin(case, runner, Work.LONG)
        self.log_has(runner, handle, b"up\n")
        source = runner.log_sources(handle)[0]
        assert not runner.read_log(handle, source, 0, 1 << 20).end
        runner.cancel(handle, 0.0, Reason.CANCELLED)
        self.end(runner, handle)
        assert self.log(runner, handle).startswith(b"up\n")

    def test_a_watch_tells_an_end_once(self, case: RunnerCase, runner: Runner) -> None:
        """It tells that the job runs, then that it has ended, then nothing."""
        watch = runner.watch()
        try:
            handle = self.begin(case, runner, Work.LONG)
            watch.add(handle)
            watch.add(handle)
            assert [seen.handle for seen in watch.wait(self.timeout_s)] == [handle]
            runner.cancel(handle, 0.0, Reason.CANCELLED)
            seen = self.told_end(watch.wait)
            assert (seen.handle, seen.observation.state) == (handle, S.CANCELLED)
            assert not watch.wait(0.05)
        finally:
            watch.close()

    def test_a_watch_tells_what_is_over(self, case: RunnerCase, runner: Runner) -> None:
        """What ended before it was added is told at once, and each of many is told."""
        watch = runner.watch()
        try:
            handles = {self.begin(case, runner, work) for work in (Work.SUCCEED, Work.FAIL)}
            for handle in handles:
                self.end(runner, handle)
                watch.add(handle)
            told = {self.told_end(watch.wait).handle}
            told |= {seen.handle for seen in watch.wait(0.2)} or handles
            assert told == handles
        finally:
            watch.close()

    def test_a_watch_forgets_what_is_discarded(self, case: RunnerCase, runner: Runner) -> None:
        """Nothing more is heard of it."""
        watch = runner.watch()
        try:
            handle = self.begin(case, runner, Work.LONG)
            watch.add(handle)
            watch.discard(handle)
            watch.discard(handle)
            runner.cancel(handle, 0.0, Reason.CANCELLED)
            self.end(runner, handle)
            assert not watch.wait(0.1)
        finally:
            watch.close()

    def test_a_watch_can_be_woken(self, runner: Runner) -> None:
        """A wake ends the wait, also one that comes before it."""
        watch = runner.watch()
        try:
            watch.wake()
            assert not watch.wait(self.timeout_s)
        finally:
            watch.close()

    def test_what_is_removed_is_gone(self, case: RunnerCase, runner: Runner) -> None:
        """Nothing is known of it afterwards; removing it again does no harm."""
        launch = self.launch(case, Work.SUCCEED)
        handle = self.submit(runner, launch)
        self.end(runner, handle)
        runner.remove(handle)
        runner.remove(handle)
        assert runner.observe(handle).state is S.LOST
        assert case.make().find(launch.owner, launch.name) is None
