"""P2: completion, cancel and time limit race for one end, a thousand times."""

import asyncio
import random

from asgiref.sync import sync_to_async

from progress import StreamingOperation, runs
from progress.database import in_database
from progress.execution import execute_run
from progress.models import OperationEvent, OperationRun
from tests.faults.stage import LIMIT
from tests.progress.case import RunCase

RACES = 1000
AT_ONCE = 100


class Race(StreamingOperation[int]):
    """End just when the time limit passes, or a little earlier or later."""

    operation_name = "test_race"
    total_timeout = 0.3
    rest: float

    async def execute(self, progress):
        progress(1, 2)
        await asyncio.sleep(self.rest)
        return 1


class RaceTests(RunCase):
    async def test_p2_a_thousand_races_have_a_thousand_ends(self):
        rng = random.Random(2)
        slots = asyncio.Semaphore(AT_ONCE)

        def make():
            return OperationRun.objects.bulk_create(
                [OperationRun(operation="test_race", params={"rest": rng.uniform(0.2, 0.6)}) for _ in range(RACES)]
            )

        async def race(run, delay):
            async with slots:
                await asyncio.gather(execute_run.func(str(run.pk)), cancel(run, delay))

        async def cancel(run, delay):
            await asyncio.sleep(delay)
            if delay < 0.7:
                await runs.cancel(run)

        made = await sync_to_async(make)()
        async with asyncio.timeout(LIMIT):
            await asyncio.gather(*(race(run, rng.uniform(0, 1.0)) for run in made))

        def ends():
            rows = OperationEvent.objects.filter(type__in=["done", "error"]).values_list(
                "run", "seq", "type", "payload"
            )
            return {run: [(seq, type, payload) for pk, seq, type, payload in rows if pk == run] for run in known}

        known = {run.pk: run for run in await in_database(list, OperationRun.objects.all())}
        told = dict.fromkeys(("completed", "failed", "cancelled"), 0)
        for pk, found in (await in_database(ends)).items():
            run = known[pk]
            assert len(found) == 1, found
            seq, type, payload = found[0]
            assert seq == run.last_seq
            assert (type == "done") == (run.status == "completed")
            assert ('"code":"cancelled"' in payload) == (run.status == "cancelled")
            told[run.status] += 1
        assert all(told.values()), told
