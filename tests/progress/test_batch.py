"""Batches: through the API and the log, with children that complete, fail, hang, swallow and are cancelled."""

import asyncio
import logging
import math
import os
import random
import time
import uuid
from collections import Counter
from datetime import timedelta
from unittest.mock import patch

import pytest
import requests
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import Permission
from django.test import override_settings
from django.utils import timezone
from pydantic import ValidationError

from progress import OperationFailed, StreamingOperation, recovery, runs, stream_operation
from progress.batch import MAX_ITEMS, REPORT_EVERY, REPORTS_PER_AGE, Batch
from progress.children import listed
from progress.conf import setting
from progress.database import in_database
from progress.demo import Demo
from progress.models import OperationRun
from progress.testing import events_of
from tests.services import running_site

from .case import RunCase
from .cast import Again, Count, Fail, Hold, Write
from .test_admin import AdminCase
from .test_api import OPEN, ApiCase

SEEDS = range(int(os.environ.get("FAULT_SEEDS", "1")))


class Kept(StreamingOperation[int]):
    """Needs a permission."""

    operation_name = "test_kept"
    permission = "progress.change_operationrun"

    async def execute(self, progress):
        return 1


class Inside(StreamingOperation[dict]):
    """A batch as a part of another operation."""

    operation_name = "test_inside"

    async def execute(self, progress):
        return await progress.run(Batch(items=[Count(to=2), Count(to=3), Fail()]), weight=1.0)


class Slow(StreamingOperation[None]):
    """Take longer than it may."""

    operation_name = "test_slow"
    total_timeout = 0.3

    async def execute(self, progress):
        await asyncio.sleep(60)


class Long(StreamingOperation[None]):
    """Say at length where it is."""

    operation_name = "test_long_" + "x" * 90
    name: str

    async def execute(self, progress):
        progress.state(self.name)
        raise OperationFailed("\u00e4" * 900)


class BatchCase(RunCase):
    async def children(self, batch):
        return [run async for run in OperationRun.objects.filter(parent=batch).order_by("position")]

    async def until_found(self, **columns):
        async with asyncio.timeout(30):
            while not await OperationRun.objects.filter(**columns).aexists():
                await asyncio.sleep(0.02)

    async def assert_family(self, batch):
        """Every run has one end, that of the batch is the last, and the sums agree; returns the batch's events and its children."""
        events = await self.assert_one_end(batch)
        children = await self.children(batch)
        for child in children:
            await self.assert_one_end(child)
            assert child.finished_at <= batch.finished_at
        percentages = [event.data["percentage"] for event in events if event.type == "progress"]
        assert percentages == sorted(percentages)
        statuses = Counter(child.status for child in children)
        metadata = events[-1].data["metadata"]
        if "completed" in metadata:
            assert {name: metadata[name] for name in ("completed", "failed", "cancelled")} == {
                name: statuses[name] for name in ("completed", "failed", "cancelled")
            }
            assert [child["status"] for child in metadata["children"]] == [child.status for child in children]
        return events, children


class CollectTests(BatchCase):
    async def test_every_child_is_a_run_and_the_batch_sums_up(self):
        batch = await self.finished(Batch(items=[Count(to=2), Demo(seconds=0, steps=3), Fail(), Count(to=4)]))
        events, children = await self.assert_family(batch)
        assert [(child.position, child.operation, child.status) for child in children] == [
            (0, "test_count", "completed"),
            (1, "demo", "completed"),
            (2, "test_fail", "failed"),
            (3, "test_count", "completed"),
        ]
        assert children[3].result == 4
        assert (batch.status, batch.percentage, batch.message) == ("completed", 100, "3 of 4 completed")
        done = events[-1].data
        assert done["message"] == "3 of 4 completed"
        failed = done["metadata"]["children"][2]
        assert failed["error"] == {"code": "no_data", "message": "The table is empty."}
        assert failed["url"] == f"/api/runs/{children[2].pk}"
        assert {event.data["operation"] for event in events} == {"batch"}  # what children report stays in their logs

    async def test_the_children_are_there_from_the_first_event_on(self):
        batch = await self.finished(Batch(items=[Count(), Count()]))
        events, children = await self.assert_family(batch)
        ids = [str(child.pk) for child in children]
        listings = [event.data["metadata"]["children"] for event in events[:-1] if "children" in event.data["metadata"]]
        assert events[0].data["metadata"]["children"][1] == {
            "id": ids[1],
            "operation": "test_count",
            "status": "queued",
            "percentage": 0.0,
            "currentState": "queued",
        }
        assert all([entry["id"] for entry in listing] == ids for listing in listings)
        assert [entry["status"] for entry in listings[-1]] == ["completed"] * 2

    async def test_the_bar_is_the_weighted_mean(self):
        items = [{"operation": "test_count", "params": {"to": 1}, "weight": 3}, Hold()]
        batch = await runs.start(Batch(items=items))
        await self.until_found(pk=batch.pk, percentage=81.2)  # three quarters of it, and a quarter of the last one
        await runs.cancel(batch)
        await self.end_of(batch)
        assert batch.percentage == 81.2

    async def test_no_more_than_its_limit_execute_at_once(self):
        batch = await runs.start(Batch(items=[Hold()] * 4, concurrency=2))
        for begun in (2, 3, 4, 4):
            await self.until_found(parent=batch, position=begun - 1, status="running")
            running = [child for child in await self.children(batch) if child.status == "running"]
            assert len(running) <= 2
            await runs.cancel(running[0])
            await self.end_of(running[0])
        await self.end_of(batch)
        await self.assert_family(batch)
        assert (batch.status, batch.message) == ("completed", "0 of 4 completed")

    async def test_a_child_that_is_cancelled_while_it_waits_never_begins(self):
        batch = await runs.start(Batch(items=[Hold(), Count()], concurrency=1))
        first, second = await self.children(batch)
        await self.until(first, "running")
        await runs.cancel(second)
        assert (second.status, second.started_at) == ("cancelled", None)
        await runs.cancel(first)
        await self.end_of(batch)
        await self.assert_family(batch)
        assert batch.result["cancelled"] == 2

    async def test_a_hundred_children_fit_into_events(self):
        items = [Fail(how="bug"), Long(name="ä" * 90)]
        with self.assertLogs("progress", "ERROR"):
            batch = await runs.start(Batch(items=items * 50, concurrency=8))
            await self.end_of(batch, timeout=60)
        events, children = await self.assert_family(batch)
        assert len(children) == 100
        assert len(events[-1].data["metadata"]["children"]) == 100
        sizes = [len(event.payload) for event in events]
        assert max(sizes) <= setting("EVENT_BYTES")


def test_the_reports_of_an_hour_stay_below_the_limits():
    """Two a second at first and ever fewer later, and one for each end, all as large as they may be."""
    steady = REPORTS_PER_AGE * (1 + math.log(Batch.total_timeout / (REPORT_EVERY * REPORTS_PER_AGE)))
    assert (steady + MAX_ITEMS) * setting("EVENT_BYTES") < setting("RUN_BYTES")


def test_what_is_too_long_for_an_event_is_shortened_and_left_out_at_last():
    child = {"id": str(uuid.uuid4()), "operation": "o" * 100, "status": "running", "percentage": 33.3}
    assert listed([{**child, "currentState": "short"}])[0]["currentState"] == "short"
    assert {each["currentState"] for each in listed([{**child, "currentState": "s" * 100}] * 100)} == {"running"}
    wide = {**child, "operation": "\u00e4" * 100}
    assert {each["operation"] for each in listed([{**wide, "currentState": ""}] * 100)} == {"\u00e4" * 20}
    with override_settings(PROGRESS={"EVENT_BYTES": 4096}):
        assert listed([{**child, "currentState": ""}] * 100) == []


class FailFastTests(BatchCase):
    async def test_the_first_failure_ends_the_others_and_the_batch(self):
        items = [Hold(), Hold(kind="thread"), Fail(), Count()]
        batch = await self.finished(Batch(items=items, on_failure="fail_fast", concurrency=3))
        events, children = await self.assert_family(batch)
        assert [child.status for child in children] == ["cancelled", "cancelled", "failed", "cancelled"]
        assert (children[3].started_at, children[3].error["message"]) == (None, "Its batch was stopped.")
        assert (batch.status, batch.error["code"]) == ("failed", "no_data")
        assert batch.error["message"] == "Item 3 of 4 failed: The table is empty."
        assert events[-1].data["metadata"]["cancelled"] == 3
        assert batch.percentage < 100

    async def test_of_an_internal_error_the_id_is_given(self):
        with self.assertLogs("progress", "ERROR") as logged:
            batch = await self.finished(Batch(items=[Fail(how="bug")], on_failure="fail_fast"))
        assert batch.error["code"] == "internal"
        assert batch.error["errorId"] in logged.output[0]

    async def test_a_cancelled_child_is_a_failed_one(self):
        batch = await runs.start(Batch(items=[Hold(), Hold()], on_failure="fail_fast"))
        children = await self.children(batch)
        await self.until(children[1], "running")
        await runs.cancel(children[1])
        await self.end_of(batch)
        await self.assert_family(batch)
        assert (batch.status, batch.error["code"]) == ("cancelled", "cancelled")
        assert batch.error["message"] == "Item 2 of 2 was cancelled, and the batch with it."


class CancelTests(BatchCase):
    async def cancelled(self, batch):
        await runs.cancel(batch)
        marked = await in_database(lambda: set(batch.children.values_list("cancel_requested_at", flat=True)))
        assert None not in marked  # durable on return, for every child
        await self.end_of(batch)
        _events, children = await self.assert_family(batch)
        assert (batch.status, batch.error["code"]) == ("cancelled", "cancelled")
        assert {child.status for child in children} == {"cancelled"}
        return children

    @override_settings(PROGRESS={"CANCEL_GRACE": 0.5})
    async def test_it_reaches_every_child_whatever_that_does(self):
        items = [Hold(), Hold(kind="thread"), Hold(kind="swallows"), Count()]
        batch = await runs.start(Batch(items=items, concurrency=3))
        for child in (await self.children(batch))[:3]:
            await self.until(child, "running")
        with self.assertLogs("progress", "WARNING"):
            children = await self.cancelled(batch)
        assert "cut off" in children[2].error["message"]
        assert "cut off" not in batch.error["message"]
        assert children[3].started_at is None

    @override_settings(PROGRESS={"CANCEL_GRACE": 0.2})
    async def test_children_of_a_batch_that_is_cut_off_end_before_it(self):
        batch = await runs.start(Batch(items=[Hold(kind="blocking"), Hold(), Hold()], concurrency=2))
        await self.until((await self.children(batch))[0], "running")
        with self.assertLogs("progress", "WARNING"), patch.object(Batch, "extra_grace", 0.0):
            await self.cancelled(batch)

    async def test_before_it_began(self):
        batch = await sync_to_async(self.queued)(Batch(items=[Count(), Count()]))
        children = await self.cancelled(batch)
        assert {child.started_at for child in children} == {None}

    def queued(self, operation):
        with patch.object(runs, "enqueue"):
            return runs.create_run(operation)

    async def test_the_time_limit_of_the_batch_reaches_every_child(self):
        with patch.object(Batch, "total_timeout", 0.5):
            batch = await self.finished(Batch(items=[Hold(), Hold(kind="thread"), Count()], concurrency=2))
        _events, children = await self.assert_family(batch)
        assert (batch.status, batch.error["code"]) == ("failed", "timeout")
        assert {child.status for child in children} == {"cancelled"}


class LostWorkerTests(BatchCase):
    def lost(self, operation, *begun):
        """Return a batch whose process died after it had begun the children at these positions."""
        with patch.object(runs, "enqueue"):
            batch = runs.create_run(operation)
        for run in (batch, *batch.children.filter(position__in=begun)):
            runs.claim(run.pk)
            OperationRun.objects.filter(pk=run.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))
        return batch

    def test_its_children_end_first(self):
        batch = self.lost(
            Batch(items=[Again(), Count(), Count()]), 0, 1
        )  # what is idempotent is not executed alone either
        recovery.sweep()
        _events, children = async_to_sync(self.assert_family)(batch)
        assert {child.error["code"] for child in (batch, *children)} == {"worker_lost"}

    def test_a_cancelled_one_ends_as_cancelled(self):
        batch = self.lost(Batch(items=[Count(), Count()]), 0)
        runs.request_cancel(batch.pk)
        recovery.sweep()
        _events, children = async_to_sync(self.assert_family)(batch)
        assert {child.status for child in (batch, *children)} == {"cancelled"}

    @override_settings(PROGRESS={"QUEUE_TIMEOUT": 0.001})
    def test_children_do_not_wait_in_the_queue_but_end_with_what_does(self):
        with patch.object(runs, "enqueue"):
            waiting = runs.create_run(Batch(items=[Count()]))
        begun = self.lost(Batch(items=[Count()]))
        OperationRun.objects.filter(pk=begun.pk).update(lease_expires_at=timezone.now() + timedelta(seconds=60))
        time.sleep(0.01)
        recovery.sweep()
        _events, children = async_to_sync(self.assert_family)(waiting)
        assert {child.error["code"] for child in (waiting, *children)} == {"timeout"}
        assert begun.children.get().status == "queued"

    def test_nothing_is_left_behind_by_a_batch_that_has_ended(self):
        batch = self.lost(Batch(items=[Count(), Count()]))
        OperationRun.objects.filter(pk=batch.pk).update(status="failed")
        recovery.sweep()
        assert {child.status for child in batch.children.all()} == {"cancelled"}

    def test_a_batch_that_cannot_be_built_again_ends_with_its_children(self):
        with patch.object(runs, "enqueue"):
            batch = runs.create_run(Batch(items=[Count()]))
        OperationRun.objects.filter(pk=batch.pk).update(params={"items": [{"operation": "gone"}]})
        with self.assertLogs("progress", "ERROR"):
            runs.enqueue(batch.pk)
            async_to_sync(self.end_of)(batch)
        _events, children = async_to_sync(self.assert_family)(batch)
        assert {child.error["code"] for child in (batch, *children)} == {"invalid_request"}


class RandomTests(BatchCase):
    """P15: whatever becomes of a hundred children, each has one end, the batch ends once and last, and the sums agree."""

    async def one(self, seed, **options):
        chance = random.Random(seed)
        kinds = [
            Count(to=3),
            Write(text="x"),
            Fail(),
            Fail(how="bug"),
            Fail(how="exit"),
            Slow(),
            Hold(),
            Hold(kind="thread"),
        ]
        items = chance.choices(kinds, [8, 4, 3, 1, 1, 1, 1, 1], k=100)
        batch = await runs.start(Batch(items=items, concurrency=8, **options))
        children = await self.children(batch)
        chance.shuffle(children)
        holding = [child for child in children if child.operation == "test_hold"]
        for child in children[:10] + holding:
            await asyncio.sleep(chance.random() / 50)
            await runs.cancel(child)
        return batch

    async def ended(self, batch, seed):
        await self.end_of(batch, timeout=60)
        with self.subTest(seed=seed):
            return (await self.assert_family(batch))[1]

    async def test_collect(self):
        for seed in SEEDS:
            with self.assertLogs("progress", "ERROR"):
                batch = await self.one(seed)
                children = await self.ended(batch, seed)
            assert batch.status == "completed"
            for child in children:
                code = (child.error or {}).get("code")
                expected = {"test_count": {None}, "test_write": {None}, "test_slow": {"timeout"}, "test_hold": set()}
                assert code == "cancelled" or code in expected.get(child.operation, {"no_data", "internal"})

    async def test_the_whole_is_cancelled_at_a_random_moment(self):
        for seed in SEEDS:
            with self.assertLogs("progress", "ERROR"):
                logging.getLogger("progress").error("there need not be one")
                batch = await self.one(seed)
                await asyncio.sleep(random.Random(seed).random() / 5)
                await runs.cancel(batch)
                await self.ended(batch, seed)
            assert batch.status in ("cancelled", "completed")


class InsideTests(BatchCase):
    async def test_without_a_run(self):
        events = await events_of(Batch(items=[Count(to=2), Fail(), Count(to=5)]))
        done = events[-1].data
        assert (events[-1].type, done["message"]) == ("done", "2 of 3 completed")
        assert [child["id"] for child in done["metadata"]["children"]] == [None] * 3
        assert done["metadata"]["children"][2]["result"] == {"result": 5}
        assert done["metadata"]["children"][1]["error"]["code"] == "no_data"
        assert {event.data["operation"] for event in events} == {"batch"}

    async def test_as_a_part_of_another_operation(self):
        run = await self.finished(Inside())
        await self.assert_one_end(run)
        assert run.result["completed"] == 2
        assert await self.children(run) == []
        assert not await OperationRun.objects.exclude(pk=run.pk).aexists()

    async def test_its_children_are_stopped_with_it(self):
        items = [Hold(), Hold(kind="thread"), Hold(), Hold()]
        events = []
        executing = asyncio.create_task(stream_operation(Batch(items=items, concurrency=2), events.append))
        async with asyncio.timeout(20):
            while not any(event.data["percentage"] == 12.5 for event in events):
                await asyncio.sleep(0.01)
        executing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await executing
        assert events[-1].data["metadata"]["code"] == "cancelled"
        children = next(event.data["metadata"]["children"] for event in reversed(events[:-2]))
        assert {child["status"] for child in children} == {"cancelled"}

    async def test_fail_fast(self):
        events = await events_of(Batch(items=[Hold(), Fail()], on_failure="fail_fast"))
        assert (events[-1].type, events[-1].data["metadata"]["code"]) == ("error", "no_data")


class RetryTests(BatchCase):
    async def test_what_has_completed_is_not_executed_again(self):
        batch = await self.finished(Batch(items=[Count(), Fail(), Count(to=7)], on_failure="fail_fast", concurrency=1))
        again = await self.end_of(await runs.retry(batch))
        assert (again.retry_of_id, [item["operation"] for item in again.params["items"]]) == (
            batch.pk,
            ["test_fail", "test_count"],
        )

    async def test_nothing_is_left_to_do(self):
        batch = await self.finished(Batch(items=[Count()]))
        await OperationRun.objects.filter(pk=batch.pk).aupdate(status="cancelled")
        await batch.arefresh_from_db()
        with pytest.raises(runs.NotRetryable):
            await runs.retry(batch)

    async def test_a_child_is_tried_again_by_itself(self):
        batch = await self.finished(Batch(items=[Fail()]))
        (child,) = await self.children(batch)
        again = await self.end_of(await runs.retry(child))
        assert (again.parent_id, again.retry_of_id, again.status) == (None, child.pk, "failed")


class ParameterTests(BatchCase):
    def test_a_batch_holds_no_batch(self):
        with pytest.raises(ValidationError, match="cannot hold another batch"):
            Batch(items=[Batch(items=[Count()])])

    def test_an_operation_gives_its_own_parameters(self):
        assert Batch(items=[Demo(seconds=1, steps=2)]).items[0].params["steps"] == 2


class AdminTests(AdminCase, BatchCase):
    def test_a_batch_shows_its_children_and_the_list_leaves_them_out(self):
        batch = self.run_of(Batch(items=[Count(), Fail()]))
        children = async_to_sync(self.children)(batch)
        ids = {str(child.pk) for child in children}
        assert self.shown() == {str(batch.pk)}
        assert self.shown(parts="shown") == {str(batch.pk), *ids}
        assert self.shown(parts="only") == ids
        assert self.shown(q=str(children[0].pk)) == {str(children[0].pk)}
        page = self.client.get(f"/admin/progress/operationrun/{batch.pk}/change/").content.decode()
        assert all(f'href="/admin/progress/operationrun/{pk}/change/"' in page for pk in ids)
        page = self.client.get(f"/admin/progress/operationrun/{children[0].pk}/change/").content.decode()
        assert f'href="/admin/progress/operationrun/{batch.pk}/change/"' in page


@OPEN
class ApiTests(ApiCase, BatchCase):
    async def test_start_and_follow(self):
        client = await self.aclient_of(self.alice)
        body = {"items": [{"operation": "test_count"}, {"operation": "demo", "params": {"seconds": 0}, "weight": 2}]}
        response = await self.post(client, "/api/batches", body, Prefer="respond-async")
        assert response.status_code == 202
        answer = response.json()
        assert [child["operation"] for child in answer["children"]] == ["test_count", "demo"]
        child = (await client.get(answer["children"][0]["links"]["self"])).json()
        assert child["parent"] == answer["id"]
        assert "children" not in child
        stream = await client.get(answer["links"]["events"])
        frames = await self.frames(stream)
        assert frames[-1][1]["type"] == "done"
        run = (await client.get(answer["links"]["self"])).json()
        assert [child["status"] for child in run["children"]] == ["completed"] * 2
        assert run["result"]["completed"] == 2

    async def test_the_same_as_a_run(self):
        body = {"operation": "batch", "params": {"items": [{"operation": "test_count", "params": {"to": 5}}]}}
        run = (await self.post(self.client_of(), "/api/runs", body)).json()
        assert (run["message"], run["children"][0]["status"]) == ("1 of 1 completed", "completed")

    async def test_lists_hold_batches_and_their_children_where_asked_for(self):
        client = await self.aclient_of(self.alice)
        run = (await self.post(client, "/api/batches", {"items": [{"operation": "test_count"}]})).json()
        assert [item["id"] for item in (await client.get("/api/runs")).json()["items"]] == [run["id"]]
        children = (await client.get(f"/api/runs?parent={run['id']}")).json()["items"]
        assert [item["id"] for item in children] == [run["children"][0]["id"]]
        stranger = await self.aclient_of(self.bob)
        assert (await stranger.get(f"/api/runs?parent={run['id']}")).json()["items"] == []
        assert (await stranger.get(run["children"][0]["links"]["self"])).status_code == 404

    async def test_each_wrong_field_is_named(self):
        count = {"operation": "test_count"}
        for items, field in (
            ([count] * 3 + [{"operation": "demo", "params": {"seconds": "1"}}], "items.3.params.seconds"),
            ([count, {"operation": "demo", "params": {"second": 1}}], "items.1.params.second"),
            ([{"operation": "test_write"}], "items.0.params.text"),
            ([{"operation": "nothing"}], "items.0.operation"),
            ([{"operation": "batch", "params": {"items": [count]}}], "items.0.operation"),
            ([{**count, "weight": 0}], "items.0.weight"),
            ([{**count, "more": 0}], "items.0.more"),
            ([], "items"),
            ([count] * 101, "items"),
        ):
            with self.subTest(field=field):
                response = await self.post(self.client_of(), "/api/batches", {"items": items})
                body = self.assertProblem(response, 422, "invalid_request")
                assert field in [error["field"] for error in body["errors"]]
                run = {"operation": "batch", "params": {"items": items}}
                body = self.assertProblem(await self.post(self.client_of(), "/api/runs", run), 422, "invalid_request")
                assert f"params.{field}" in [error["field"] for error in body["errors"]]
        assert not await OperationRun.objects.aexists()

    async def test_the_permission_of_each_item_is_needed(self):
        body = {"items": [{"operation": "test_count"}, {"operation": "test_kept"}]}
        client = await self.aclient_of(self.alice)
        for path, sent in (("/api/batches", body), ("/api/runs", {"operation": "batch", "params": body})):
            self.assertProblem(await self.post(client, path, sent), 403, "not_allowed", "progress.change_operationrun")
        batch = await self.finished(
            Batch(items=[Kept(), Fail()], on_failure="fail_fast", concurrency=1), owner=self.alice
        )
        await OperationRun.objects.filter(parent=batch).aupdate(status="failed")
        self.assertProblem(await self.post(client, f"/api/runs/{batch.pk}/retry"), 403, "not_allowed")
        permission = await Permission.objects.aget(codename="change_operationrun")
        await self.alice.user_permissions.aadd(permission)
        assert (await self.post(client, "/api/batches", body)).json()["result"]["completed"] == 2


def test_a_site_that_is_killed_ends_its_batches_when_it_is_back(tmp_path):
    database, secret = f"sqlite:///{tmp_path / 'site.sqlite3'}", "k" * 50
    items = [{"operation": "demo", "params": {"seconds": seconds}} for seconds in (0, 60, 60, 60)]
    with requests.Session() as visitor:
        with running_site(database, SECRET_KEY=secret) as site:
            visitor.get(f"{site.address}/api/docs", timeout=30)
            headers = {"X-CSRFToken": visitor.cookies["csrftoken"], "Prefer": "respond-async"}
            body = {"items": items, "concurrency": 2}
            batch = visitor.post(f"{site.address}/api/batches", json=body, headers=headers, timeout=30).json()
            standing, deadline = [], time.monotonic() + 60
            while standing != ["completed", "running", "running", "queued"]:
                assert time.monotonic() < deadline, standing
                time.sleep(0.05)
                run = visitor.get(f"{site.address}{batch['links']['self']}", timeout=30).json()
                standing = [child["status"] for child in run["children"]]
            site.process.kill()
            site.process.wait(timeout=30)
        with running_site(database, SECRET_KEY=secret) as site:
            run = visitor.get(f"{site.address}{batch['links']['self']}", timeout=30).json()
            assert (run["status"], run["error"]["code"]) == ("failed", "worker_lost")
            assert [child["status"] for child in run["children"]] == ["completed", "failed", "failed", "failed"]
            ends = []
            for each in [*run["children"], run]:
                answer = visitor.get(
                    f"{site.address}{each['links']['events']}", headers={"Accept": "application/json"}, timeout=30
                )
                events = answer.json()["items"]
                assert [event["id"] for event in events] == list(range(1, len(events) + 1))
                assert [event["type"] in ("done", "error") for event in events].index(True) == len(events) - 1
                ends.append(events[-1]["at"])
            assert max(ends) == ends[-1]
