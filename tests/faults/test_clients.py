"""P1 as users of the project's clients meet it: whatever happens to connections, servers and answers, each event once, in order."""

import asyncio
import random
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from progress.models import ApiToken
from tests.faults.buffering import buffering
from tests.faults.checker import connect
from tests.faults.clients import CLIENTS, Seen, follow, note, until
from tests.faults.proxy import NO_FAULT, Fault, Proxy
from tests.faults.stage import LIMIT, Stage, eventually_async, item, start

CUTS = 30
OWN = ("javascript", "python")
both = pytest.mark.parametrize("client", OWN)


@pytest.fixture
def stage(sqlite_stage: Stage, node: object) -> Stage:
    """One process on SQLite, and Node.js."""
    sqlite_stage.open(webs=1)
    return sqlite_stage


@pytest.fixture
def proxy(stage: Stage) -> Iterator[Proxy]:
    with Proxy(stage.webs[0].port) as proxy:
        yield proxy


def play(story):
    async def limited():
        async with asyncio.timeout(LIMIT):
            return await story()

    return asyncio.run(limited())


def together(clients, **plans) -> dict[str, Seen]:
    """Let each client do its plan, all at once. A plan's value may be a function of the client."""

    async def story():
        own = [
            {name: value(client) if callable(value) else value for name, value in plans.items()} for client in clients
        ]
        found = await asyncio.gather(*(follow(client, **plan) for client, plan in zip(clients, own, strict=True)))
        return dict(zip(clients, found, strict=True))

    return play(story)


def first(*faults: Fault) -> Callable[[], Fault]:
    """These faults for the first connections, none for those that follow."""
    left = iter(faults)
    return lambda: next(left, NO_FAULT)


def cuts(seed: int) -> list[Fault]:
    rng = random.Random(seed)
    return [
        Fault(cut_after=rng.randrange(2000), piece=rng.choice([1, 7, 65_536]), reset=rng.random() < 0.5)
        for _ in range(CUTS)
    ]


def assert_faultless(stage: Stage, client: str, seen: Seen, *, after: int = 0) -> None:
    note(stage, f"{client}-{secrets.token_hex(4)}", seen, after)
    assert stage.violations([seen.run]) == []
    assert seen.last == seen.events[-1]["seq"], seen.failed


def test_p1_streams_cut_thirty_times(stage, chromium):
    """From the POST on: its answer is the first to be cut."""
    with ExitStack() as stack:
        proxies = {client: stack.enter_context(Proxy(stage.webs[0].port)) for client in CLIENTS}
        left = {client: cuts(seed) for seed, client in enumerate(CLIENTS)}
        for client, proxy in proxies.items():
            proxy.plan(lambda client=client: left[client].pop() if left[client] else NO_FAULT)
        work = item(pieces=120, rest=0.02)
        seen = together(CLIENTS, base=lambda client: proxies[client].address, token=stage.token, start=work)
    assert left == {client: [] for client in CLIENTS}
    for client in CLIENTS:
        assert_faultless(stage, client, seen[client])
        assert seen[client].events[-1]["type"] == "done"


def test_p1_a_server_killed_and_started_again(stage, chromium):
    async def story():
        seen = {client: Seen() for client in CLIENTS}
        plan = {"base": stage.webs[0].address, "token": stage.token, "start": item(again=True, pieces=50, rest=0.2)}
        following = asyncio.gather(*(follow(client, seen[client], **plan) for client in CLIENTS))
        await asyncio.gather(*(until(seen[client], 5) for client in CLIENTS))
        stage.webs[0].kill()
        await asyncio.to_thread(stage.open)
        await following
        return seen

    for client, seen in play(story).items():
        assert_faultless(stage, client, seen)
        assert seen.events[-1]["type"] == "done"


def test_a_post_whose_answer_is_lost_starts_once(stage):
    before = len(stage.table().rows)
    with Proxy(stage.webs[0].port) as one, Proxy(stage.webs[0].port) as other:
        for cut in (0, 100):
            for proxy in (one, other):
                proxy.plan(first(Fault(cut_after=cut), Fault(cut_after=cut, reset=True)))
            addresses = dict(zip(OWN, (one.address, other.address), strict=True))
            seen = together(OWN, base=addresses.get, token=stage.token, start=item(pieces=3, seed=cut))
            for client in OWN:
                assert_faultless(stage, client, seen[client])
    assert len(stage.table().rows) == before + 4


@both
def test_a_reader_that_has_all_is_done_and_one_that_asks_too_much_begins_anew(stage, client):
    async def story():
        async with stage.client() as http:
            run = await start(http, stage.addresses[0], pieces=6, states_only=True)
        plan = {"base": stage.addresses[0], "token": stage.token, "follow": run}
        whole = await follow(client, **plan)
        seen = await asyncio.gather(
            *(follow(client, **plan, after=after) for after in (whole.last - 2, whole.last, 10**6))
        )
        with connect(stage.database_url) as connection:
            connection.execute(
                "DELETE FROM progress_operationevent WHERE run_id = ? AND seq <= 4", [run.replace("-", "")]
            )
        return whole, *seen, await follow(client, **plan, after=2)

    whole, rest, none, beyond, pruned = play(story)
    assert whole.numbers == list(range(1, whole.last + 1))
    assert rest.numbers == whole.numbers[-2:]
    assert (none.events, none.last, none.result) == ([], whole.last, {"pieces": 6})
    assert (beyond.numbers, beyond.events[0]["resync"]) == ([0, *whole.numbers], True)
    assert not any(event["resync"] for event in beyond.events[1:])
    assert (pruned.numbers, pruned.events[0]["resync"]) == ([4, *whole.numbers[4:]], True)


@both
def test_p18_a_token_revoked_in_the_middle(stage, proxy, client):
    token = secrets.token_urlsafe(16)
    digest = ApiToken.digest_of(token)
    with connect(stage.database_url) as connection:
        connection.execute(
            "INSERT INTO progress_apitoken (user_id, name, digest, created_at) "
            "SELECT user_id, 'short', ?, created_at FROM progress_apitoken LIMIT 1",
            [digest],
        )

    async def story():
        seen = Seen()
        plan = {"base": proxy.address, "token": token, "start": item(pieces=100, rest=0.2)}
        following = asyncio.create_task(follow(client, seen, **plan))
        await until(seen, 3)
        with connect(stage.database_url) as connection:
            connection.execute("DELETE FROM progress_apitoken WHERE digest = ?", [digest])
        proxy.cut()
        await following
        async with stage.client() as http:
            await http.post(f"{stage.addresses[0]}/api/runs/{seen.run}/cancel")
        return seen

    seen = play(story)
    assert (seen.failed["name"], seen.failed["status"]) == ("ApiError", 401)
    assert seen.numbers == list(range(1, len(seen.numbers) + 1))


@both
def test_who_breaks_off_leaves_the_run_and_no_connection(stage, proxy, client):
    async def story():
        seen = await follow(client, base=proxy.address, token=stage.token, start=item(pieces=40, rest=0.1), abort_at=4)
        assert (len(seen.events), seen.failed["message"]) == (4, "aborted")
        await eventually_async(lambda: not proxy._connections, "the connection is closed")
        rest = await follow(client, base=proxy.address, token=stage.token, follow=seen.run, after=4)
        return Seen(seen.run, seen.events + rest.events, last=rest.last)

    assert_faultless(stage, client, play(story))


@both
def test_cancel(stage, client):
    work = item(pieces=100, rest=0.2)
    seen = play(lambda: follow(client, base=stage.addresses[0], token=stage.token, start=work, cancel_at=3))
    assert (seen.failed["name"], seen.failed["code"]) == ("RunFailed", "cancelled")
    assert seen.events[-1]["data"]["metadata"]["code"] == "cancelled"


@both
def test_a_stream_that_falls_silent_is_opened_again(stage, proxy, client):
    proxy.plan(first(Fault(stall_after=2000, piece=500)))
    work = item(pieces=40, rest=0.02)

    async def story():
        async with asyncio.timeout(40):  # by default it would wait longer than that
            return await follow(client, base=proxy.address, token=stage.token, start=work, silence=1)

    seen = play(story)
    assert seen.result == {"pieces": 40}
    assert_faultless(stage, client, seen)


def test_behind_a_proxy_that_holds_streams_back_the_log_is_polled(stage):
    with buffering(stage.addresses[0]) as held:
        work = item(pieces=60, rest=0.1)
        seen = together(OWN, base=held.address, token=stage.token, start=work, first_byte=0.5)
        asked = [held.requests.count(f"GET /api/runs/{seen[client].run}/events") for client in OWN]
    assert min(asked) > 2
    for client in OWN:
        assert seen[client].result == {"pieces": 60}
        assert_faultless(stage, client, seen[client])


def test_a_busy_server_is_waited_for_as_long_as_it_says(stage):
    before = len(stage.table().rows)
    with buffering(stage.addresses[0]) as one, buffering(stage.addresses[0]) as other:
        one.refusals = other.refusals = 2
        addresses = dict(zip(OWN, (one.address, other.address), strict=True))
        seen = together(OWN, base=addresses.get, token=stage.token, start=item(pieces=2))
        assert one.requests[:3] == other.requests[:3] == ["POST /api/runs"] * 3
        one.refusals = other.refusals = 2
        impatient = together(OWN, base=addresses.get, token=stage.token, start=item(pieces=2), patience=1)
    for client in OWN:
        assert_faultless(stage, client, seen[client])
        assert impatient[client].failed["status"] == 503
    assert len(stage.table().rows) == before + 2


@both
def test_what_is_refused_is_not_tried_again(stage, client):
    nobody = "00000000-0000-0000-0000-000000000000"
    given = [
        ({"start": {"operation": "nope", "params": {}}}, 422),
        ({"start": item(pieces="three")}, 422),
        ({"follow": nobody}, 404),
        ({"follow": nobody, "token": "wrong"}, 401),
    ]
    plans = [{"base": stage.addresses[0], "token": stage.token, **plan} for plan, _ in given]

    async def story():
        return await asyncio.gather(*(follow(client, **plan) for plan in plans))

    assert [seen.failed["status"] for seen in play(story)] == [status for _, status in given]


@both
def test_a_server_that_stays_away_is_given_up(stage, client):
    with Proxy(1) as nowhere:
        seen = play(lambda: follow(client, base=nowhere.address, token="x", follow="1", patience=1))
    assert (seen.failed["name"], seen.failed["status"]) in [("ApiError", 0), ("Unreachable", 0)]
