"""P9: a machine whose clock is set, or that slept, ends nothing too early."""

import threading
import time
from datetime import timedelta
from unittest.mock import patch

from asgiref.sync import sync_to_async
from django.db.models import F
from django.test import SimpleTestCase, override_settings
from django.utils import timezone

from progress import execution, recovery, runs
from progress.clock import Clock
from progress.execution import supervisor
from progress.models import OperationRun

from .case import RunCase
from .cast import Hold

HOUR = timedelta(hours=1)


class ClockTests(SimpleTestCase):
    def stepped(self, by):
        clock = Clock()
        assert not clock.stepped()
        clock._offset -= by.total_seconds()
        assert clock.stepped()
        assert not clock.stepped()
        return clock

    def assert_about(self, passed, seconds):
        assert abs(passed.total_seconds() - seconds) < 2

    def test_set_forward_what_was_before_is_no_older_for_it(self):
        clock = self.stepped(HOUR)
        self.assert_about(clock.since(timezone.now() - HOUR - timedelta(seconds=30)), 30)
        self.assert_about(clock.since(timezone.now() + timedelta(seconds=30)), -30)

    def test_set_back_what_was_before_is_no_younger_for_it(self):
        clock = self.stepped(-HOUR)
        self.assert_about(clock.since(timezone.now() + HOUR - timedelta(seconds=30)), 30)
        self.assert_about(clock.since(timezone.now() - timedelta(seconds=30)), 30)

    def test_a_clock_that_drifts_has_not_stepped(self):
        clock = Clock()
        clock._offset -= 0.5
        assert not clock.stepped()
        self.assert_about(clock.since(timezone.now() - HOUR), 3600)


@override_settings(PROGRESS={"SWEEP": 0.05, "LEASE": 1.0, "LEASE_RENEW": 0.1, "QUEUE_TIMEOUT": 60})
class StepTests(RunCase):
    def older(self, by):
        """Let all that is stored be older: what a clock that is set forward makes of it."""
        columns = {name: F(name) - by for name in ("created_at", "started_at", "lease_expires_at")}
        OperationRun.objects.update(**columns)

    async def test_no_lease_runs_out_and_nothing_has_waited_too_long(self):
        clock = Clock()  # other tests are to know nothing of it
        for module in (execution, recovery):
            replaced = patch.object(module, "clock", clock)
            replaced.start()
            self.addCleanup(replaced.stop)
        supervisor.start()
        self.addCleanup(supervisor.stop)
        run = await runs.start(Hold())
        await self.until(run, "running")
        waits = await sync_to_async(OperationRun.objects.create)(operation="test_count", worker="elsewhere/7:1:1")
        turn, held, go_on, turns = supervisor._turn, threading.Event(), threading.Event(), []

        def gated(now):
            held.set()
            go_on.wait(30)
            turn(now)
            turns.append(now)

        with patch.object(supervisor, "_turn", gated), self.assertLogs("progress", "WARNING") as logged:
            await sync_to_async(held.wait)(30)  # no turn is under way
            await sync_to_async(self.older)(HOUR)
            with patch.object(Clock, "_difference", lambda *_: time.time() - time.monotonic() + 3600):
                go_on.set()
                await sync_to_async(wait_for)(lambda: len(turns) > 4)
                await sync_to_async(recovery.sweep)()
        assert "clock" in logged.output[0]
        await run.arefresh_from_db()
        await waits.arefresh_from_db()
        assert (run.status, waits.status) == ("running", "queued"), (run.error, waits.error)
        await runs.cancel(run)
        await self.end_of(run)
        assert run.status == "cancelled"


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
