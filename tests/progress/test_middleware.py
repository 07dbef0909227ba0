import json
from unittest.mock import patch

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.db import OperationalError, ProgrammingError
from django.test import AsyncClient, override_settings

from progress.models import ApiToken, OperationRun

from .case import RunCase

BODY = json.dumps({"operation": "test_count", "params": {"to": 1}})


class MiddlewareCase(RunCase):
    def setUp(self):
        super().setUp()
        self.alice = get_user_model().objects.create_user("alice")
        self.token = ApiToken.issue(self.alice, "script")

    async def start(self, client=None, *, content_type="application/json", body=BODY, **headers):
        client = client or AsyncClient(enforce_csrf_checks=True)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return await client.post("/api/runs", body, content_type=content_type, headers=headers)

    async def signed_in(self):
        client = AsyncClient(enforce_csrf_checks=True)
        await client.aforce_login(self.alice)
        return client

    async def assert_refused(self, response, status=403):
        assert response.status_code == status, response.content
        assert response["Content-Type"] == "application/problem+json"
        assert response.json()["code"] == "not_allowed"
        assert not await OperationRun.objects.aexists()
        return response.json()["detail"]


@override_settings(PROGRESS={"ALLOW_ANONYMOUS": False})
class BearerTests(MiddlewareCase):
    async def test_a_token_acts_as_its_user(self):
        for scheme in ("Bearer", "bearer", "BEARER "):
            response = await self.start(Authorization=f"{scheme} {self.token}")
            assert response.status_code == 200
        assert {run.user_id async for run in OperationRun.objects.all()} == {self.alice.pk}

    async def test_no_other_string_does(self):
        digest = (await ApiToken.objects.aget()).digest
        for wrong in (
            "",
            "x",
            self.token[:-1],
            self.token + "x",
            self.token.swapcase(),
            digest,
            "é",
            "\x7f" * 5000,
            "' OR 1=1",
        ):
            with self.subTest(wrong=wrong[:20]):
                response = await self.start(Authorization=f"Bearer {wrong}")
                assert await self.assert_refused(response, 401) == "This API token is not valid."
                assert response["WWW-Authenticate"] == "Bearer"

    async def test_a_wrong_token_is_not_made_good_by_a_session(self):
        await self.assert_refused(await self.start(await self.signed_in(), Authorization="Bearer wrong"), 401)

    async def test_a_token_wins_over_a_session(self):
        bob = await get_user_model().objects.acreate(username="bob")
        client = AsyncClient(enforce_csrf_checks=True)
        await client.aforce_login(bob)
        await self.start(client, Authorization=f"Bearer {self.token}")
        run = await OperationRun.objects.aget()
        assert (run.user_id, run.visitor) == (self.alice.pk, "")

    async def test_the_token_of_somebody_who_was_shut_out(self):
        self.alice.is_active = False
        await self.alice.asave()
        await self.assert_refused(await self.start(Authorization=f"Bearer {self.token}"), 401)

    async def test_a_deleted_token(self):
        await ApiToken.objects.all().adelete()
        await self.assert_refused(await self.start(Authorization=f"Bearer {self.token}"), 401)

    async def test_other_schemes_are_not_its_business(self):
        await self.assert_refused(await self.start(Authorization=f"Basic {self.token}"), 401)

    async def test_a_token_is_nothing_outside_the_api(self):
        user = await get_user_model().objects.acreate_superuser("root")
        token = await sync_to_async(ApiToken.issue)(user, "leaked")
        answer = await AsyncClient().get("/admin/", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer["Location"]) == (302, "/admin/login/?next=/admin/")

    async def test_a_session_is_no_token(self):
        response = await (await self.signed_in()).get("/api/runs")
        assert response.json() == {"items": [], "next": None}


@override_settings(PROGRESS={"ALLOW_ANONYMOUS": True})
class CsrfTests(MiddlewareCase):
    async def test_a_cookie_needs_a_csrf_token(self):
        detail = await self.assert_refused(await self.start(await self.signed_in()))
        assert "X-CSRFToken" in detail
        assert "Authorization: Bearer" in detail

    async def test_any_cookie_does(self):
        client = AsyncClient(enforce_csrf_checks=True)
        client.cookies["theme"] = "dark"
        await self.assert_refused(await self.start(client))

    async def test_with_its_token_it_passes(self):
        client = await self.signed_in()
        client.cookies["csrftoken"] = "a" * 32
        assert (await self.start(client, X_CSRFToken="a" * 32)).status_code == 200
        assert (await self.start(client, X_CSRFToken="b" * 32)).status_code == 403

    async def test_cancel_and_retry_are_guarded_too(self):
        run = await OperationRun.objects.acreate(operation="test_count", user=self.alice, status="failed")
        client = await self.signed_in()
        for verb in ("cancel", "retry"):
            response = await client.post(f"/api/runs/{run.pk}/{verb}", "{}", content_type="application/json")
            assert (response.status_code, response["Content-Type"]) == (403, "application/problem+json")
        assert await OperationRun.objects.acount() == 1

    async def test_a_program_without_cookies_needs_none(self):
        assert (await self.start()).status_code == 200
        assert (await self.start(Sec_Fetch_Site="same-origin")).status_code == 200

    async def test_a_page_of_another_site_is_refused_even_without_cookies(self):
        for site in ("cross-site", "same-site", "odd"):
            with self.subTest(site=site):
                await self.assert_refused(await self.start(Sec_Fetch_Site=site))

    async def test_what_a_form_can_send_is_refused_without_cookies(self):
        for kind in (
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/jsonp",
        ):
            with self.subTest(kind=kind):
                await self.assert_refused(await self.start(content_type=kind))

    async def test_a_browser_gets_a_page_and_a_program_a_problem(self):
        client = await self.signed_in()
        response = await self.start(client, Accept="text/html,*/*")
        assert (response.status_code, response["Content-Type"]) == (403, "text/html; charset=utf-8")
        for accept in ("application/json", "text/event-stream", "*/*"):
            await self.assert_refused(await self.start(client, Accept=accept))


@override_settings(PROGRESS={"ALLOW_ANONYMOUS": True})
class OutageTests(MiddlewareCase):
    """What a database that is really away makes of all addresses is in tests/faults/test_recovery.py."""

    def failing(self, error, method="save"):
        return patch.object(SessionStore, method, side_effect=error)

    async def test_a_session_that_cannot_be_stored_after_the_view_has_answered(self):
        client = AsyncClient(raise_request_exception=False)
        with self.failing(OperationalError("gone")), self.assertLogs("django.request", "ERROR"):
            answer = await self.start(client, Prefer="respond-async")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert int(answer["Retry-After"]) >= 2
        assert "Content-Security-Policy" in answer

    async def test_a_page_says_so_and_under_debug_what_it_was(self):
        client = AsyncClient(raise_request_exception=False)
        client.cookies["sessionid"] = "x" * 32
        for debug, status in ((False, 503), (True, 500)):
            with (
                override_settings(DEBUG=debug),
                self.failing(OperationalError("gone"), "load"),
                self.failing(OperationalError("gone"), "aload"),
                self.assertLogs("django.request", "ERROR"),
            ):
                answer = await client.get("/charts/", headers={"Accept": "text/html"})
            assert answer.status_code == status
            assert (b"cannot reach its database" in answer.content) == (not debug)

    async def test_other_mistakes_stay_mistakes(self):
        client = AsyncClient(raise_request_exception=False)
        with self.failing(ProgrammingError("no such column")), self.assertLogs("django.request", "ERROR"):
            answer = await self.start(client, Prefer="respond-async")
        assert answer.status_code == 500
