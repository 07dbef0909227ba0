import csv
import io

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from charts.models import Chart, Source, ensure_sample_source, find_source
from charts.sources import QueryFailed
from progress.exceptions import OperationFailed
from progress.owners import Owner

from .case import ShopCase, make_chart


class TestSource(ShopCase):
    def setUp(self):
        super().setUp()
        self.alice = Owner(user=get_user_model().objects.create_user("alice").pk)
        self.visitor = Owner(visitor="v1")

    def test_it_opens_its_file(self):
        assert {table.name for table in self.shop.open().schema()} >= {"orders", "order lines"}

    def test_its_file_must_lie_below_the_data_folder(self):
        for location in ("../secret.sqlite3", "/etc/passwd", "a/../../b.sqlite3"):
            source = Source(slug="x", title="X", location=location)
            with pytest.raises(ValidationError):
                source.full_clean()
            with pytest.raises(QueryFailed) as caught:
                source.open()
            assert caught.value.code == "unavailable"
            assert "passwd" not in caught.value.message

    def test_a_link_out_of_the_data_folder_is_not_followed(self):
        (self.folder / "link.sqlite3").symlink_to("/etc/passwd")
        with pytest.raises(QueryFailed):
            Source(slug="x", title="X", location="link.sqlite3").open()

    def test_it_cannot_be_the_sites_own_database(self):
        own = settings.DATABASES["default"]["NAME"]
        with self.settings(VAR_DIR="/"), pytest.raises(ValidationError):
            Source(slug="x", title="X", location=str(own).lstrip("/")).full_clean()

    def test_own_and_public_ones_are_visible(self):
        mine = Source.objects.create(slug="mine", title="Mine", location="sample.sqlite3", user_id=self.alice.user)
        theirs = Source.objects.create(slug="theirs", title="Theirs", location="sample.sqlite3", visitor="v1")
        assert set(Source.objects.visible_to(self.alice)) == {self.shop, mine}
        assert set(Source.objects.visible_to(self.visitor)) == {self.shop, theirs}
        assert set(Source.objects.visible_to(Owner())) == {self.shop}
        assert set(Source.objects.visible_to(None)) == {self.shop, mine, theirs}

    def test_finding_one(self):
        Source.objects.create(slug="theirs", title="Theirs", location="sample.sqlite3", visitor="v1")
        assert find_source(None, self.alice) == find_source("sample", self.alice) == self.shop
        assert find_source("theirs", self.visitor).slug == "theirs"
        with pytest.raises(OperationFailed, match="There is no source 'theirs'; there is sample") as caught:
            find_source("theirs", self.alice)
        assert caught.value.code == "invalid_request"

    def test_the_sample_comes_into_being_where_it_is_missing(self):
        Source.objects.all().delete()
        self.shop.path.unlink()
        again = find_source(None, Owner())
        assert (again.slug, again.is_public, again.user) == ("sample", True, None)
        assert again.path.stat().st_size > 100_000

    def test_making_the_sample_again_changes_nothing(self):
        before = self.shop.path.stat().st_mtime_ns
        assert ensure_sample_source() == self.shop
        assert self.shop.path.stat().st_mtime_ns == before


class TestChart(ShopCase):
    def test_its_json(self):
        chart = make_chart(source=self.shop)
        found = chart.as_json()
        assert found["id"] == str(chart.pk)
        assert found["source"] == "sample"
        assert found["rows"] == [["Germany", 3], ["France", 2]]
        assert found["links"]["json"] == f"/api/charts/{chart.pk}.json"
        assert set(chart.summary()) < set(found)

    def test_it_outlives_its_source(self):
        chart = make_chart(source=self.shop)
        self.shop.delete()
        assert Chart.objects.get(pk=chart.pk).as_json()["source"] is None

    def test_csv_holds_no_formula(self):
        evil = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]
        chart = make_chart(rows=[[text, -1] for text in evil] + [['a,b\n"c"', None]])
        rows = list(csv.reader(io.StringIO(chart.to_csv(), newline="")))
        assert rows[0] == ["Country", "Orders"]
        assert rows[1:-1] == [[f"'{text}", "-1"] for text in evil]
        assert rows[-1] == ['a,b\n"c"', ""]

    def test_a_column_that_looks_like_a_formula(self):
        columns = [{"name": "c0", "label": "=cmd()", "part": "measure", "kind": "quantitative"}]
        assert make_chart(columns=columns, rows=[]).to_csv() == "'=cmd()\r\n"

    def test_file_names_are_plain(self):
        assert make_chart(title='Größe "x"\r\n; a/b').file_name == "groe-x-ab"
        assert make_chart(title="収益").file_name == "chart"
        assert len(make_chart(title="long " * 50).file_name) <= 60
