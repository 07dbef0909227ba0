"""Cancel, wherever the run happens to be (the other cases are in test_runs.py)."""

import asyncio
import threading
import time

from asgiref.sync import sync_to_async
from django.db import connection
from django.test import override_settings

from progress import OperationFailed, StreamingOperation, runs
from progress.models import OperationRun

from .case import RunCase
from .cast import Count
from .test_limits import Patient

SLOW_QUERY = {
    "postgresql": "SELECT pg_sleep(2)",
    "sqlite": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3000000) SELECT count(*) FROM n",
}


class Query(StreamingOperation[None]):
    """Sit in a database query, in a thread."""

    operation_name = "test_query"

    async def execute(self, progress):
        progress.state("querying", "Asking the database")
        while True:
            await progress.in_thread(self.ask)

    def ask(self):
        with connection.cursor() as cursor:
            cursor.execute(SLOW_QUERY[connection.vendor])
            cursor.fetchall()


class Stubborn(StreamingOperation[None]):
    """Never await, and never listen, until `let_go` is set."""

    operation_name = "test_stubborn"

    async def execute(self, progress):
        progress.state("working", "Working on")
        while not let_go.is_set():
            time.sleep(0.01)


class Half(StreamingOperation[None]):
    """Do 2 of 4 pieces, then wait."""

    operation_name = "test_half"

    async def execute(self, progress):
        progress.content("the first half")
        progress(2, 4, "Two of four are done")
        progress.state("waiting")
        await asyncio.sleep(600)


let_go = threading.Event()


class CancelTests(RunCase):
    async def cancelled(self, run):
        await runs.cancel(run)
        await self.end_of(run, timeout=60)
        events = await self.assert_one_end(run)
        assert (run.status, events[-1].type, run.error["code"]) == ("cancelled", "error", "cancelled")
        return events

    async def test_in_a_database_query(self):
        run = await runs.start(Query())
        await self.until(run, "querying", timeout=30)
        await self.cancelled(run)

    @override_settings(PROGRESS={"CANCEL_GRACE": 0.4})
    async def test_code_that_never_awaits_is_cut_off_says_so_and_keeps_no_other_run_from_ending(self):
        let_go.clear()
        self.addCleanup(let_go.set)
        run = await runs.start(Stubborn())
        await self.until(run, "working", timeout=30)
        with self.assertLogs("progress", "WARNING"):
            await self.cancelled(run)
        let_go.set()
        assert "It did not stop by itself and was cut off." in run.message
        assert (await self.finished(Count())).status == "completed"

    async def test_what_was_done_is_in_the_terminal_event(self):
        run = await runs.start(Half())
        await self.until(run, "waiting", timeout=30)
        events = await self.cancelled(run)
        metadata = events[-1].data["metadata"]
        assert (metadata["percentage"], metadata["currentState"], metadata["lastMessage"]) == (50, "waiting", "Waiting")
        assert metadata["elapsedMs"] >= 0
        assert run.percentage == 50
        assert "the first half" in [event.data.get("content") for event in events]

    async def test_what_was_done_is_in_the_terminal_event_of_a_failure_too(self):
        class Breaks(StreamingOperation[None]):
            operation_name = "test_breaks"

            async def execute(self, progress):
                progress(1, 4, "One of four is done")
                raise OperationFailed("No more rows.")

        run = await self.finished(Breaks())
        metadata = (await self.events(run))[-1].data["metadata"]
        assert (metadata["percentage"], metadata["lastMessage"]) == (25, "One of four is done")
        assert "percentage" not in run.error

    async def test_while_it_waits_in_the_queue(self):
        run = await OperationRun.objects.acreate(operation="test_count")
        await self.cancelled(run)
        assert (await self.events(run))[-1].data["metadata"]["percentage"] == 0

    async def test_a_hundred_at_once(self):
        run = await runs.start(Patient())
        await self.until(run, "running", timeout=30)
        await asyncio.gather(*[runs.cancel(await OperationRun.objects.aget(pk=run.pk)) for _ in range(100)])
        await self.end_of(run, timeout=60)
        await self.assert_one_end(run)
        assert run.status == "cancelled"
        first = run.cancel_requested_at
        assert (await runs.cancel(run)).cancel_requested_at == first

    async def test_a_hundred_at_once_before_it_starts(self):
        run = await OperationRun.objects.acreate(operation="test_count")
        await asyncio.gather(*[runs.cancel(await OperationRun.objects.aget(pk=run.pk)) for _ in range(100)])
        await self.end_of(run, timeout=60)
        await self.assert_one_end(run)

    async def test_one_asked_for_in_another_process_is_seen(self):
        run = await runs.start(Patient())
        await self.until(run, "running", timeout=30)
        await sync_to_async(runs.request_cancel)(run.pk)  # which rings no bell here
        await self.end_of(run, timeout=60)
        assert run.status == "cancelled"
