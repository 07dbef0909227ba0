"""P4, P5: a stream resumes right after any position, and says so where a position cannot be served."""

import asyncio
import json
import random

import pytest

from tests.faults.checker import connect
from tests.faults.stage import LIMIT, start
from tests.progress.sse_parser import SSEParser

CLIENTS = 20
PIECES = 500
ENOUGH = 3  # events after which a client of a run under way leaves


def limited(stage, story):
    async def play():
        async with asyncio.timeout(LIMIT), stage.client() as client:
            return await story(client)

    return asyncio.run(play())


def test_p4_every_position_while_it_runs_and_after_it_ended(sqlite_stage):
    stage = sqlite_stage

    async def story(client):
        run = await start(client, stage.addresses[0], pieces=PIECES, rest=0.01, states_only=True)
        first = stage.reader(run)
        following = asyncio.create_task(first.follow())
        await asyncio.gather(*(resume(run, first, number) for number in range(CLIENTS)))
        await following
        assert stage.row(run)[0] == "completed"
        await asyncio.gather(*(replay(run, first.position, number) for number in range(CLIENTS)))
        return [run]

    async def resume(run, first, number):
        """Read a little from each position of one's own as soon as the run has come so far."""
        for position in range(number, PIECES, CLIENTS):
            while first.position < position:
                await asyncio.sleep(0.01)
            reader = stage.reader(run, after=position)
            await reader.follow(until=position + ENOUGH)

    async def replay(run, last, number):
        """Read a little from each position, and every fifth time all that follows."""
        for position in range(number, last + 1, CLIENTS):
            until = None if position % (5 * CLIENTS) == number else position + ENOUGH
            await stage.reader(run, after=position).follow(until=until)

    assert stage.violations(limited(stage, story)) == []


GARBAGE = [
    "x",
    "-1",
    "1.5",
    "1e3",
    "٣",
    "9" * 10,
    "9" * 40,
    "4294967296",
    "0x10",
    "1 ",
    "1,2",
    "a" * 10_000,
    "%00",
    "'",
]


@pytest.mark.parametrize("where", ["query", "header"])
def test_p5_a_position_that_no_log_gave_out_begins_anew(sqlite_stage, where):
    stage = sqlite_stage

    async def story(client):
        run = await start(client, stage.addresses[0], pieces=5, states_only=True)
        await stage.reader(run).follow()
        events = [(event.seq, event.payload) for event in stage.table().events if event.run == run]
        rng = random.Random(5)
        more = ["".join(rng.choices("0123456789-+. eE\t", k=rng.randint(2, 12))).strip() + "." for _ in range(10)]
        for given in GARBAGE + more:
            if where == "header" and (not given.isascii() or given != given.strip()):
                continue
            status, (reset, *messages) = await read(client, stage.addresses[0], run, where, given)
            assert status == 200
            assert_resync(reset, run, oldest=1)
            assert [(int(number), data) for number, _, data in messages] == events

    limited(stage, story)


def test_p5_a_position_beyond_the_log_or_before_what_is_left_of_it(sqlite_stage):
    stage = sqlite_stage

    async def story(client):
        run = await start(client, stage.addresses[0], pieces=6, states_only=True)
        await stage.reader(run).follow()
        with connect(stage.database_url) as connection:
            connection.execute(
                "DELETE FROM progress_operationevent WHERE run_id = ? AND seq <= 4", [run.replace("-", "")]
            )
        left = [event.seq for event in stage.table().events if event.run == run]
        assert left[0] == 5
        for given in ("1", "3", str(left[-1] + 1), "999999999"):
            status, (reset, *messages) = await read(client, stage.addresses[0], run, "query", given)
            assert status == 200
            assert_resync(reset, run, oldest=5)
            assert [int(number) for number, _, _ in messages] == left
        for given in ("4", "5", "6"):  # what the log still has after these is all there is
            _, messages = await read(client, stage.addresses[0], run, "query", given)
            assert [int(number) for number, _, _ in messages] == [seq for seq in left if seq > int(given)]

    limited(stage, story)


async def read(client, address, run, where, given):
    given = {"params": {"after": given}} if where == "query" else {"headers": {"Last-Event-ID": given}}
    answer = await client.get(f"{address}/api/runs/{run}/events", **given)
    parser = SSEParser()
    parser.feed(answer.content)
    return answer.status_code, parser.messages


def assert_resync(message, run, oldest):
    number, _, data = message
    metadata = json.loads(data)["data"]["metadata"]
    assert metadata["resync"] is True
    assert (metadata["runId"], metadata["oldest"], int(number)) == (run, oldest, oldest - 1)
