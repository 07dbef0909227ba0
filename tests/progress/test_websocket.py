"""The WebSocket: spoken to in the process, and through real servers."""

import asyncio
import json
import signal
from contextlib import asynccontextmanager, contextmanager

import httpx
import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.test import override_settings
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from progress import consumers, runs
from progress.execution import supervisor
from progress.limits import open_streams
from progress.models import ApiToken, OperationRun
from progress.routing import websocket
from tests.services import running_site

from .cast import Count, Hold, Write
from .test_api import OPEN, ApiCase
from .test_streaming import SERVERS, read, start

HERE = "http://testserver"


class SocketCase(ApiCase):
    @asynccontextmanager
    async def socket(self, user=None, *, token="", origin=HERE, client=None, path="/ws/"):
        """Open a socket as a page of this site does, or as a program with a token."""
        if client is None and user is not None:
            client = await self.aclient_of(user)
        headers = [(b"host", b"testserver")]
        if origin:
            headers.append((b"origin", origin.encode()))
        if token:
            headers.append((b"authorization", f"Bearer {token}".encode()))
        if client is not None and (cookie := client.cookies.get(settings.SESSION_COOKIE_NAME)):
            headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie.value}".encode()))
        communicator = WebsocketCommunicator(websocket, path, headers)
        communicator.open, _ = await communicator.connect(timeout=60)
        try:
            yield communicator
        finally:
            await communicator.disconnect(timeout=60)

    async def say(self, ws, **message):
        await ws.send_to(text_data=json.dumps(message))

    async def hear(self, ws):
        return json.loads(await ws.receive_from(timeout=60))

    async def ask(self, ws, **message):
        await self.say(ws, **message)
        return await self.hear(ws)

    async def until_end(self, ws, *wanted):
        """Hear until the end of each run; return the events of each, by its id."""
        heard = {str(run.pk): [] for run in wanted}
        while not all(events and events[-1][1]["type"] in ("done", "error") for events in heard.values()):
            message = await self.hear(ws)
            heard[message["run"]].append((message["id"], {"type": message["type"], "data": message["data"]}))
        return heard

    async def close_code(self, ws):
        """Hear until the server closes; return what it said last, and its code."""
        said = None
        while (output := await ws.receive_output(timeout=60))["type"] != "websocket.close":
            said = json.loads(output["text"])
        return said, output.get("code")


@OPEN
class ProtocolTests(SocketCase):
    async def test_the_same_events_numbers_and_order_as_over_sse(self):
        mine = [await runs.start(Count(to=20, rest=0.01), owner=self.alice) for _ in range(2)]
        mine.append(await self.finished(Write(text="over already", size=3), owner=self.alice))
        async with self.socket(self.alice) as ws:
            for run in mine:
                await self.say(ws, action="subscribe", run=str(run.pk))
            heard = await self.until_end(ws, *mine)
        client = await self.aclient_of(self.alice)
        for run in mine:
            assert heard[str(run.pk)] == await self.frames(await client.get(f"/api/runs/{run.pk}/events"))

    async def test_start_cancel_and_ping(self):
        async with self.socket(self.alice) as ws:
            assert await self.ask(ws, action="ping", ref=7) == {"type": "pong", "ref": 7}
            began = await self.ask(ws, action="start", ref="a", operation="test_hold", params={"kind": "polite"})
            assert (began.keys(), began["ref"]) == ({"ref", "run"}, "a")
            run = await OperationRun.objects.aget(pk=began["run"])
            assert (run.user_id, run.on_disconnect) == (self.alice.pk, "continue")
            await self.until(run, "running")
            asked = await self.ask(ws, action="cancel", run=began["run"])
            assert asked["run"] == began["run"]
            await self.say(ws, action="subscribe", run=began["run"], after=2)
            (events,) = (await self.until_end(ws, run)).values()
            assert [number for number, _ in events] == [event.seq for event in await self.events(run)][2:]
            assert events[-1][1]["data"]["metadata"]["code"] == "cancelled"
            again = await self.ask(ws, action="cancel", run=began["run"])
            assert again == {"run": began["run"], "status": "cancelled"}

    async def test_a_start_meets_what_a_start_over_http_meets(self):
        async with self.socket(self.alice) as ws:
            begin = {"action": "start", "operation": "test_count", "idempotency_key": "k"}
            first, second = [await self.ask(ws, **begin, ref=n) for n in range(2)]
            assert first["run"] == second["run"]
            clash = await self.ask(ws, **begin, params={"to": 9})
            assert clash["error"]["code"] == "invalid_request"
            with override_settings(PROGRESS={"OWNER_RUNS": 1}):
                await self.ask(ws, action="start", operation="test_hold")
                refused = await self.ask(ws, action="start", operation="test_hold", ref="r")
                assert (refused["error"]["code"], refused["ref"]) == ("limit_exceeded", "r")
            supervisor.draining = True
            self.addCleanup(setattr, supervisor, "draining", False)
            assert (await self.ask(ws, action="start", operation="test_count"))["error"]["code"] == "unavailable"

    async def test_a_reader_says_from_where(self):
        run = await self.finished(Count(to=3), owner=self.alice)
        async with self.socket(self.alice) as ws:
            await self.say(ws, action="subscribe", run=str(run.pk), after=2)
            assert (await self.hear(ws))["id"] == 3
            while (await self.hear(ws))["type"] != "done":
                pass
            over = await self.ask(ws, action="subscribe", run=str(run.pk), after=run.last_seq, ref=1)
            assert over == {"ref": 1, "run": str(run.pk), "status": "completed"}
            lost = await self.ask(ws, action="subscribe", run=str(run.pk), after=999)
            assert (lost["id"], lost["data"]["metadata"]["resync"]) == (0, True)

    async def test_unsubscribe(self):
        run = await runs.start(Hold(), owner=self.alice)
        async with self.socket(self.alice) as ws:
            await self.say(ws, action="subscribe", run=str(run.pk))
            await self.hear(ws)
            await self.say(ws, action="unsubscribe", run=str(run.pk))
            while (await self.ask(ws, action="ping")).get("type") != "pong":  # what was on its way may still come
                pass
            await runs.cancel(run)
            await self.end_of(run)
            while (message := await self.ask(ws, action="ping")) != {"type": "pong"}:
                assert message["type"] not in ("done", "error")

    async def test_what_cannot_be_understood_is_answered(self):
        async with self.socket(self.alice) as ws:
            for text, says in (
                ("{", "not JSON"),
                ("[]", "must be a JSON object"),
                ("[" * 5_000, "not JSON"),
                ('{"a":' * 40 + "1" + "}" * 40, "nested deeper"),
                ("{}", "action: use one of start, subscribe"),
                ('{"action": ["start"]}', "action: use one of"),
                ('{"action": "subscribe", "run": "x"}', "run: "),
                ('{"action": "subscribe", "run": 1}', "run: "),
                ('{"action": "subscribe", "run": "00000000-0000-4000-8000-000000000000", "after": "1"}', "after: "),
                ('{"action": "subscribe", "run": "00000000-0000-4000-8000-000000000000", "after": -1}', "after: "),
                ('{"action": "ping", "more": 1}', "more: There is no such field."),
                ('{"action": "start", "operation": "nothing"}', "nothing"),
                ('{"action": "start", "operation": "test_count", "params": {"to": "3"}}', "params.to: "),
            ):
                with self.subTest(text=text[:40]):
                    await ws.send_to(text_data=text)
                    error = (await self.hear(ws))["error"]
                    assert error["code"] == "invalid_request"
                    assert says in error["message"]
            await ws.send_to(bytes_data=b"\x00")
            assert "as text" in (await self.hear(ws))["error"]["message"]
            assert (await self.ask(ws, action="ping"))["type"] == "pong"

    async def test_a_mistake_of_the_server_is_not_shown(self):
        with pytest.MonkeyPatch.context() as patch, self.assertLogs("progress", "ERROR") as logged:
            patch.setattr(consumers, "find_run", None)
            async with self.socket(self.alice) as ws:
                error = (await self.ask(ws, action="cancel", run="00000000-0000-4000-8000-000000000000"))["error"]
        assert error["code"] == "internal"
        assert "NoneType" not in error["message"]
        assert error["message"].split()[-1].strip(".") in logged.output[0]

    async def test_too_big_or_too_many_messages_close(self):
        async with self.socket(self.alice) as ws:
            await self.say(ws, action="ping", ref="x" * 70_000)
            said, code = await self.close_code(ws)
            assert (said["error"]["code"], code) == ("limit_exceeded", 1009)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(consumers, "BURST", 5.0)
            patch.setattr(consumers, "MESSAGES", 0.001)
            async with self.socket(self.alice) as ws:
                for _ in range(6):
                    await self.say(ws, action="ping")
                said, code = await self.close_code(ws)
                assert (said["error"]["code"], code) == ("limit_exceeded", 4429)

    async def test_one_socket_follows_so_many_runs(self):
        mine = [await runs.start(Hold(), owner=self.alice) for _ in range(2)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(consumers, "RUNS", 1)
            async with self.socket(self.alice) as ws:
                await self.say(ws, action="subscribe", run=str(mine[0].pk))
                await self.say(ws, action="subscribe", run=str(mine[1].pk))
                while "error" not in (message := await self.hear(ws)):
                    assert message["run"] == str(mine[0].pk)
                assert (message["error"]["code"], message["run"]) == ("limit_exceeded", str(mine[1].pk))

    async def test_a_process_that_ends_says_so(self):
        async with self.socket(self.alice) as ws:
            assert (await self.ask(ws, action="ping"))["type"] == "pong"
            supervisor.draining = True
            self.addCleanup(setattr, supervisor, "draining", False)
            self.addCleanup(setattr, open_streams, "_ending", False)
            open_streams.end_all()
            assert await self.close_code(ws) == (None, 1012)

    @override_settings(PROGRESS={"SEND_TIMEOUT": 0.2})
    async def test_a_client_that_does_not_read_is_cut_off(self):
        class Stuck(WebsocketCommunicator):
            """As a server whose buffer is full."""

            def __init__(self, *args):
                async def stuck(scope, receive, send):
                    async def slow(message):
                        await send(message)
                        if message["type"] == "websocket.send":
                            await asyncio.sleep(600)

                    await websocket(scope, receive, slow)

                super().__init__(stuck, *args)

        run = await self.finished(Count(), owner=self.alice)
        token = await sync_to_async(ApiToken.issue)(self.alice, "a")
        ws = Stuck("/ws/", [(b"host", b"testserver"), (b"authorization", f"Bearer {token}".encode())])
        assert (await ws.connect(timeout=60))[0]
        await self.say(ws, action="subscribe", run=str(run.pk))
        await ws.wait(timeout=60)
        assert open_streams.count == 0


class DoorTests(SocketCase):
    async def opens(self, *args, **options):
        async with self.socket(*args, **options) as ws:
            return ws.open

    async def test_pages_of_other_sites_are_refused(self):
        good = await sync_to_async(ApiToken.issue)(self.alice, "a")
        for origin in (
            "http://evil.example",
            "http://testserver.evil.example",
            "http://testserver:81",
            "https://testserver",
            "ftp://testserver",
            "null",
            "",
            "http://[",
        ):
            assert not await self.opens(self.alice, origin=origin), origin
        assert await self.opens(self.alice)
        with override_settings(SECURE_PROXY_SSL_HEADER=("HTTP_HOST", "testserver")):  # any header that is there
            assert await self.opens(self.alice, origin="https://testserver")
            assert not await self.opens(self.alice)
        with override_settings(CSRF_TRUSTED_ORIGINS=["http://localhost:81"]):
            assert await self.opens(self.alice, origin="http://localhost:81")
        assert await self.opens(token=good, origin="")
        assert not await self.opens(token="wrong", origin="")
        assert not await self.opens(self.alice, token="wrong")

    async def test_other_addresses(self):
        assert not await self.opens(self.alice, path="/ws/other")

    async def test_visitors(self):
        assert not await self.opens()
        with OPEN:
            async with self.socket() as ws:
                error = (await self.ask(ws, action="start", operation="test_count"))["error"]
                assert error["code"] == "not_allowed"
                assert "POST /api/runs" in error["message"]
            client = self.client_of()
            first = (await self.post(client, "/api/runs", {"operation": "test_count"}, Prefer="respond-async")).json()
            async with self.socket(client=client) as ws:
                second = await self.ask(ws, action="start", operation="test_count")
                assert (await client.get(f"/api/runs/{second['run']}")).status_code == 200
                await self.say(ws, action="subscribe", run=first["id"])
                assert (await self.hear(ws))["run"] == first["id"]

    async def test_every_message_is_authorised(self):
        run = await runs.start(Hold(), owner=self.alice)
        token = await sync_to_async(ApiToken.issue)(self.alice, "a")
        for may_read, may_cancel, options in (
            (True, True, {"user": self.alice}),
            (True, True, {"token": token, "origin": ""}),
            (False, False, {"user": self.bob}),
            (True, False, {"user": self.carol}),
            (False, False, {"user": self.dave}),
        ):
            with self.subTest(**options):
                async with self.socket(**options) as ws:
                    await self.say(ws, action="subscribe", run=str(run.pk))
                    answer = await self.hear(ws)
                    assert ("error" not in answer) is may_read
                    if not may_read:
                        assert (answer["error"]["code"], answer["run"]) == ("not_allowed", str(run.pk))
                    if not may_cancel:
                        await self.say(ws, action="cancel", run=str(run.pk), ref="c")
                        while (answer := await self.hear(ws)).get("ref") != "c":
                            pass
                        assert answer["error"]["code"] == "not_allowed"
        await run.arefresh_from_db()
        assert run.cancel_requested_at is None

    async def test_a_right_that_is_taken_away_is_gone_with_the_next_message(self):
        run = await self.finished(Count(), owner=self.alice)
        client = await self.aclient_of(self.alice)
        async with self.socket(client=client) as ws:
            assert (await self.ask(ws, action="subscribe", run=str(run.pk), after=run.last_seq))[
                "status"
            ] == "completed"
            await client.alogout()
            answer = await self.ask(ws, action="subscribe", run=str(run.pk), after=run.last_seq)
            assert answer["error"]["code"] == "not_allowed"
            answer = await self.ask(ws, action="start", operation="test_count")
            assert answer["error"]["code"] == "not_allowed"

    @override_settings(PROGRESS={"REAUTHORISE": 0.05})
    async def test_who_may_read_no_more_is_sent_no_more(self):
        token = await sync_to_async(ApiToken.issue)(self.alice, "a")
        client = await self.aclient_of(self.alice)

        async def give_away(run):
            await OperationRun.objects.filter(pk=run.pk).aupdate(user=self.bob)

        for options, revoke in (
            ({"client": client}, lambda run: client.alogout()),
            ({"token": token, "origin": ""}, lambda run: ApiToken.objects.all().adelete()),
            ({"user": self.alice}, give_away),
            ({"user": self.carol}, lambda run: self.carol.user_permissions.aclear()),
            ({"user": self.alice}, lambda run: self.deactivate(self.alice)),
        ):
            run = await runs.start(Hold(), owner=self.alice)
            await self.until(run, "running")
            async with self.socket(**options) as ws:
                await self.say(ws, action="subscribe", run=str(run.pk))
                assert (await self.hear(ws))["id"] == 1
                await revoke(run)
                said, code = await self.close_code(ws)
                assert (said["error"]["code"], code) == ("not_allowed", 4403)
            await runs.cancel(run)
            await self.end_of(run)

    async def deactivate(self, user):
        user.is_active = False
        await user.asave()


# Through real servers


@pytest.fixture(scope="module", params=SERVERS)
def site(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    with running_site(f"sqlite:///{folder}/db.sqlite3", server=request.param) as site:
        yield site


@contextmanager
def visitor(site):
    """A browser whose session owns a run, and the headers with which its pages open a socket."""
    with httpx.Client(base_url=site.address, timeout=60) as client:
        first = start(client, seconds=0, steps=1)
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        yield client, first, {"Cookie": cookie, "Origin": site.address}


def connect_to(site, headers, path="/ws/"):
    address = site.address.replace("http", "ws") + path
    return connect(address, additional_headers=headers, open_timeout=60)


def test_events_over_a_real_server(site):
    with visitor(site) as (client, first, headers), connect_to(site, headers) as ws:
        wanted = {first["id"]}
        for seconds in (0, 0.3):
            ws.send(json.dumps({"action": "start", "operation": "demo", "params": {"seconds": seconds, "steps": 5}}))
            wanted.add(json.loads(ws.recv(timeout=60))["run"])
        for run in wanted:
            ws.send(json.dumps({"action": "subscribe", "run": run}))
        heard = {run: [] for run in wanted}
        while not all(events and events[-1][1]["type"] == "done" for events in heard.values()):
            message = json.loads(ws.recv(timeout=60))
            heard[message["run"]].append((message["id"], {"type": message["type"], "data": message["data"]}))
        for run, events in heard.items():
            assert events == read(client, {"links": {"events": f"/api/runs/{run}/events"}})


def test_who_is_refused_at_the_door_of_a_real_server(site):
    with visitor(site) as (_client, _first, headers):
        for wrong in (headers | {"Origin": "http://evil.example"}, {"Cookie": headers["Cookie"]}):
            with pytest.raises(InvalidStatus) as refused, connect_to(site, wrong):
                pass
            assert refused.value.response.status_code == 403
        with (
            pytest.raises(InvalidStatus) as refused,
            connect_to(site, headers, "/ws/other"),
        ):
            pass
        assert refused.value.response.status_code == 403


def send_and_hear_all(ws, text):
    ws.send(text)
    while True:
        ws.recv(timeout=60)


def test_too_big_a_message_closes_on_a_real_server(site):
    with visitor(site) as (_client, _first, headers):
        for size, code in (
            (70_000, 1009),
            (2_000_000, None),
        ):  # the site's limit, and daphne's own, where it just hangs up
            with connect_to(site, headers) as ws:
                with pytest.raises(ConnectionClosed) as closed:
                    send_and_hear_all(ws, "x" * size)
                assert (closed.value.rcvd and closed.value.rcvd.code) in (code, 1009)


def test_a_server_that_is_asked_to_end_says_so(site):
    """The last of its server: nothing was logged as an error until then."""
    with visitor(site) as (_client, first, headers), connect_to(site, headers) as ws:
        ws.send(json.dumps({"action": "subscribe", "run": first["id"]}))
        assert json.loads(ws.recv(timeout=60))["id"] == 1
        site.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            send_and_hear_all(ws, json.dumps({"action": "ping"}))
        assert closed.value.rcvd.code == 1012
    site.process.wait(timeout=60)
    assert "Traceback" not in site.errors(), site.errors()
