"""GET /metrics: who may read it, and what it says."""

import re
from datetime import timedelta

from asgiref.sync import sync_to_async
from django.test import SimpleTestCase
from django.utils import timezone

from progress import metrics, runs
from progress.limits import open_streams
from progress.models import ApiToken, OperationRun
from progress.owners import Owner

from .cast import Count
from .test_api import OPEN, ApiCase
from .test_limits import Patient

LINE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\.)*",?)+)\})? (\S+)')


def read(text):
    """Read the format as Prometheus does: every sample by its name and labels; each name is described before it."""
    samples, described = {}, set()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, meaning = line.split(" ", 3)[2:]
            assert meaning
        elif line.startswith("# TYPE "):
            name, kind = line.split(" ")[2:]
            assert kind in ("counter", "gauge", "summary")
            assert name not in described, name
            described.add(name)
        else:
            name, labels, value = LINE.fullmatch(line).groups()
            assert {name, re.sub(r"_(sum|count)$", "", name)} & described, name
            samples[name, labels or ""] = float(value)
    return samples


@OPEN
class MetricsTests(ApiCase):
    def figures(self):
        return read(metrics.exposition())

    async def test_who_may_read_them(self):
        expected = {"carol": 200, "dave": 403, "alice": 403, None: 401}
        for name, status in expected.items():
            client = await self.aclient_of(getattr(self, name)) if name else self.client_of()
            assert (await client.get("/metrics")).status_code == status, name

    async def test_a_program_reads_them_by_token(self):
        for user, status in ((self.carol, 200), (self.alice, 403)):
            token = await sync_to_async(ApiToken.issue)(user, "prometheus")
            response = await self.client_of().get("/metrics", headers={"Authorization": f"Bearer {token}"})
            assert response.status_code == status
            if status == 200:
                assert response["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
                assert read(response.content.decode())
        response = await self.client_of().get("/metrics", headers={"Authorization": "Bearer wrong"})
        self.assertProblem(response, 401, "not_allowed")

    async def test_what_this_process_did_is_counted(self):
        before = await sync_to_async(self.figures)()
        run = await self.finished(Count(to=3))
        cancelled = await runs.start(Patient())
        await self.until(cancelled, "running", timeout=30)
        during = await sync_to_async(self.figures)()
        await runs.cancel(cancelled)
        await self.end_of(cancelled)
        await sync_to_async(self.settled)()
        after = await sync_to_async(self.figures)()

        def grew(name, labels=""):
            return after[name, labels] - before.get((name, labels), 0)

        assert grew("progress_runs_started_total", 'operation="test_count"') == 1
        assert grew("progress_events_appended_total") >= run.last_seq - 1
        assert grew("progress_commit_seconds_count") > 0
        assert grew("progress_commit_seconds_sum") > 0
        assert grew("progress_cancel_seconds_count") == 1
        assert during["progress_executions", ""] == 1
        assert after["process_threads", ""] >= 1
        assert after["process_resident_memory_bytes", ""] > 1_000_000

    def settled(self):
        from progress.testing import settle

        settle()

    def test_what_the_database_holds(self):
        OperationRun.objects.create(operation="demo", status="completed")
        waiting = OperationRun.objects.create(operation="demo")
        OperationRun.objects.create(operation="demo", parent=waiting)
        OperationRun.objects.filter(pk=waiting.pk).update(created_at=timezone.now() - timedelta(seconds=100))
        found = self.figures()
        assert found["progress_runs", 'operation="demo",status="completed"'] == 1
        assert found["progress_runs", 'operation="demo",status="queued"'] == 2
        assert found["progress_queue_length", ""] == 1
        assert found["progress_queue_oldest_seconds", ""] >= 100

    async def test_open_streams(self):
        before = (await sync_to_async(self.figures)())["progress_streams", ""]
        with open_streams.slot(Owner(visitor="v")):
            assert (await sync_to_async(self.figures)())["progress_streams", ""] == before + 1

    async def test_it_is_no_stream_and_no_form(self):
        client = await self.aclient_of(self.carol)
        assert (await client.post("/metrics")).status_code == 405
        assert (await client.get("/metrics"))["Cache-Control"] == "no-store"


class FormatTests(SimpleTestCase):
    def test_labels_are_escaped(self):
        line = metrics.sample("name", 2, {"label": 'a"b\\c\nd'})
        assert line == r'name{label="a\"b\\c\nd"} 2'
        assert read(f"# HELP name x\n# TYPE name gauge\n{line}")

    def test_numbers(self):
        assert [metrics.sample("n", value) for value in (0, 1.5, 10**9, 0.1 + 0.2)] == [
            "n 0",
            "n 1.5",
            "n 1000000000",
            "n 0.3",
        ]
