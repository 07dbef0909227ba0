import asyncio
import contextlib
import io
import logging
import sys
import threading
import time
from unittest import mock

import pytest
from django.test import SimpleTestCase, override_settings
from tqdm import tqdm, trange
from tqdm.asyncio import tqdm as async_tqdm

from progress import follow_logging, follow_tqdm, operation, runs
from progress.exceptions import OperationCancelled

from .case import RunCase
from .test_reporting import messages, percentages, report

AT_ONCE = {"mininterval": 0, "miniters": 1}  # tqdm itself leaves out what comes within a tenth of a second
ORIGINALS = [tqdm.__dict__[name] for name in ("__init__", "refresh", "close")]
shop = logging.getLogger("shop")


def unpatched():
    return [tqdm.__dict__[name] for name in ("__init__", "refresh", "close")] == ORIGINALS


def shown(script):
    """Return the percentages of `script(progress)` without those of its start and end, and what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stderr(printed):
        events = report(script)
    assert unpatched()
    return percentages(events)[1:-1], messages(events)[1:-1], printed.getvalue()


def distinct(values):
    return list(dict.fromkeys(values))


class TqdmTests(SimpleTestCase):
    def test_a_bar_of_code_that_knows_nothing_of_it_is_followed_and_not_printed(self):
        def script(progress):
            with follow_tqdm(progress):
                for _ in tqdm(range(4), desc="Reading", **AT_ONCE):
                    pass

        percentages, messages, printed = shown(script)
        assert distinct(percentages) == [0, 25, 50, 75, 99.9]
        assert (distinct(messages), printed) == (["Reading"], "")

    def test_bars_that_are_moved_by_hand_and_change_their_text(self):
        def script(progress):
            with follow_tqdm(progress), tqdm(total=10, initial=2, **AT_ONCE) as bar:
                bar.update(3)
                bar.set_description("Half")
                bar.update(4)

        percentages, messages, _ = shown(script)
        assert distinct(percentages) == [20, 50, 90]
        assert messages[-1] == "Half"

    def test_a_bar_within_a_bar_moves_within_its_item(self):
        def script(progress):
            with follow_tqdm(progress):
                for _ in trange(2, desc="Epoch", **AT_ONCE):
                    for _ in trange(4, desc="Batch", leave=False, **AT_ONCE):
                        pass

        percentages, messages, _ = shown(script)
        assert distinct(percentages) == [0, 12.5, 25, 37.5, 50, 62.5, 75, 87.5, 99.9]
        assert distinct(messages) == ["Epoch", "Batch"]

    def test_bars_one_after_the_other_share_the_whole(self):
        def script(progress):
            with follow_tqdm(progress, bars=2):
                for _ in range(3):  # one more than was said
                    for _ in trange(2, **AT_ONCE):
                        pass

        assert distinct(shown(script)[0]) == [0, 25, 50, 75, 99.9]

    def test_a_bar_of_unknown_length_is_indeterminate(self):
        def script(progress):
            with follow_tqdm(progress):
                for _ in tqdm(iter("ab"), **AT_ONCE):
                    pass

        assert set(shown(script)[0]) == {None}

    def test_a_step_can_follow(self):
        def script(progress):
            with progress.step("Model", weight=0.5) as step, follow_tqdm(step):
                for _ in trange(2, **AT_ONCE):
                    pass

        assert distinct(shown(script)[0]) == [0, 25, 50]

    def test_bars_meant_for_terminals_are_followed_and_disabled_ones_are_not(self):
        def script(progress):
            with follow_tqdm(progress):
                list(trange(2, desc="terminal", disable=None, **AT_ONCE))
                list(trange(2, desc="off", disable=True, **AT_ONCE))

        assert distinct(shown(script)[1]) == ["terminal"]

    def test_bars_left_early_by_break_or_exception_or_kept(self):
        def script(progress):
            with follow_tqdm(progress):
                for _ in trange(4, **AT_ONCE):
                    break
                with contextlib.suppress(KeyError):
                    for _ in trange(4, **AT_ONCE):
                        raise KeyError
                kept = trange(4, **AT_ONCE)
                kept.update(1)
            kept.update(1)
            kept.close()

        percentages, _, printed = shown(script)
        assert (percentages[-1], printed) == (25, "")

    def test_async_bars(self):
        async def script(progress):
            async def letters():
                for letter in "ab":
                    yield letter

            with follow_tqdm(progress):
                async for _ in async_tqdm(letters(), total=2, **AT_ONCE):
                    await asyncio.sleep(0)

        assert distinct(shown(script)[0]) == [0, 50, 99.9]

    def test_each_of_several_runs_at_once_gets_its_own_bars(self):
        both = threading.Barrier(2, timeout=20)

        def work(progress, name):
            with follow_tqdm(progress):
                for _ in trange(3, desc=name, **AT_ONCE):
                    both.wait()

        async def script(progress):
            from progress import StreamingOperation

            class Part(StreamingOperation[None]):
                name: str

                async def execute(self, progress):
                    await progress.in_thread(work, progress, self.name)

            Part.operation_name = "test_part"
            await asyncio.gather(*(progress.run(Part(name=name), weight=0.5) for name in "ab"))

        printed = io.StringIO()
        with contextlib.redirect_stderr(printed):
            events = report(script)
        assert unpatched()
        assert printed.getvalue() == ""
        # Two operations of one name: each message is one of its own, never one that stands for both.
        parts = [event for event in events if event.data["operation"] == "test_part"]
        assert {event.data["message"] for event in parts} == {"Started", "a", "b", "Completed"}
        assert percentages(events)[-2:] == [99.9, 100]

    def test_bars_of_other_code_are_printed_as_ever(self):
        printed, follows, goes_on = io.StringIO(), threading.Event(), threading.Event()

        def elsewhere():
            follows.wait(20)
            list(trange(2, desc="elsewhere", file=printed))
            goes_on.set()

        def script(progress):
            other = threading.Thread(target=elsewhere)
            other.start()
            with follow_tqdm(progress):
                follows.set()
                goes_on.wait(20)
            other.join(20)

        assert "elsewhere" not in "".join(shown(script)[1])
        assert "elsewhere: 100%" in printed.getvalue()

    def test_without_tqdm_it_says_what_is_missing(self):
        def script(progress):
            with (
                mock.patch.dict(sys.modules, {"tqdm.std": None}),
                pytest.raises(ModuleNotFoundError, match="needs the package tqdm"),
                follow_tqdm(progress),
            ):
                pass

        shown(script)


@operation(name="test_foreign")
def foreign(progress) -> None:
    """Call code with a bar that never ends."""
    with follow_tqdm(progress):
        for _ in tqdm(iter(int, 1), desc="For ever"):
            time.sleep(0.01)


class CancelTests(RunCase):
    async def test_a_cancel_comes_out_of_the_bar_and_leaves_tqdm_as_it_was(self):
        run = await runs.start(foreign())
        await self.until(run, "running")
        await runs.cancel(run)
        await self.end_of(run)
        await self.assert_one_end(run)
        assert (run.status, run.message) == ("cancelled", "Cancelled.")
        async with asyncio.timeout(20):
            while not unpatched():  # the thread that held the bar ends by itself
                await asyncio.sleep(0.02)
        async with asyncio.timeout(20):
            await asyncio.to_thread(tqdm.write, "", file=io.StringIO())  # which takes tqdm's lock


def logged_by(script):
    return distinct(messages(report(script))[1:-1])


def echoes(event, context):
    shop.warning("a hook logs")
    return event


class LoggingTests(SimpleTestCase):
    def setUp(self):
        shop.setLevel(logging.DEBUG)
        self.addCleanup(shop.setLevel, logging.NOTSET)

    def test_chosen_lines_become_messages(self):
        def script(progress):
            with follow_logging(progress, "shop", filter=lambda record: "secret" not in record.getMessage()):
                shop.info("read %d rows", 5)
                shop.debug("too small")
                shop.warning("a secret")
                logging.getLogger("shop.orders").warning("late")
                logging.getLogger("elsewhere").warning("not asked for")
                shop.info("%d", "not a number")
            shop.info("too late")

        with mock.patch.object(logging, "raiseExceptions", False):
            assert logged_by(script) == ["read 5 rows", "late"]
        assert shop.handlers == []

    def test_long_lines_are_cut(self):
        def script(progress):
            with follow_logging(progress, "shop"):
                shop.info("x" * 100_000)

        assert logged_by(script) == ["x" * 500 + "…"]

    def test_only_lines_of_this_run(self):
        async def script(progress):
            with follow_logging(progress, "shop"):
                other = threading.Thread(target=shop.warning, args=["another thread"])
                other.start()
                other.join(20)
                await progress.in_thread(shop.warning, "own thread")

        assert logged_by(script) == ["own thread"]

    def test_several_followers_in_one_run(self):
        def script(progress):
            with follow_logging(progress, "shop"), follow_logging(progress, "elsewhere", level="ERROR"):
                shop.info("one")
                logging.getLogger("elsewhere").error("two")
                logging.getLogger("elsewhere").warning("three")

        assert logged_by(script) == ["one", "two"]

    def test_what_reporting_logs_is_not_followed(self):
        def script(progress):
            with follow_logging(progress, "", "progress"):
                shop.warning("once")
                logging.getLogger("progress").warning("about progress")

        with override_settings(PROGRESS={"HOOKS": [f"{__name__}.echoes"]}):
            assert logged_by(script) == ["once"]

    def test_a_run_that_was_cancelled_ends_at_its_next_line(self):
        def script(progress):
            with follow_logging(progress, "shop"):
                progress._reporter.stop(OperationCancelled())
                progress._reporter.stopped_at -= 60
                shop.info("one more")
            return "not reached"

        assert report(script)[-1].data["metadata"]["code"] == "cancelled"
