import asyncio
import json

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import AsyncClient, override_settings

from progress import runs
from progress.models import ApiToken, OperationRun

from .case import RunCase
from .cast import Count, Hold, Write

OPEN = override_settings(PROGRESS={"ALLOW_ANONYMOUS": True})
CLOSED = override_settings(PROGRESS={"ALLOW_ANONYMOUS": False})


class ApiCase(RunCase):
    """Alice owns; Bob is a stranger; Carol is staff and may view; Dave is staff and may not."""

    def setUp(self):
        super().setUp()
        users = get_user_model().objects
        self.alice, self.bob = users.create_user("alice"), users.create_user("bob")
        self.carol, self.dave = users.create_user("carol", is_staff=True), users.create_user("dave", is_staff=True)
        self.carol.user_permissions.add(Permission.objects.get(codename="view_operationrun"))

    def client_of(self, user=None):
        client = AsyncClient()
        if user is not None:
            client.force_login(user)
        return client

    async def aclient_of(self, user):
        client = AsyncClient()
        await client.aforce_login(user)
        return client

    async def post(self, client, path, body=None, **headers):
        return await client.post(path, json.dumps(body or {}), content_type="application/json", headers=headers)

    async def frames(self, response, upto=None):
        """Return (id, event) of each frame of a stream."""
        text, found = "", []
        content = response.streaming_content
        async for chunk in content:
            text += chunk.decode()
            *whole, text = text.split("\n\n")
            for block in whole:
                fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
                if "data" in fields:
                    found.append((int(fields["id"]), json.loads(fields["data"])))
            if upto and len(found) >= upto:
                await content.aclose()
                await response._iterator.aclose()  # what the server's cancellation does when the client leaves
                break
        return found

    def assertProblem(self, response, status, code, says=""):
        assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json"), (
            response.content
        )
        body = response.json()
        assert (body["status"], body["code"]) == (status, code)
        assert says in body["detail"]
        return body


@OPEN
class StartTests(ApiCase):
    async def test_as_a_stream(self):
        for ask in ({"stream": True}, {}):
            accept = {} if ask else {"Accept": "text/event-stream"}
            response = await self.post(
                self.client_of(), "/api/runs", {"operation": "test_count", "params": {"to": 2}, **ask}, **accept
            )
            assert response["Content-Type"] == "text/event-stream; charset=utf-8"
            frames = await self.frames(response)
            assert [number for number, _ in frames] == list(range(1, len(frames) + 1))
            assert frames[0][1]["data"]["currentState"] == "queued"
            assert frames[-1][1]["type"] == "done"
            assert response["X-Run-Id"] == frames[0][1]["data"]["metadata"]["runId"]

    async def test_the_headers_of_a_stream(self):
        response = await self.post(self.client_of(), "/api/runs", {"operation": "test_count", "stream": True})
        expected = {
            "Cache-Control": "no-cache, no-transform, no-store",
            "X-Accel-Buffering": "no",
            "Content-Encoding": "identity",
            "X-Content-Type-Options": "nosniff",
            "Location": f"/api/runs/{response['X-Run-Id']}",
        }
        assert {name: response[name] for name in expected} == expected
        await self.frames(response)

    async def test_it_waits_and_answers_with_the_result(self):
        response = await self.post(self.client_of(), "/api/runs", {"operation": "test_count", "params": {"to": 4}})
        assert response.status_code == 200
        body = response.json()
        assert (body["status"], body["result"], body["percentage"], body["error"]) == ("completed", 4, 100, None)

    async def test_a_failed_run_is_an_answer_too(self):
        response = await self.post(self.client_of(), "/api/runs", {"operation": "test_fail"})
        assert (response.status_code, response.json()["status"]) == (200, "failed")
        assert response.json()["error"]["code"] == "no_data"

    async def test_prefer_respond_async(self):
        response = await self.post(self.client_of(), "/api/runs", {"operation": "test_count"}, Prefer="respond-async")
        body = response.json()
        assert (response.status_code, body["status"]) == (202, "queued")
        assert response["Location"] == f"/api/runs/{body['id']}"
        assert body["events_url"] == f"/api/runs/{body['id']}/events"

    async def test_prefer_wait_bounds_the_wait(self):
        client = self.client_of()
        response = await self.post(client, "/api/runs", {"operation": "test_hold"}, Prefer="wait=1")
        assert (response.status_code, response.json()["status"]) == (202, "running")
        assert response["Preference-Applied"] == "wait=1"
        response = await self.post(client, "/api/runs", {"operation": "test_count"}, Prefer="wait=20")
        assert response.status_code == 200

    async def test_bad_requests_name_what_is_wrong(self):
        cases = [
            ({"operation": "nope"}, 422, "There is no operation 'nope'. There are: "),
            ({}, 422, "operation: Field required"),
            ({"operation": "test_count", "params": {"to": "7"}}, 422, "params.to: "),
            ({"operation": "test_count", "params": {"too": 7}}, 422, "params.too: There is no such field."),
            ({"operation": "test_count", "params": [1]}, 422, "params: "),
            ({"operation": "test_count", "surprise": 1}, 422, "surprise: There is no such field."),
            ({"operation": "test_count", "on_disconnect": "explode"}, 422, "on_disconnect: "),
            ({"operation": "test_count", "stream": "yes"}, 422, "stream: "),
        ]
        client = self.client_of()
        for body, status, says in cases:
            with self.subTest(body=body):
                problem = self.assertProblem(
                    await self.post(client, "/api/runs", body), status, "invalid_request", says
                )
                assert problem["errors"]
        assert await OperationRun.objects.acount() == 0

    async def test_bodies_that_are_not_json(self):
        cases = [
            (b"{", 400, "not JSON"),
            (b"\xff\xfe", 400, "not JSON"),
            (b'{"operation": NaN}', 400, "NaN is not a JSON number"),
            (b"[" * 100_000, 413, "at most 65,536 bytes"),
            (b"[" * 40_000, 400, "nested deeper"),
            (b"[" * 40 + b"]" * 40, 400, "nested deeper"),
            (b'{"operation": ' + b"9" * 5_000 + b"}", 400, "too large a number"),
            (b"[]", 422, "must be a JSON object"),
            (b'"x"', 422, "must be a JSON object"),
        ]
        for body, status, says in cases:
            with self.subTest(body=body[:20]):
                response = await self.client_of().post("/api/runs", body, content_type="application/json")
                self.assertProblem(response, status, "limit_exceeded" if status == 413 else "invalid_request", says)

    async def test_the_content_type_must_be_json(self):
        response = await self.client_of().post("/api/runs", {"operation": "test_count"})
        self.assertProblem(response, 415, "invalid_request", "Content-Type: application/json")

    async def test_other_methods_and_addresses(self):
        self.assertProblem(await self.client_of().put("/api/runs"), 405, "invalid_request", "use GET, POST")

    @CLOSED
    async def test_anonymous_visitors_may_be_kept_out(self):
        response = await self.post(self.client_of(), "/api/runs", {"operation": "test_count"})
        self.assertProblem(response, 401, "not_allowed", "Authorization: Bearer")
        assert await OperationRun.objects.acount() == 0

    async def test_an_operation_may_need_a_permission(self):
        Count.permission = "progress.add_operationrun"
        self.addCleanup(setattr, Count, "permission", "")
        response = await self.post(await self.aclient_of(self.alice), "/api/runs", {"operation": "test_count"})
        self.assertProblem(response, 403, "not_allowed", "progress.add_operationrun")

    @CLOSED
    async def test_a_token_signs_in(self):
        token = await sync_to_async(ApiToken.issue)(self.alice, "script")
        response = await self.post(
            self.client_of(), "/api/runs", {"operation": "test_count"}, Authorization=f"Bearer {token}"
        )
        assert response.status_code == 200
        assert (await OperationRun.objects.aget()).user_id == self.alice.pk
        response = await self.post(
            self.client_of(), "/api/runs", {"operation": "test_count"}, Authorization="Bearer wrong"
        )
        self.assertProblem(response, 401, "not_allowed")


@OPEN
class EventsTests(ApiCase):
    async def test_a_finished_run_is_replayed_and_then_over(self):
        run = await self.finished(Count(to=3), owner=self.alice)
        client = await self.aclient_of(self.alice)
        path = f"/api/runs/{run.pk}/events"
        whole = await self.frames(await client.get(path))
        assert [number for number, _ in whole] == list(range(1, run.last_seq + 1))
        assert await self.frames(await client.get(path, {"after": 2})) == whole[2:]
        assert await self.frames(await client.get(path, headers={"Last-Event-ID": "3"})) == whole[3:]
        assert await self.frames(await client.get(path, {"after": 1}, headers={"Last-Event-ID": "3"})) == whole[3:]
        assert (await client.get(path, {"after": run.last_seq})).status_code == 204

    async def test_a_running_one_is_joined_in_the_middle(self):
        run = await runs.start(Count(to=60, rest=0.01), owner=self.alice)
        client = await self.aclient_of(self.alice)
        first = await self.frames(await client.get(f"/api/runs/{run.pk}/events"), upto=10)
        rest = await self.frames(await client.get(f"/api/runs/{run.pk}/events", {"after": first[-1][0]}))
        stored = [event.seq for event in await self.events(run)]
        assert [number for number, _ in first + rest] == stored

    async def test_a_position_that_the_log_cannot_serve_starts_over_and_says_so(self):
        run = await self.finished(Count(to=3), owner=self.alice)
        client = await self.aclient_of(self.alice)
        for given in ("garbage", "-1", "99999", "9" * 10_000, "\x00", "1e3", "1;2", "٣", " 1"):
            with self.subTest(given=given[:10]):
                frames = await self.frames(await client.get(f"/api/runs/{run.pk}/events", {"after": given}))
                number, event = frames[0]
                assert (number, event["data"]["metadata"]["resync"], event["data"]["metadata"]["status"]) == (
                    0,
                    True,
                    "completed",
                )
                assert [number for number, _ in frames[1:]] == list(range(1, run.last_seq + 1))

    async def test_a_pruned_log_says_what_it_still_has(self):
        run = await self.finished(Count(to=5), owner=self.alice)
        await run.events.filter(seq__lte=4).adelete()
        client = await self.aclient_of(self.alice)
        frames = await self.frames(await client.get(f"/api/runs/{run.pk}/events", {"after": 2}))
        assert (frames[0][0], frames[0][1]["data"]["metadata"]["oldest"]) == (4, 5)
        assert [number for number, _ in frames[1:]] == list(range(5, run.last_seq + 1))

    async def test_as_json(self):
        run = await self.finished(Write(text='"<é\u2028>"', size=20), owner=self.alice)
        client = await self.aclient_of(self.alice)
        body = (await client.get(f"/api/runs/{run.pk}/events", headers={"Accept": "application/json"})).json()
        assert [item["id"] for item in body["items"]] == list(range(1, run.last_seq + 1))
        assert '"<é\u2028>"' in [item["data"].get("content") for item in body["items"]]
        assert body["next"] is None
        rest = (
            await client.get(f"/api/runs/{run.pk}/events", {"after": 3}, headers={"Accept": "application/json"})
        ).json()
        assert rest["items"] == body["items"][3:]

    @override_settings(PROGRESS={"HEARTBEAT": 0.05})
    async def test_silence_is_broken_by_comments(self):
        run = await runs.start(Hold(), owner=self.alice)
        await self.until(run, "running")
        response = await (await self.aclient_of(self.alice)).get(f"/api/runs/{run.pk}/events", {"after": 3})
        chunks = []
        async for chunk in response.streaming_content:
            chunks.append(chunk)
            if len(chunks) == 4:
                break
        assert chunks == [b"retry: 2000\n: open\n\n"] + [b": keep-alive\n\n"] * 3

    @override_settings(PROGRESS={"STREAM_MAX_AGE": 0.2, "HEARTBEAT": 0.05})
    async def test_an_old_stream_ends_cleanly_without_a_terminal_event(self):
        run = await runs.start(Hold(), owner=self.alice)
        frames = await self.frames(await (await self.aclient_of(self.alice)).get(f"/api/runs/{run.pk}/events"))
        assert frames[-1][1]["type"] not in ("done", "error")

    async def test_pages_of_other_sites_get_no_stream(self):
        run = await self.finished(Count(), owner=self.alice)
        client = await self.aclient_of(self.alice)
        response = await client.get(f"/api/runs/{run.pk}/events", headers={"Sec-Fetch-Site": "cross-site"})
        self.assertProblem(response, 403, "not_allowed")

    async def test_a_reader_who_leaves_stops_nothing(self):
        run = await runs.start(Count(to=30, rest=0.01), owner=self.alice)
        client = await self.aclient_of(self.alice)
        await self.frames(await client.get(f"/api/runs/{run.pk}/events"), upto=2)
        assert (await self.end_of(run)).status == "completed"

    @override_settings(PROGRESS={"DISCONNECT_GRACE": 0.2, "ALLOW_ANONYMOUS": True})
    async def test_unless_the_request_asked_for_that(self):
        body = {"operation": "test_hold", "stream": True, "on_disconnect": "cancel"}
        response = await self.post(self.client_of(), "/api/runs", body)
        await self.frames(response, upto=1)
        async with asyncio.timeout(10):
            while (run := await OperationRun.objects.aget()).is_active:  # a reader would keep it alive
                await asyncio.sleep(0.02)
        assert run.status == "cancelled"

    @override_settings(PROGRESS={"DISCONNECT_GRACE": 0.3, "ALLOW_ANONYMOUS": True})
    async def test_a_reader_who_comes_back_saves_the_run(self):
        client = self.client_of()
        body = {
            "operation": "test_count",
            "params": {"to": 60, "rest": 0.02},
            "stream": True,
            "on_disconnect": "cancel",
        }
        await self.frames(await self.post(client, "/api/runs", body), upto=1)
        run = await OperationRun.objects.aget()
        await self.frames(await client.get(f"/api/runs/{run.pk}/events"))
        assert (await self.end_of(run)).status == "completed"


@OPEN
class ControlTests(ApiCase):
    async def test_cancel(self):
        run = await runs.start(Hold(), owner=self.alice)
        client = await self.aclient_of(self.alice)
        response = await self.post(client, f"/api/runs/{run.pk}/cancel")
        assert response.status_code == 202
        await self.end_of(run)
        assert run.status == "cancelled"
        response = await self.post(client, f"/api/runs/{run.pk}/cancel")
        assert (response.status_code, response.json()["detail"]) == (200, "The run had ended already: cancelled.")

    async def test_cancel_is_durable_before_the_answer(self):
        run = await runs.start(Hold(), owner=self.alice)
        await self.until(run, "running")
        await self.post(await self.aclient_of(self.alice), f"/api/runs/{run.pk}/cancel")
        assert (await OperationRun.objects.aget(pk=run.pk)).cancel_requested_at is not None

    async def test_retry(self):
        client = await self.aclient_of(self.alice)
        failed = (await self.post(client, "/api/runs", {"operation": "test_fail"})).json()
        again = (await self.post(client, failed["links"]["retry"])).json()
        assert (again["retry_of"], again["status"]) == (failed["id"], "failed")
        done = (await self.post(client, "/api/runs", {"operation": "test_count"})).json()
        self.assertProblem(
            await self.post(client, done["links"]["retry"]), 409, "invalid_request", "This run is completed"
        )


@OPEN
class ListTests(ApiCase):
    async def test_newest_first_in_pages(self):
        for _ in range(5):
            await self.finished(Count(to=1), owner=self.alice)
        client = await self.aclient_of(self.alice)
        seen, address = [], "/api/runs?limit=2"
        while address:
            page = (await client.get(address)).json()
            seen += [item["created_at"] for item in page["items"]]
            address = page["next"]
        assert (len(seen), seen) == (5, sorted(seen, reverse=True))

    async def test_filters(self):
        await self.finished(Count(to=1), owner=self.alice)
        await self.finished(Write(text="x"), owner=self.alice)
        client = await self.aclient_of(self.alice)
        items = (await client.get("/api/runs", {"operation": "test_write", "status": "completed"})).json()["items"]
        assert [item["operation"] for item in items] == ["test_write"]
        assert (await client.get("/api/runs", {"status": "failed"})).json()["items"] == []

    async def test_bad_filters(self):
        client = await self.aclient_of(self.alice)
        for query in (
            {"status": "odd"},
            {"limit": "0"},
            {"limit": "x"},
            {"cursor": "!!"},
            {"cursor": "aGFsbG8"},
            {"colour": "red"},
        ):
            with self.subTest(query=query):
                self.assertProblem(await client.get("/api/runs", query), 422, "invalid_request", next(iter(query)))

    async def test_operations_with_their_parameters(self):
        items = {item["name"]: item for item in (await self.client_of().get("/api/operations")).json()["items"]}
        assert items["test_count"]["params"]["properties"]["to"]["type"] == "integer"
        assert items["test_stages"]["states"] == {"load": 10, "check": 40, "save": 80}
        assert items["demo"]["params"]["properties"]["kind"]["enum"] == ["async", "sync"]


@OPEN
class OwnershipTests(ApiCase):
    async def test_who_may_what(self):
        run = await self.finished(Count(), owner=self.alice)
        read = [f"/api/runs/{run.pk}", f"/api/runs/{run.pk}/events"]
        write = [f"/api/runs/{run.pk}/cancel", f"/api/runs/{run.pk}/retry"]
        may_read = {"alice": True, "carol": True, "bob": False, "dave": False, None: False}
        for name, allowed in may_read.items():
            client = await self.aclient_of(getattr(self, name)) if name else self.client_of()
            for path in read:
                with self.subTest(who=name, path=path):
                    assert (await client.get(path)).status_code == (200 if allowed else 404)
            for path in write:
                with self.subTest(who=name, path=path):
                    response = await self.post(client, path)
                    assert response.status_code in ((200, 409) if name == "alice" else (404,))

    async def test_a_foreign_run_and_no_run_look_the_same(self):
        run = await self.finished(Count(), owner=self.alice)
        client = await self.aclient_of(self.bob)
        foreign = await client.get(f"/api/runs/{run.pk}")
        missing = await client.get("/api/runs/00000000-0000-4000-8000-000000000000")
        assert foreign.content == missing.content

    async def test_a_visitor_owns_by_session_and_keeps_it_when_signing_in(self):
        client, other = self.client_of(), self.client_of()
        started = (await self.post(client, "/api/runs", {"operation": "test_count"})).json()
        assert (await client.get(started["links"]["self"])).status_code == 200
        assert (await other.get(started["links"]["self"])).status_code == 404
        assert (await client.get("/api/runs")).json()["items"][0]["id"] == started["id"]
        assert (await other.get("/api/runs")).json()["items"] == []
