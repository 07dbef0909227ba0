import csv
import io
import json
import uuid
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import AsyncClient, Client

from charts.models import Chart, Source
from charts.render import RenderFailed
from progress.owners import VISITOR_KEY

from .case import ShopCase, make_chart

CHART_PATHS = ("", ".json", ".csv", ".png", ".svg")


class ApiCase(ShopCase):
    """Alice owns; Bob is a stranger; Carol is staff and may view; Dave is staff and may not."""

    def setUp(self):
        super().setUp()
        users = get_user_model().objects
        self.alice, self.bob = users.create_user("alice"), users.create_user("bob")
        self.carol, self.dave = users.create_user("carol", is_staff=True), users.create_user("dave", is_staff=True)
        self.carol.user_permissions.add(*Permission.objects.filter(codename__in=("view_chart", "view_source")))
        self.chart = make_chart(user=self.alice, source=self.shop)

    async def get(self, path, user=None):
        client = AsyncClient()
        if user is not None:
            await client.aforce_login(user)
        return await client.get(path)

    async def json(self, path, user=None):
        response = await self.get(path, user)
        assert response.status_code == 200, response.content
        return response.json()

    def assertProblem(self, response, status):
        assert response.status_code == status
        assert response["Content-Type"] == "application/problem+json"
        assert response.json()["status"] == status


class TestWhoMayRead(ApiCase):
    async def test_charts(self):
        for suffix in CHART_PATHS:
            path = f"/api/charts/{self.chart.pk}{suffix}"
            for user, status in ((self.alice, 200), (self.carol, 200), (self.bob, 404), (self.dave, 404), (None, 404)):
                with self.subTest(path=path, user=user):
                    assert (await self.get(path, user)).status_code == status

    async def test_a_visitor_reads_what_the_visitor_made(self):
        chart = await sync_to_async(make_chart)(visitor="v1")
        client = AsyncClient()
        session = await client.asession()
        await session.aset(VISITOR_KEY, "v1")
        await session.asave()
        client.cookies["sessionid"] = session.session_key
        assert (await client.get(f"/api/charts/{chart.pk}")).status_code == 200
        assert (await client.get(f"/api/charts/{self.chart.pk}")).status_code == 404

    async def test_charts_of_nobody_are_nobodys(self):
        chart = await sync_to_async(make_chart)()
        assert (await self.get(f"/api/charts/{chart.pk}")).status_code == 404

    async def test_a_missing_chart_looks_like_a_foreign_one(self):
        missing = await self.get(f"/api/charts/{uuid.uuid4()}", self.bob)
        foreign = await self.get(f"/api/charts/{self.chart.pk}", self.bob)
        assert missing.content == foreign.content
        self.assertProblem(foreign, 404)

    async def test_sources(self):
        await Source.objects.acreate(slug="mine", title="Mine", location="sample.sqlite3", user=self.alice)
        for user, status in ((self.alice, 200), (self.carol, 200), (self.bob, 404), (self.dave, 404), (None, 404)):
            with self.subTest(user=user):
                assert (await self.get("/api/sources/mine/schema", user)).status_code == status
        assert (await self.get("/api/sources/sample/schema")).status_code == 200

    async def test_nothing_is_kept_by_caches(self):
        response = await self.get(f"/api/charts/{self.chart.pk}.csv", self.alice)
        assert response["Cache-Control"] == "private, no-store"


class TestSources(ApiCase):
    async def test_the_list(self):
        await Source.objects.acreate(slug="mine", title="Mine", location="sample.sqlite3", user=self.alice)
        found = await self.json("/api/sources", self.alice)
        assert [source["slug"] for source in found["items"]] == ["sample", "mine"]
        assert found["items"][0]["links"] == {"schema": "/api/sources/sample/schema"}
        assert [source["slug"] for source in (await self.json("/api/sources"))["items"]] == ["sample"]
        assert "sqlite3" not in json.dumps(found)

    async def test_the_schema(self):
        found = await self.json("/api/sources/sample/schema")
        tables = {table["name"]: table for table in found["tables"]}
        assert (found["slug"], found["dialect"]) == ("sample", "sqlite")
        assert tables["order lines"]["rows"] > 1000
        assert tables["orders"]["primary_key"] == ["id"]
        columns = {column["name"]: column for column in tables["orders"]["columns"]}
        assert columns["customer_id"]["references"] == "customers.id"
        assert columns["ordered_at"]["type"] == "datetime"

    async def test_a_missing_file_is_a_problem(self):
        await Source.objects.acreate(slug="gone", title="Gone", location="gone.sqlite3", is_public=True)
        response = await self.get("/api/sources/gone/schema")
        self.assertProblem(response, 503)
        assert response.json()["code"] == "unavailable"
        assert str(self.folder) not in response.json()["detail"]


class TestCharts(ApiCase):
    async def test_pages_newest_first(self):
        for number in range(4):
            chart = await sync_to_async(make_chart)(user=self.alice, title=f"Chart {number}")
            await Chart.objects.filter(pk=chart.pk).aupdate(
                created_at=self.chart.created_at + timedelta(seconds=number + 1)
            )
        seen, path = [], "/api/charts?limit=2"
        while path:
            page = await self.json(path, self.alice)
            seen.append([chart["title"] for chart in page["items"]])
            path = page["next"]
        assert seen == [["Chart 3", "Chart 2"], ["Chart 1", "Chart 0"], ["Orders by country"]]
        assert (await self.json("/api/charts", self.bob))["items"] == []
        assert (await self.json("/api/charts", self.carol))["items"] == []

    async def test_charts_of_one_source(self):
        await sync_to_async(make_chart)(user=self.alice, title="Without a source")
        found = await self.json("/api/charts?source=sample", self.alice)
        assert [chart["title"] for chart in found["items"]] == ["Orders by country"]

    async def test_wrong_queries_are_named(self):
        for query in ("limit=0", "limit=x", "limit=1000", "cursor=%00", "cursor=abc", "colour=red"):
            with self.subTest(query):
                response = await self.get(f"/api/charts?{query}", self.alice)
                self.assertProblem(response, 422)
                assert response.json()["errors"][0]["field"] in query

    async def test_other_verbs_are_refused(self):
        client = AsyncClient()
        for path in ("/api/sources", "/api/charts", f"/api/charts/{self.chart.pk}"):
            self.assertProblem(await client.post(path), 405)

    async def test_csv(self):
        response = await self.get(f"/api/charts/{self.chart.pk}.csv", self.alice)
        assert response["Content-Type"] == "text/csv; charset=utf-8"
        assert response["Content-Disposition"] == 'attachment; filename="orders-by-country.csv"'
        rows = list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))
        assert rows == [["Country", "Orders"], ["Germany", "3"], ["France", "2"]]

    async def test_pictures(self):
        png = await self.get(f"/api/charts/{self.chart.pk}.png", self.alice)
        assert (png["Content-Type"], png.content[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")
        svg = await self.get(f"/api/charts/{self.chart.pk}.svg", self.alice)
        assert b"Germany" in svg.content
        assert svg["Content-Disposition"].startswith("attachment")

    async def test_a_picture_that_cannot_be_drawn_is_a_problem(self):
        with pytest.MonkeyPatch.context() as patch:

            async def refuse(spec, format):
                raise RenderFailed("Too many pictures are being drawn; try again in a moment.", code="unavailable")

            patch.setattr("charts.api.render", refuse)
            response = await self.get(f"/api/charts/{self.chart.pk}.png", self.alice)
        self.assertProblem(response, 503)

    async def test_the_json_is_the_chart(self):
        for suffix in ("", ".json"):
            found = await self.json(f"/api/charts/{self.chart.pk}{suffix}", self.alice)
            assert found["spec"] == self.chart.spec
            assert found["rows"] == [["Germany", 3], ["France", 2]]


class TestAdmin(ApiCase):
    def setUp(self):
        super().setUp()
        self.root = get_user_model().objects.create_superuser("root")

    def test_charts_are_shown_and_escaped_but_not_changed(self):
        evil = "<script>alert(1)</script>"
        chart = make_chart(title=evil, question=evil, answer=evil, rows=[[evil, 1]], source=self.shop)
        client = Client()
        client.force_login(self.root)
        for path in ("/admin/charts/chart/", f"/admin/charts/chart/{chart.pk}/change/", "/admin/charts/source/"):
            with self.subTest(path):
                response = client.get(path)
                assert response.status_code == 200
                self.assertNotContains(response, evil)
        assert client.get("/admin/charts/chart/add/").status_code == 403
        assert client.post(f"/admin/charts/chart/{chart.pk}/change/", {"title": "x"}).status_code == 403

    def test_a_source_outside_of_the_data_folder_is_refused(self):
        client = Client()
        client.force_login(self.root)
        form = {"title": "X", "slug": "x", "kind": "sqlite", "location": "../../etc/passwd"}
        response = client.post("/admin/charts/source/add/", form)
        self.assertContains(response, "is not a file of data")
        assert not Source.objects.filter(slug="x").exists()
