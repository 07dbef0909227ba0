"""The case that tests of runs build on: a database of their own, and nothing left running behind them."""

import asyncio

from django.test import TransactionTestCase

from progress import runs
from progress.database import in_database
from progress.log import log
from progress.models import OperationRun
from progress.rows import read_events
from progress.testing import settle

from . import cast  # noqa: F401 - registers the operations that the tests start by name


class RunCase(TransactionTestCase):
    """Runs execute for real, in the process, through the task backend."""

    def setUp(self):
        self.addCleanup(settle)

    async def finished(self, operation, **options):
        """Start `operation`, wait for its end, and return its run."""
        return await self.end_of(await runs.start(operation, **options))

    async def end_of(self, run, timeout=20):
        async with asyncio.timeout(timeout):
            async for _ in log.subscribe(run.pk):
                pass
        await run.arefresh_from_db()
        return run

    async def until(self, run, state, timeout=10):
        """Wait until `run` reports `state`."""
        async with asyncio.timeout(timeout):
            async for event in log.subscribe(run.pk):
                if event.type == "progress" and event.data["currentState"] == state:
                    return

    async def events(self, run):
        return await in_database(read_events, run.pk, 0, 100_000)

    async def assert_one_end(self, run):
        """The log is contiguous, has one terminal event, and that is its last; the row agrees."""
        events = await self.events(run)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert [event.seq for event in events if event.terminal] == [len(events)]
        await run.arefresh_from_db()
        assert run.last_seq == len(events)
        assert not run.is_active
        assert events[-2].data["currentState"] == run.status
        return events

    @staticmethod
    def fresh(run):
        return OperationRun.objects.get(pk=run.pk)
