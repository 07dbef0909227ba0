import asyncio
from django.test import override_settings
from progress import runs, StreamingOperation
from .case import RunCase

class Busy(StreamingOperation[str]):
    operation_name = "test_busy"
    async def execute(self, progress):
        for n in range(400):
            progress.state(f"s{n}")
            await asyncio.sleep(0.002)
        return "ok"

class Pro(RunCase):
    @override_settings(PROGRESS={"LEASE_RENEW": 0.001, "LEASE": 1.0})
    async def test_dead(self):
        import progress.execution as e
        e.TICK=0.002
        rs = [await runs.start(Busy()) for _ in range(14)]
        for r in rs: await self.end_of(r, 60)
        for r in rs: await self.assert_one_end(r)
        from asgiref.sync import sync_to_async
        def d():
            from django.db import connection
            with connection.cursor() as c:
                c.execute("select pg_stat_clear_snapshot(), deadlocks, xact_commit from pg_stat_database where datname=current_database()")
                return c.fetchall()
        await asyncio.sleep(2)
        print("DEADLOCKS", await sync_to_async(d)())
