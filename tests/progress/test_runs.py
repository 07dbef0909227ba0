import asyncio
from datetime import timedelta

from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from progress import StreamingOperation, recovery, runs, workers
from progress.log import Lease
from progress.models import OperationRun
from progress.owners import Owner
from progress.testing import settle

from .case import RunCase
from .cast import Again, Count, Fail, Hold, Stages, thumbnails


class StartTests(RunCase):
    async def test_it_runs_and_stores_its_result(self):
        run = await self.finished(Count(to=5))
        events = await self.assert_one_end(run)
        assert (run.status, run.percentage, run.result, run.attempt) == ("completed", 100, 5, 1)
        assert events[0].data["currentState"] == "queued"
        assert events[-1].data["metadata"]["result"] == 5
        assert events[-1].data["metadata"]["runId"] == str(run.pk)

    async def test_a_mapping_becomes_the_metadata_of_done(self):
        run = await self.finished(Stages())
        assert (await self.events(run))[-1].data["metadata"]["rowCount"] == 3

    async def test_a_function_in_a_thread(self):
        run = await self.finished(thumbnails(folder="summer"))
        assert (run.operation, run.params, run.result) == (
            "test_thumbnails",
            {"folder": "summer", "size": 64},
            "summer/64",
        )

    async def test_the_owner_is_kept(self):
        user = await get_user_model().objects.acreate(username="alice")
        run = await self.finished(Count(), owner=user)
        assert run.user_id == user.pk
        run = await self.finished(Count(), owner=Owner(visitor="v1"))
        assert [found.pk async for found in OperationRun.objects.for_owner(Owner(visitor="v1"))] == [run.pk]
        assert [found async for found in OperationRun.objects.for_owner(Owner())] == []

    def test_it_starts_when_the_transaction_commits_and_not_before(self):
        with transaction.atomic():
            run = runs.create_run(Count())
            with transaction.atomic():
                pass
            assert self.fresh(run).status == "queued"
        async_to_sync(self.end_of)(run)
        assert self.fresh(run).status == "completed"

    def test_a_rolled_back_start_leaves_nothing(self):
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            runs.create_run(Count())
            raise ZeroDivisionError
        assert not OperationRun.objects.exists()

    async def test_an_operation_that_is_not_registered_is_refused(self):
        class Unnamed(StreamingOperation[None]):
            async def execute(self, progress):
                return None

        Unnamed.operation_name = "test_count"
        with self.assertRaisesMessage(ValueError, "is not the operation registered as 'test_count'"):
            await runs.start(Unnamed())

    async def test_a_run_that_cannot_be_built_again_ends_with_advice(self):
        run = await sync_to_async(OperationRun.objects.create)(operation="gone", last_seq=0)
        await sync_to_async(runs.enqueue)(run.pk)
        await self.end_of(run)
        assert (run.status, run.error["code"]) == ("failed", "invalid_request")

    async def test_a_result_too_large_for_an_event_is_kept_with_the_run(self):
        class Big(StreamingOperation[str]):
            operation_name = "test_big"

            async def execute(self, progress):
                return "x" * 50_000

        run = await self.finished(Big())
        assert len(run.result) == 50000
        assert (await self.events(run))[-1].data["metadata"]["resultTooLarge"] is True


class FailureTests(RunCase):
    async def test_a_message_for_users(self):
        run = await self.finished(Fail())
        events = await self.assert_one_end(run)
        assert run.status == "failed"
        assert run.error == {
            "message": "The table is empty.",
            "code": "no_data",
            "retryable": False,
            "currentState": "running",
            "table": "sales",
        }
        assert events[-1].data["message"] == "The table is empty."

    async def test_an_exception_is_internal_and_its_text_stays_in_the_log(self):
        with self.assertLogs("progress", "ERROR") as logged:
            run = await self.finished(Fail(how="bug"))
        events = await self.assert_one_end(run)
        metadata = events[-1].data["metadata"]
        assert (metadata["code"], metadata["retryable"]) == ("internal", False)
        assert metadata["errorId"] in logged.output[0]
        assert "canary-7f3a" in logged.output[0]
        assert "canary" not in "".join(event.payload for event in events)
        assert "canary" not in str(run.snapshot())

    async def test_sys_exit_ends_the_run_and_not_the_worker(self):
        with self.assertLogs("progress", "ERROR"):
            run = await self.finished(Fail(how="exit"))
        assert run.error["code"] == "internal"
        assert (await self.finished(Count())).status == "completed"

    async def test_a_result_without_a_json_form_is_an_internal_error(self):
        with self.assertLogs("progress", "ERROR"):
            run = await self.finished(Fail(how="unstorable"))
        await self.assert_one_end(run)
        assert run.error["code"] == "internal"


class CancelTests(RunCase):
    async def cancelled(self, run):
        await runs.cancel(run)
        await self.end_of(run)
        events = await self.assert_one_end(run)
        assert (run.status, events[-1].type, run.error["code"]) == ("cancelled", "error", "cancelled")
        return events

    async def test_async_code(self):
        run = await runs.start(Hold())
        await self.until(run, "running")
        await self.cancelled(run)

    async def test_code_in_a_thread(self):
        run = await runs.start(Hold(kind="thread"))
        await self.until(run, "running")
        await self.cancelled(run)

    @override_settings(PROGRESS={"CANCEL_GRACE": 0.4})
    async def test_code_that_swallows_it_is_cut_off_and_the_run_says_so(self):
        run = await runs.start(Hold(kind="swallows"))
        await self.until(run, "running")
        with self.assertLogs("progress", "WARNING"):
            await self.cancelled(run)
        assert "did not stop by itself" in run.message

    @override_settings(PROGRESS={"CANCEL_GRACE": 0.4})
    async def test_code_that_blocks_its_event_loop_is_cut_off(self):
        run = await runs.start(Hold(kind="blocking"))
        await self.until(run, "running")
        with self.assertLogs("progress", "WARNING"):
            await self.cancelled(run)

    async def test_before_it_starts(self):
        run = await sync_to_async(OperationRun.objects.create)(operation="test_count", params={"to": 3})
        events = await self.cancelled(run)
        assert len(events) == 2
        await sync_to_async(runs.enqueue)(run.pk)  # the queue gets to it only now
        await asyncio.sleep(0.2)
        await self.assert_one_end(run)

    async def test_twice_and_after_the_end_is_harmless(self):
        run = await runs.start(Hold())
        await asyncio.gather(*(runs.cancel(self_run) for self_run in [run] * 5))
        await self.end_of(run)
        await runs.cancel(run)
        await self.assert_one_end(run)
        done = await self.finished(Count())
        assert (await runs.cancel(done)).status == "completed"

    async def test_a_hundred_races_with_completion_have_one_end_each(self):
        async def race(number):
            run = await runs.start(Count(to=2, rest=0.002 * (number % 5)))
            await asyncio.sleep(0.001 * (number % 11))
            await runs.cancel(run)
            await self.end_of(run)
            await self.assert_one_end(run)
            return run.status

        statuses = [
            status
            for start in range(0, 100, 10)
            for status in await asyncio.gather(*map(race, range(start, start + 10)))
        ]
        assert set(statuses) <= {"cancelled", "completed"}


class TimeLimitTests(RunCase):
    async def timed_out(self, operation, says):
        run = await self.finished(operation)
        await self.assert_one_end(run)
        assert (run.status, run.error["code"], run.error["retryable"]) == ("failed", "timeout", True)
        assert says in run.message

    @override_settings(PROGRESS={"TOTAL_TIMEOUT": 0.5})
    async def test_total(self):
        await self.timed_out(Count(to=10_000, rest=0.01), "longer than 0.5 seconds")

    async def test_idle(self):
        class Idle(Hold):
            operation_name = "test_idle"
            idle_timeout = 0.5

        await self.timed_out(Idle(), "nothing was heard of it for 0.5 seconds")

    async def test_of_a_stage(self):
        await self.timed_out(Stages(linger=30), "'save' took longer than its limit")


class RetryTests(RunCase):
    async def test_it_is_a_new_run_that_links_to_the_old(self):
        run = await self.finished(Fail())
        again = await runs.retry(run)
        assert (again.retry_of_id, again.params) == (run.pk, run.params)
        assert again.pk != run.pk
        await self.end_of(again)

    async def test_only_what_failed_or_was_cancelled(self):
        run = await self.finished(Count())
        with self.assertRaisesMessage(runs.NotRetryable, "This run is completed"):
            await runs.retry(run)


class SweepTests(RunCase):
    """What a process leaves behind when it is killed."""

    def abandoned(self, operation, **columns):
        columns = {
            "status": "running",
            "attempt": 1,
            "lease_token": "dead",
            "lease_expires_at": timezone.now() - timedelta(seconds=1),
            **columns,
        }
        return OperationRun.objects.create(operation=operation, params=columns.pop("params", {}), **columns)

    def test_a_lost_run_ends_as_worker_lost(self):
        run = self.abandoned("test_count")
        assert recovery.sweep() == 1
        async_to_sync(self.assert_one_end)(run)
        assert (self.fresh(run).error["code"], self.fresh(run).error["retryable"]) == ("worker_lost", True)
        assert recovery.sweep() == 0

    def test_an_idempotent_one_gets_a_new_attempt(self):
        run = self.abandoned("test_again")
        assert recovery.sweep() == 1
        async_to_sync(self.end_of)(run)
        assert (self.fresh(run).status, self.fresh(run).attempt) == ("completed", 2)
        assert Again.operation_name == run.operation

    def test_but_not_for_ever(self):
        run = self.abandoned("test_again", attempt=3)
        recovery.sweep()
        assert self.fresh(run).error["code"] == "worker_lost"

    def test_a_living_lease_is_left_alone(self):
        run = self.abandoned(
            "test_count", lease_expires_at=timezone.now() + timedelta(seconds=30), worker=workers.worker_name()
        )
        assert recovery.sweep() == 0
        assert self.fresh(run).is_active

    def test_a_dead_process_of_this_machine_is_known_before_its_lease_ends(self):
        name = workers.worker_name().rsplit(":", 2)[0]
        run = self.abandoned(
            "test_count", lease_expires_at=timezone.now() + timedelta(seconds=30), worker=f"{name}:999999:1"
        )
        assert recovery.sweep() == 1
        assert self.fresh(run).error["code"] == "worker_lost"

    def test_what_waited_in_a_dead_process_starts_here(self):
        name = workers.worker_name().rsplit(":", 2)[0]
        run = OperationRun.objects.create(operation="test_count", params={"to": 2}, worker=f"{name}:999999:1")
        assert recovery.sweep() == 1
        async_to_sync(self.end_of)(run)
        assert self.fresh(run).status == "completed"

    @override_settings(PROGRESS={"QUEUE_TIMEOUT": 5})
    def test_a_run_that_waited_too_long_ends(self):
        run = OperationRun.objects.create(operation="test_count")
        OperationRun.objects.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(seconds=6))
        recovery.sweep()
        assert self.fresh(run).error["code"] == "timeout"

    @override_settings(PROGRESS={"LEASE_RENEW": 0.3, "LEASE": 1.0})
    async def test_the_lease_of_a_running_run_is_renewed(self):
        run = await runs.start(Count(to=100, rest=0.02))
        await self.until(run, "running")
        await asyncio.sleep(1.5)
        assert await sync_to_async(recovery.sweep)() == 0
        await runs.cancel(run)
        await self.end_of(run)

    @override_settings(PROGRESS={"CANCEL_GRACE": 0.4})
    async def test_a_zombie_stops_and_writes_nothing_more(self):
        run = await runs.start(Hold())
        await self.until(run, "running")
        lease = await sync_to_async(runs.take_lease)(OperationRun.objects.filter(pk=run.pk))
        assert isinstance(lease, Lease)
        await runs.end(lease, runs.OperationFailed("Taken over.", code="worker_lost"))
        await sync_to_async(settle)()
        await self.assert_one_end(run)
        assert run.message == "Taken over."
