"""Who may what, on every address of the API: a new one without a row here fails."""

import asyncio
from unittest.mock import AsyncMock

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.test import AsyncRequestFactory, override_settings
from django.urls import reverse

from progress import runs
from progress.access import still_allowed
from progress.models import ApiToken, OperationRun
from progress.urls import urlpatterns

from .cast import Count, Hold
from .test_api import ApiCase

EVERYBODY = ("anonymous", "visitor", "owner", "stranger", "viewer", "staff", "token", "foreign token")
READERS = {"owner", "token", "viewer"}
WRITERS = {"owner", "token"}
# name of the address, method: who gets what there, and what all others get
RIGHTS = {
    ("runs", "GET"): (set(EVERYBODY), 200, None),
    ("runs", "POST"): (set(EVERYBODY) - {"anonymous", "visitor"}, 202, 401),
    ("batches", "POST"): (set(EVERYBODY) - {"anonymous", "visitor"}, 202, 401),
    ("run", "GET"): (READERS, 200, 404),
    ("run-events", "GET"): (READERS, 200, 404),
    ("run-cancel", "POST"): (WRITERS, 200, 404),
    ("run-retry", "POST"): (WRITERS, 202, 404),
    ("events", "GET"): (set(EVERYBODY) - {"anonymous"}, 200, 401),
    ("operations", "GET"): (set(EVERYBODY), 200, None),
}


@override_settings(PROGRESS={"ALLOW_ANONYMOUS": False})
class AccessTests(ApiCase):
    def setUp(self):
        super().setUp()
        self.carol.user_permissions.add(Permission.objects.get(codename="change_operationrun"))  # for the admin alone
        self.tokens = {"token": ApiToken.issue(self.alice, "a"), "foreign token": ApiToken.issue(self.bob, "b")}
        self.run_ = OperationRun.objects.create(
            operation="test_count", params={"to": 1}, user=self.alice, status="failed", last_seq=0, visitor="of alice"
        )

    async def client_for(self, who):
        if who in ("anonymous", *self.tokens):
            client = self.client_of()
            headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who in self.tokens else {}
            return client, headers
        if who == "visitor":
            client = self.client_of()
            session = await client.asession()
            await session.aset("progress_visitor", "somebody")
            await session.asave()
            return client, {}
        user = {"owner": self.alice, "stranger": self.bob, "viewer": self.carol, "staff": self.dave}[who]
        return await self.aclient_of(user), {}

    async def ask(self, who, name, method):
        client, headers = await self.client_for(who)
        url = self.url(name)
        headers |= {"Prefer": "respond-async", "Accept": "application/json"}
        if method == "GET":
            return await client.get(url, headers=headers)
        count = {"operation": "test_count"}
        body = {"runs": count, "batches": {"items": [count]}}.get(name, {})
        return await self.post(client, url, body, **headers)

    def url(self, name):
        pattern = next(pattern for pattern in urlpatterns if pattern.name == name)
        return reverse(f"progress:{name}", args=[self.run_.pk] if "pk" in pattern.pattern.converters else [])

    async def methods(self, name):
        """Ask the address itself, by a method that it does not have."""
        response = await self.client_of().patch(self.url(name))
        assert response.status_code == 405
        return response["Allow"].split(", ")

    async def test_every_address_has_its_rows(self):
        found = {(pattern.name, method) for pattern in urlpatterns for method in await self.methods(pattern.name)}
        assert found == RIGHTS.keys()

    async def test_the_matrix(self):
        for (name, method), (allowed, yes, no) in RIGHTS.items():
            for who in EVERYBODY:
                with self.subTest(name=name, method=method, who=who):
                    response = await self.ask(who, name, method)
                    assert response.status_code == (yes if who in allowed else no), response.content
                    if who not in allowed:
                        assert response["Content-Type"] == "application/problem+json"
                        assert str(self.run_.pk) not in response.content.decode()

    async def test_lists_hold_the_callers_own_alone(self):
        for who in EVERYBODY:
            items = (await self.ask(who, "runs", "GET")).json()["items"]
            assert bool(items) is (who in WRITERS), who

    async def test_foreign_and_missing_runs_answer_the_same(self):
        missing = "/api/runs/00000000-0000-4000-8000-000000000000"
        client = await self.aclient_of(self.bob)
        for suffix in ("", "/events"):
            foreign = await client.get(f"/api/runs/{self.run_.pk}{suffix}")
            assert foreign.content == (await client.get(missing + suffix)).content
        for suffix in ("/cancel", "/retry"):
            foreign = await self.post(client, f"/api/runs/{self.run_.pk}{suffix}")
            assert foreign.content == (await self.post(client, missing + suffix)).content

    async def test_a_right_that_is_taken_away_is_gone_at_once(self):
        client = await self.aclient_of(self.carol)
        assert (await client.get(f"/api/runs/{self.run_.pk}")).status_code == 200
        await self.carol.user_permissions.aclear()
        assert (await client.get(f"/api/runs/{self.run_.pk}")).status_code == 404
        owner = await self.aclient_of(self.alice)
        await owner.alogout()
        assert (await owner.get(f"/api/runs/{self.run_.pk}/events")).status_code == 404

    async def test_naming_the_runs_of_others_does_not_help(self):
        url = reverse("progress:events") + f"?runs={self.run_.pk}:1"
        for who in EVERYBODY:
            with self.subTest(who=who):
                client, headers = await self.client_for(who)
                response = await client.get(url, headers=headers)
                assert response.status_code == (200 if who in READERS else 404), response.content

    async def test_addresses_that_are_not_there(self):
        client = await self.aclient_of(self.alice)
        for url in (
            "/api/runs/1",
            "/api/runs/not-a-uuid",
            f"/api/runs/{self.run_.pk}/",
            "/api/nothing",
            "/api/runs/../runs",
        ):
            assert (await client.get(url)).status_code == 404, url


@override_settings(PROGRESS={"REAUTHORISE": 0.05, "ALLOW_ANONYMOUS": True})
class LastingAccessTests(ApiCase):
    """A stream ends when its reader loses the right to it, and what it had read is not served again."""

    def ways(self, client, run):
        """Each way in which somebody reads, and in which that one's right to it ends."""
        token = {"Authorization": f"Bearer {ApiToken.issue(self.alice, 'a')}"}
        alice, run_ = get_user_model().objects.filter(pk=self.alice.pk), OperationRun.objects.filter(pk=run.pk)
        return {
            "signs out": (client(self.alice), {}, lambda client: client.logout()),
            "has another password": (client(self.alice), {}, lambda _: alice.update(password="!other")),
            "session ends": (client(self.alice), {}, lambda _: Session.objects.all().delete()),
            "token deleted": (client(), token, lambda _: ApiToken.objects.all().delete()),
            "token of a user who is deactivated": (client(), token, lambda _: alice.update(is_active=False)),
            "user deactivated": (client(self.alice), {}, lambda _: alice.update(is_active=False)),
            "run given away": (client(self.alice), {}, lambda _: run_.update(user=self.bob)),
            "staff without the permission": (client(self.carol), {}, lambda _: self.carol.user_permissions.clear()),
        }

    async def test_streams(self):
        every_way = [*await sync_to_async(self.ways)(self.client_of, OperationRun())]
        for url, ways in (
            ("/api/runs/{}/events", every_way),
            ("/api/events?runs={}", ["signs out", "run given away"]),
            ("/api/events", ["signs out", "run given away"]),
        ):
            for way in ways:
                with self.subTest(way=way, url=url):
                    await self.lose(way, url)

    async def lose(self, way, url):
        await get_user_model().objects.filter(pk=self.alice.pk).aupdate(is_active=True)
        await self.alice.arefresh_from_db()
        await self.carol.user_permissions.aset([await Permission.objects.aget(codename="view_operationrun")])
        run = await runs.start(Hold(), owner=self.alice)
        client, headers, revoke = (await sync_to_async(self.ways)(self.client_of, run))[way]
        response = await client.get(url.format(run.pk), headers=headers)
        assert response.status_code == 200, response.content
        content = response.streaming_content
        async with asyncio.timeout(60):
            text = b""
            while b'"data":' not in text:
                text += await anext(content)
            await sync_to_async(revoke)(client)
            async for chunk in content:  # it ends, cleanly
                assert b'"done"' not in chunk
        again = await client.get(f"/api/runs/{run.pk}/events", headers=headers)
        assert again.status_code in (401, 404), again.content
        await runs.cancel(run)
        await self.end_of(run)

    async def test_a_visitor_who_got_the_session_with_the_stream_itself_keeps_it(self):
        client = self.client_of()
        body = {"operation": "test_count", "params": {"to": 30, "rest": 0.02}, "stream": True}
        frames = await self.frames(await self.post(client, "/api/runs", body))
        assert frames[-1][1]["type"] == "done"

    async def test_a_user_whom_something_else_than_the_session_signed_in_keeps_the_stream_while_active(self):
        run = await runs.start(Count(to=30, rest=0.02), owner=self.alice)
        request = AsyncRequestFactory().get("/")
        request.session, request.auser = SessionStore(), AsyncMock(return_value=self.alice)
        assert await still_allowed(request, [run.pk])
        await get_user_model().objects.filter(pk=self.alice.pk).aupdate(is_active=False)
        assert not await still_allowed(request, [run.pk])
