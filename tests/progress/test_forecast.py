import asyncio
import threading
from datetime import timedelta
from typing import ClassVar
from unittest import mock

from django.db import DatabaseError
from django.test import SimpleTestCase
from django.utils import timezone

from progress import StreamingOperation, runs
from progress.execution import supervisor
from progress.forecast import Forecast, History
from progress.models import OperationTiming
from progress.timings import KEPT

from .case import RunCase
from .cast import Count, Fail, Stages

TEN = History((10_000 + 1_000 * number, {"load": 0, "save": 4_000}) for number in range(10))  # 10 to 19 s


def entered(history, **states):
    forecast = Forecast(history)
    for name, at in states.items():
        forecast.enter(name, at)
    return forecast


def counted(*points):
    forecast = Forecast()
    for elapsed, percentage in points:
        forecast.count(percentage, elapsed)
    return forecast


class RemainingTests(SimpleTestCase):
    def test_nothing_is_known_without_history_or_count(self):
        assert Forecast().remaining(500) is None
        assert entered(History([(9_000, {}), (9_000, {})]), load=0).remaining(500) is None, "two runs say little"

    def test_history_tells_the_rest_after_each_state(self):
        assert entered(TEN, load=0).remaining(0) == 15_000
        assert entered(TEN, load=0, save=8_000).remaining(8_000) == 11_000
        assert entered(TEN, load=0, save=8_000).remaining(10_000) == 9_000

    def test_a_state_that_history_does_not_know_is_judged_by_the_whole(self):
        assert entered(TEN, other=0).remaining(2_000) == 13_000

    def test_a_run_beyond_the_median_is_compared_with_those_that_took_longer(self):
        assert entered(TEN, load=0).remaining(15_500) == 2_500
        assert entered(TEN, load=0).remaining(16_500) == 1_500
        assert entered(TEN, load=0).remaining(17_500) is None, "too few took longer"
        assert entered(TEN, load=0).remaining(60_000) is None

    def test_it_is_not_more_exact_than_an_estimate_is(self):
        for total, said in [
            (37, 0),
            (420, 400),
            (1_234, 1_200),
            (12_345, 12_000),
            (123_456, 120_000),
            (7_654_321, 7_700_000),
        ]:
            assert entered(History([(total, {})] * 3)).remaining(0) == said

    def test_a_steady_count_of_this_run_is_better_than_history(self):
        steady = [(second * 1_000, second * 2) for second in range(21)]
        assert counted(*steady).remaining(20_000) == 30_000
        forecast = entered(TEN, running=0)
        for elapsed, percentage in steady:
            forecast.count(percentage, elapsed)
        assert forecast.remaining(20_000) == 30_000

    def test_a_count_that_has_hardly_begun_says_nothing(self):
        assert counted((0, 0), (100, 50)).remaining(100) is None
        assert counted((0, 0), (60_000, 2)).remaining(60_000) is None

    def test_a_count_that_is_not_steady_says_nothing(self):
        assert counted((0, 0), (1_000, 40), (10_000, 41)).remaining(10_000) is None
        assert counted((0, 0), (9_000, 1), (10_000, 60)).remaining(10_000) is None
        assert counted(*[(second * 1_000, second * 2) for second in range(21)]).remaining(90_000) is None, (
            "it stands still"
        )


class PaceTests(SimpleTestCase):
    def test_slow_is_longer_than_nine_of_ten_in_this_state_or_in_all(self):
        forecast = entered(TEN, load=0)
        assert [forecast.pace(ms) for ms in (4_900, 5_100)] == ["usual", "slow"]
        forecast.enter("save", 5_100)
        assert [forecast.pace(ms) for ms in (5_200, 18_900, 19_200)] == ["usual", "usual", "slow"]

    def test_few_runs_do_not_say_what_is_usual(self):
        assert entered(History([(10, {"load": 0})] * 7), load=0).pace(60_000) == "usual"

    def test_a_moment_is_not_slow(self):
        assert entered(History([(10, {"load": 0})] * 8), load=0).pace(500) == "usual"


class AwaitingPace(StreamingOperation[None]):
    """Go on until it has been called slow."""

    operation_name = "test_awaiting_pace"

    async def execute(self, progress):
        progress(message="Waiting")
        while progress._reporter.pace != "slow":
            await asyncio.sleep(0.02)
        progress(message="Going on")


class Silent(StreamingOperation[None]):
    """Say nothing until told to."""

    operation_name = "test_silent"
    told: ClassVar = threading.Event()

    async def execute(self, progress):
        while not self.told.is_set():
            await asyncio.sleep(0.02)
        progress(message="Going on")


def paces(events):
    """Return the message and pace of each event that has one."""
    metadata = [(event.data["message"], event.data["metadata"]) for event in events if event.type == "progress"]
    return [(message, known["pace"]) for message, known in metadata if "pace" in known]


class HistoryTests(RunCase):
    async def known(self, operation, count=10, total=60_000, **states):
        now = timezone.now()
        await OperationTiming.objects.abulk_create(
            OperationTiming(
                operation=operation, finished_at=now - timedelta(minutes=age), total_ms=total, states=states
            )
            for age in range(count)
        )

    async def timings(self, operation, count):
        async with asyncio.timeout(20):
            while await OperationTiming.objects.filter(operation=operation).acount() != count or supervisor.executions:
                await asyncio.sleep(0.02)
        return await OperationTiming.objects.filter(operation=operation).order_by("-finished_at").afirst()

    async def test_a_completed_run_is_remembered_with_its_states(self):
        await self.finished(Stages())
        timing = await self.timings("test_stages", 1)
        assert list(timing.states) == ["load", "check", "save"]
        assert list(timing.states.values()) == sorted(timing.states.values())
        assert timing.total_ms >= timing.states["save"]

    async def test_what_failed_says_nothing_about_what_is_usual(self):
        await self.finished(Fail())
        await self.timings("test_fail", 0)

    async def test_the_newest_are_kept(self):
        await self.known("test_count", KEPT + 4, 77)
        await self.known("test_other", 3)
        await self.finished(Count(to=1))
        newest = await self.timings("test_count", KEPT)
        assert (newest.total_ms, list(newest.states)) != (77, []), "it is among them"
        assert await OperationTiming.objects.filter(operation="test_other").acount() == 3

    async def test_a_run_ends_well_although_nothing_can_be_remembered_or_read(self):
        broken = DatabaseError("no such table")
        with (
            mock.patch("progress.timings._remember", side_effect=broken),
            mock.patch("progress.timings._history", side_effect=broken),
            self.assertLogs("progress", "ERROR") as logs,
        ):
            run = await self.finished(Count(to=1))
            await self.timings("test_count", 0)
        await self.assert_one_end(run)
        assert run.status == "completed"
        assert len(logs.records) == 2

    async def test_events_say_how_long_it_will_take(self):
        await self.known("test_count", running=0)
        run = await self.finished(Count(to=2))
        events = await self.assert_one_end(run)
        etas = [event.data["metadata"].get("etaMs") for event in events if event.type == "progress"]
        assert [eta is None for eta in etas] == [True, False, False, False, True], "not while queued, not at the end"
        assert all(40_000 < eta <= 60_000 for eta in etas[1:4])
        assert {event.data["metadata"].get("pace") for event in events[1:4]} == {"usual"}

    async def test_slow_is_said_once(self):
        await self.known("test_awaiting_pace", total=10, running=0)
        run = await self.finished(AwaitingPace())
        said = [pace for _message, pace in paces(await self.assert_one_end(run))]
        assert len(said) == 4, "three reports, and one of the pace"
        assert said == sorted(said, reverse=True)
        assert said[-1] == "slow"

    async def test_stalled_is_said_once_and_taken_back(self):
        Silent.told.clear()
        run = await runs.start(Silent())
        await self.until(run, "running")
        (execution,) = supervisor.executions
        supervisor.forget(execution)  # the looks are this test's own, at times of its own
        async with asyncio.timeout(20):
            while supervisor._thread is not None:
                await asyncio.sleep(0.02)
        for silent in (1, 39, 41, 60, 1, 2):  # of 120 seconds
            execution.check(execution.reporter.reported + silent)
        Silent.told.set()
        await self.end_of(run)
        assert paces(await self.assert_one_end(run)) == [
            ("Started", "usual"),
            ("Started", "stalled"),
            ("Started", "usual"),
            ("Going on", "usual"),
        ]
