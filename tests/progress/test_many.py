"""GET /api/events: many runs in one stream, and what a reader sees who comes back."""

import asyncio
import json
import random
import time
from datetime import timedelta
from uuid import uuid4

from asgiref.sync import sync_to_async
from django.test import SimpleTestCase, override_settings
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from progress import many, runs
from progress.models import ApiToken, OperationEvent, OperationRun
from progress.sse import Cursor

from .cast import Count, Hold
from .sse_parser import SSEParser
from .test_api import OPEN, ApiCase


class CursorTests(SimpleTestCase):
    @given(st.integers(0, 2**42), st.dictionaries(st.uuids(), st.integers(0, 2**32 - 1), max_size=150))
    def test_is_read_as_it_was_written(self, since, numbers):
        cursor = Cursor(since)
        for run, number in numbers.items():
            cursor.put(run, number)
        written = cursor.encode().decode()
        again = Cursor.decode(written)
        assert (again.since, [again.get(run) for run in numbers]) == (since, list(numbers.values()))
        assert again.encode().decode() == written
        assert len(written) <= 2_300

    @given(st.text() | st.binary().map(lambda junk: "AQAAAAAAAA" + junk.hex()))
    def test_anything_else_is_no_cursor(self, text):
        assert (cursor := Cursor.decode(text)) is None or cursor.encode() == text.encode()

    def test_a_run_that_is_over_leaves_it(self):
        cursor, run = Cursor(5), uuid4()
        cursor.put(run, 300)
        assert run in cursor
        cursor.discard(run)
        assert (run in cursor, cursor.get(run), cursor.encode()) == (False, 0, Cursor(5).encode())


class ManyCase(ApiCase):
    """A reader that remembers its cursor as a browser does, and checks the order of each run."""

    def setUp(self):
        super().setUp()
        self.seen, self.cursor = {}, None

    async def get(self, client, runs=None, after=None, **headers):
        query = {} if runs is None else {"runs": ",".join(str(getattr(run, "pk", run)) for run in runs)}
        if after or self.cursor:
            headers["Last-Event-ID"] = after or self.cursor
        return await client.get("/api/events", query, headers=headers)

    async def read(self, response, until=None, timeout=60):
        """Note what the stream brings until `until()` holds or it ends; return (run, event id, event) of each."""
        assert response.status_code == 200, response.content
        assert response["Content-Type"] == "text/event-stream; charset=utf-8"
        parser, found, content = SSEParser(), [], response.streaming_content
        async with asyncio.timeout(timeout):
            async for chunk in content:
                new = len(parser.messages)
                parser.feed(chunk)
                self.cursor = parser._last_id or self.cursor
                for cursor, _, data in parser.messages[new:]:
                    event = json.loads(data)
                    self.note(event)
                    found.append((event["run"], event["id"], event))
                    self.cursor = cursor
                    if until is not None and until():
                        break
                if until is not None and until():
                    break
        await content.aclose()
        await response._iterator.aclose()  # what the server's cancellation does when the client leaves
        return found

    def note(self, event):
        if event["data"]["metadata"].get("resync"):
            self.seen[event["run"]] = [event["id"]]
            return
        numbers = self.seen.setdefault(event["run"], [])
        assert event["id"] == (numbers[-1] if numbers else 0) + 1, (event, numbers)
        numbers.append(event["id"])

    def last(self, run):
        numbers = self.seen.get(str(run.pk))
        return numbers[-1] if numbers else 0

    async def assert_whole(self, *wanted):
        """Of each run every event was seen once and in order, as it stands in the log."""
        for run in wanted:
            assert self.seen[str(run.pk)] == [event.seq for event in await self.events(run)]


@OPEN
class NamedTests(ManyCase):
    async def test_brings_the_events_of_each_run_as_its_own_stream_does_and_ends(self):
        client = await self.aclient_of(self.alice)
        mine = [await runs.start(Count(to=5), owner=self.alice) for _ in range(3)]
        response = await self.get(client, mine)
        for name in ("Cache-Control", "X-Accel-Buffering", "Content-Encoding"):
            assert response[name] == (await client.get(f"/api/runs/{mine[0].pk}/events"))[name]
        found = await self.read(response)
        for run in mine:
            alone = await self.frames(await client.get(f"/api/runs/{run.pk}/events"))
            together = [
                (number, {"type": e["type"], "data": e["data"]}) for of, number, e in found if of == str(run.pk)
            ]
            assert together == alone
        assert (await self.get(client, mine)).status_code == 204

    async def test_is_fair_to_a_short_run_beside_long_ones(self):
        long = [await self.finished(Count(to=800, rest=0.0), owner=self.alice) for _ in range(2)]
        for run in long:  # ticks are merged, so the log is made longer by hand
            last, text = run.last_seq, '{"type":"content","data":{"metadata":{}}}'
            await OperationEvent.objects.abulk_create(
                OperationEvent(run=run, seq=last + n, at=0, type="content", payload=text) for n in range(1, 1201)
            )
            await OperationRun.objects.filter(pk=run.pk).aupdate(last_seq=last + 1200)
        short = await self.finished(Count(to=2), owner=self.alice)
        client = await self.aclient_of(self.alice)
        found = await self.read(await self.get(client, [*long, short]))
        order = [run for run, _, _ in found]
        assert len(order) - order[::-1].index(str(short.pk)) <= 1100  # after one page of each
        assert len(order) == sum([(await OperationRun.objects.aget(pk=run.pk)).last_seq for run in [*long, short]])

    async def test_a_reader_that_comes_back_at_any_point_misses_and_repeats_nothing(self):
        client, chance = await self.aclient_of(self.alice), random.Random(7)
        mine = [await runs.start(Count(to=25, rest=0.01), owner=self.alice) for _ in range(4)]
        while (response := await self.get(client, mine)).status_code != 204:
            goal = sum(map(len, self.seen.values())) + chance.randint(1, 9)
            await self.read(response, until=lambda goal=goal: sum(map(len, self.seen.values())) >= goal)
        await self.assert_whole(*mine)

    async def test_a_client_may_give_its_own_positions(self):
        client = await self.aclient_of(self.alice)
        one, two = [await self.finished(Count(to=3), owner=self.alice) for _ in range(2)]
        response = await self.get(client, [f"{one.pk}:2", f"{two.pk}:{two.last_seq}"])
        self.seen = {str(one.pk): [1, 2]}
        assert {run for run, _, _ in await self.read(response)} == {str(one.pk)}
        await self.assert_whole(one)

    async def test_a_position_that_cannot_be_served_is_said_per_run(self):
        client = await self.aclient_of(self.alice)
        one, two, three = [await self.finished(Count(to=3), owner=self.alice) for _ in range(3)]
        await one.events.filter(seq__lte=2).adelete()
        response = await self.get(client, [f"{one.pk}:1", f"{two.pk}:999999", f"{three.pk}:1"])
        self.seen[str(three.pk)] = [1]
        found = await self.read(response)
        assert {run: number for run, number, event in found if event["data"]["metadata"].get("resync")} == {
            str(one.pk): 2,
            str(two.pk): 0,
        }
        await self.assert_whole(three)
        assert self.seen[str(two.pk)] == list(range(two.last_seq + 1))
        for junk in ("garbage", "-1", "9" * 10_000, "5", "AQ", "\x00"):
            with self.subTest(junk=junk[:9]):
                found = await self.read(await self.get(client, [two], after=junk))
                assert (found[0][1], found[0][2]["data"]["metadata"]["resync"]) == (0, True)

    async def test_what_cannot_be_served_is_said_again_until_it_was_heard(self):
        client = await self.aclient_of(self.alice)
        one, two = [await self.finished(Count(to=3), owner=self.alice) for _ in range(2)]
        await self.read(await self.get(client, [f"{one.pk}:99", f"{two.pk}:99"]), until=lambda: self.seen)
        assert len(self.seen) == 1
        await self.read(await self.get(client, [one, two]))
        assert self.seen == {str(run.pk): list(range(run.last_seq + 1)) for run in (one, two)}

    async def test_what_cannot_be_read(self):
        client = await self.aclient_of(self.alice)
        own = await self.finished(Count(), owner=self.alice)
        foreign = await self.finished(Count(), owner=self.bob)
        self.assertProblem(await self.get(client, [own, foreign]), 404, "not_allowed")
        self.assertProblem(await self.get(client, [own, uuid4()]), 404, "not_allowed")
        for wrong in ([""], ["1"], [own, "x"], [uuid4() for _ in range(many.ROOM + 1)]):
            self.assertProblem(await self.get(client, wrong), 422, "invalid_request", "runs: ")
        response = await self.get(client, [own], **{"Sec-Fetch-Site": "cross-site"})
        self.assertProblem(response, 403, "not_allowed")
        staff = await self.aclient_of(self.carol)
        assert len(await self.read(await self.get(staff, [own]))) == own.last_seq

    @override_settings(PROGRESS={"HEARTBEAT": 0.05})
    async def test_silence_is_broken_by_comments(self):
        run = await runs.start(Hold(), owner=self.alice)
        await self.until(run, "running")
        response = await (await self.aclient_of(self.alice)).get("/api/events", {"runs": f"{run.pk}:3"})
        content = response.streaming_content
        async with asyncio.timeout(60):
            assert [await anext(content) for _ in range(3)][-1] == b": keep-alive\n\n"
        await content.aclose()
        await response._iterator.aclose()


@OPEN
class OwnTests(ManyCase):
    async def test_brings_runs_that_are_active_and_those_that_start_later(self):
        client = await self.aclient_of(self.alice)
        before = await self.finished(Count(), owner=self.alice)
        now = await runs.start(Hold(), owner=self.alice)
        later = []

        async def start_more():
            await self.until(now, "running")
            later.append(await runs.start(Count(to=4), owner=self.alice))
            await runs.start(Count(to=4), owner=self.bob)
            await runs.cancel(now)

        starting = asyncio.create_task(start_more())
        response = await self.get(client)
        done = lambda: later and self.over(now) and self.over(*later)  # noqa: E731
        await self.read(response, until=done)
        await starting
        await self.end_of(now)
        await self.end_of(later[0])
        await self.assert_whole(now, *later)
        assert set(self.seen) == {str(now.pk), str(later[0].pk)}, before

    def over(self, *wanted):
        return all(str(run.pk) in self.ended for run in wanted)

    def setUp(self):
        super().setUp()
        self.ended = set()

    def note(self, event):
        super().note(event)
        if event["type"] in ("done", "error"):
            self.ended.add(event["run"])

    async def test_what_began_and_ended_while_the_reader_was_away_is_brought(self):
        client = await self.aclient_of(self.alice)
        first = await runs.start(Count(to=60, rest=0.02), owner=self.alice)
        await self.read(await self.get(client), until=lambda: self.last(first) >= 3)
        assert not self.over(first)
        between = [await self.finished(Count(to=2), owner=self.alice) for _ in range(2)]
        await self.read(await self.get(client), until=lambda: self.last(between[0]) >= 2)
        await self.end_of(first)
        await self.read(await self.get(client), until=lambda: self.over(first, *between))
        later = await self.finished(Count(to=2), owner=self.alice)
        await self.read(await self.get(client), until=lambda: self.over(later))
        await self.assert_whole(first, *between, later)

    async def test_a_reader_that_was_brought_nothing_yet_has_a_position_too(self):
        client = await self.aclient_of(self.alice)
        old = await self.finished(Count(to=2), owner=self.alice)
        response = await self.get(client)
        content = response.streaming_content
        parser = SSEParser()
        parser.feed(await anext(content) + b"data: x\n\n")
        self.cursor = parser.messages[0][0]
        await content.aclose()
        await response._iterator.aclose()
        new = await self.finished(Count(to=2), owner=self.alice)
        await self.read(await self.get(client), until=lambda: self.over(new))
        assert set(self.seen) == {str(new.pk)}, old

    async def test_cutting_at_random_while_runs_come_and_go(self):
        client, chance = await self.aclient_of(self.alice), random.Random(11)
        await self.read(await self.get(client), until=lambda: True)  # the reader was there before
        mine = []

        async def start_some():
            for _ in range(12):
                mine.append(await runs.start(Count(to=chance.randint(1, 12), rest=0.01), owner=self.alice))
                await asyncio.sleep(0.02)

        with override_settings(PROGRESS={"OWNER_RUNS": 100, "ALLOW_ANONYMOUS": True}):
            starting = asyncio.create_task(start_some())
            while not starting.done() or not self.over(*mine):
                goal = len(self.ended) + chance.randint(0, 2), sum(map(len, self.seen.values())) + chance.randint(1, 15)
                await self.read(
                    await self.get(client),
                    until=lambda goal=goal: (
                        (len(self.ended), sum(map(len, self.seen.values()))) >= goal
                        or (starting.done() and self.over(*mine))
                    ),
                )
            await starting
        await self.assert_whole(*mine)

    async def test_more_runs_than_one_stream_follows_come_in_turn(self):
        client = await self.aclient_of(self.alice)
        begun = timezone.now()
        rows = [
            OperationRun(operation="test_count", user=self.alice, status="completed", last_seq=2) for _ in range(130)
        ]
        await OperationRun.objects.abulk_create(rows)
        for n, run in enumerate(rows):
            run.created_at = begun + timedelta(milliseconds=n // 3)
        await OperationRun.objects.abulk_update(rows, ["created_at"])
        await OperationEvent.objects.abulk_create(
            OperationEvent(run=run, seq=seq, at=0, type=type, payload=f'{{"type":"{type}","data":{{"metadata":{{}}}}}}')
            for run in rows
            for seq, type in ((1, "progress"), (2, "done"))
        )
        self.cursor = Cursor(int(begun.timestamp() * 1000) - 1).encode().decode()
        while not self.over(*rows):
            goal = len(self.ended) + 17
            await self.read(await self.get(client), until=lambda goal=goal: len(self.ended) >= min(goal, 130))
            assert len(self.cursor) < 2_300
        assert all(numbers == [1, 2] for numbers in self.seen.values())

    async def test_children_of_a_batch_are_not_brought(self):
        client = await self.aclient_of(self.alice)
        parent = await runs.start(Hold(), owner=self.alice)
        child = await OperationRun.objects.acreate(
            operation="test_count", user=self.alice, parent=parent, status="running"
        )
        await self.read(await self.get(client), until=lambda: self.last(parent) >= 2)
        assert str(child.pk) not in self.seen

    async def test_a_cursor_that_is_none_starts_over_with_what_is_active(self):
        client = await self.aclient_of(self.alice)
        await self.finished(Count(), owner=self.alice)
        run = await runs.start(Hold(), owner=self.alice)
        tomorrow = Cursor(int(time.time() * 1000) + 86_400_000)
        beyond = Cursor(int(time.time() * 1000))
        beyond.put(run.pk, 900_000_000)
        cursors = [cursor.encode().decode() for cursor in (Cursor(), tomorrow, Cursor(2**48 - 1), beyond)]
        for junk in ("garbage", "5", "AQ", *cursors):
            found = await self.read(await self.get(client, after=junk), until=lambda: self.last(run) >= 2)
            assert (found[0][0], found[0][2]["data"]["metadata"].get("resync")) == (str(run.pk), True)
            self.seen, self.cursor = {}, None

    async def test_the_cursor_of_somebody_else_shows_nothing(self):
        run = await runs.start(Hold(), owner=self.alice)
        await self.read(await self.get(await self.aclient_of(self.alice)), until=lambda: self.last(run) >= 2)
        own = await runs.start(Hold(), owner=self.bob)
        found = await self.read(await self.get(await self.aclient_of(self.bob)), until=lambda: self.last(own) >= 2)
        assert {run for run, _, _ in found} == {str(own.pk)}

    async def test_who_is_nobody_has_no_runs(self):
        self.assertProblem(await self.get(self.client_of()), 401, "not_allowed")
        headers = {"Authorization": f"Bearer {await sync_to_async(ApiToken.issue)(self.alice, 'a')}"}
        run = await runs.start(Hold(), owner=self.alice)
        response = await self.get(self.client_of(), **headers)
        await self.read(response, until=lambda: self.last(run) >= 2)
