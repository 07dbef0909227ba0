import copy
import json

import pytest

from charts.choice import choose_chart
from charts.plan import Aggregate, ChartType, Grain, Order
from charts.spec import MAX_ROWS, SpecRefused, bin_values, build_spec, themed, validate_spec

from .shop import COUNTRY, MONTH, dimension, measure, months, of, orders, plan, result, total, where

TIME = dimension("Month", "temporal", grain=Grain.MONTH)
NAMES = [("Spain", 1.0), ("France", 3.0), (None, 2.0)]
FORBIDDEN = ("url", "href", "image", "expr", "signal", "usermeta", "params", "transform")


def spec_of(asked, found, **more):
    return build_spec(asked, found, choose_chart(asked, found), **more)


def bars(**more):
    return spec_of(plan(total(), by=(COUNTRY,), **more), result((dimension(), measure(unit="€")), NAMES))


def line(**more):
    return spec_of(plan(total(), by=(MONTH,)), result((TIME, measure(unit="€")), months(1, 2, 3, 4)), **more)


def cases():
    series = [(f"2025-{month:02}", name, 1.0 + month) for month in range(1, 7) for name in ("a", None)]
    points = [(float(number), number % 5) for number in range(40)]
    two = (TIME, dimension(), measure())
    yield "bar", plan(total(), by=(COUNTRY,)), result((dimension(), measure()), NAMES)
    yield "line", plan(total(), by=(MONTH,)), result((TIME, measure()), months(1, None, 3))
    yield "area", plan(total(), by=(MONTH, COUNTRY), chart=ChartType.AREA), result(two, series)
    yield "lines", plan(total(), by=(MONTH, COUNTRY)), result(two, series)
    yield "stacked", plan(total(), by=(MONTH, COUNTRY), chart=ChartType.STACKED_BAR), result(two, series)
    yield (
        "beside",
        plan(total(Aggregate.AVERAGE), by=(MONTH, COUNTRY), chart=ChartType.STACKED_BAR),
        result((*two[:2], measure(additive=False)), series),
    )
    yield (
        "pie",
        plan(orders(share=True), by=(COUNTRY,)),
        result((dimension(), measure(share=True)), [("a", 0.4), (None, 0.6)]),
    )
    yield "scatter", plan(total(None), total(None, label="Q")), result((measure("P"), measure("Q")), points)
    yield "histogram", plan(total(None)), result((measure(),), [(a,) for a, _ in points])
    yield "number", plan(total()), result((measure(),), [(1234.5,)])
    yield "table", plan(details=(of("orders.id"),)), result((dimension("A"), dimension("A")), [(1, "x")] * 30)
    yield (
        "panels",
        plan(total(), orders(), by=(COUNTRY,)),
        result((dimension(), measure(), measure("Orders")), [("a", 1, 2)] * 2),
    )
    yield "empty", plan(total(), by=(COUNTRY,)), result((dimension(), measure()), [])


CASES = {name: (asked, found) for name, asked, found in cases()}


def keys(node):
    if isinstance(node, dict):
        return set(node) | {key for item in node.values() for key in keys(item)}
    return {key for item in node for key in keys(item)} if isinstance(node, list) else set()


@pytest.mark.parametrize("name", CASES)
class TestEveryChart:
    def test_passes_its_own_wall(self, name):
        spec = spec_of(*CASES[name])
        validate_spec(spec)
        validate_spec(json.loads(json.dumps(themed(spec, dark=True))))

    def test_holds_nothing_to_run_or_fetch_and_no_colours(self, name):
        spec = spec_of(*CASES[name])
        assert not keys(spec) & set(FORBIDDEN)
        assert "#" not in json.dumps(spec)

    def test_fields_are_numbered(self, name):
        assert all(
            set(row) <= {f"c{number}" for number in range(20)} for row in spec_of(*CASES[name])["data"]["values"]
        )

    def test_partial_periods_leave_the_data_whole(self, name):
        asked, found = CASES[name]
        spec = spec_of(asked, found, partial={found.rows[-1][0]} if found.rows else ())
        validate_spec(spec)
        assert spec_of(asked, found)["data"]["values"] == [
            {key: row[key] for key in first}
            for row, first in zip(spec["data"]["values"], spec_of(asked, found)["data"]["values"], strict=True)
        ]


class TestBars:
    def test_titles_tooltips_and_units_carry_the_real_names(self):
        encoding = bars()["encoding"]
        assert encoding["x"]["axis"]["title"] == "Country"
        assert encoding["y"]["axis"]["title"] == "Revenue (€)"
        assert [line["title"] for line in encoding["tooltip"]] == ["Country", "Revenue (€)"]

    def test_start_at_0(self):
        assert bars()["encoding"]["y"]["scale"]["zero"] is True

    def test_go_from_high_to_low_with_a_name_for_null(self):
        assert bars()["encoding"]["x"]["sort"] == ["France", "(none)", "Spain"]

    def test_keep_the_order_that_was_asked_for(self):
        assert bars(order=(Order(by="dimension"),))["encoding"]["x"]["sort"] == ["Spain", "France", "(none)"]
        assert bars(order=(Order(by="measure"),))["encoding"]["x"]["sort"] == ["Spain", "France", "(none)"]

    def test_put_weekdays_in_their_order(self):
        days = dimension("Weekday", "ordinal", grain=Grain.WEEKDAY)
        spec = spec_of(plan(orders(), by=(COUNTRY,)), result((days, measure()), [("Wed", 9), ("Mon", 1), ("Tue", 5)]))
        assert spec["encoding"]["x"]["sort"] == ["Mon", "Tue", "Wed"]

    def test_put_all_others_last(self):
        spec = spec_of(
            plan(orders(), by=(COUNTRY,)),
            result((dimension(), measure()), [("All others (9)", 90), ("a", 1), ("b", 2)]),
        )
        assert spec["encoding"]["x"]["sort"] == ["b", "a", "All others (9)"]

    def test_lie_where_names_are_long(self):
        spec = spec_of(plan(orders(), by=(COUNTRY,)), result((dimension(), measure()), [("a" * 30, 1), ("b", 2)]))
        assert spec["encoding"]["y"]["field"] == "c0"
        assert spec["height"] == {"step": 24}

    def test_periods_are_named_and_a_partial_one_is_hollow(self):
        asked = plan(total(), by=(MONTH,), chart=ChartType.BAR)
        spec = spec_of(asked, result((TIME, measure()), months(1, 2, 3)), partial={"2025-03"})
        assert spec["encoding"]["x"]["sort"] == ["Jan 2025", "Feb 2025", "Mar 2025"]
        solid, hollow = spec["layer"]
        values = spec["data"]["values"]
        assert [row[solid["encoding"]["y"]["field"]] for row in values] == [1, 2, None]
        assert [row[hollow["encoding"]["y"]["field"]] for row in values] == [None, None, 3]
        assert hollow["mark"]["filled"] is False

    def test_averages_stand_side_by_side(self):
        encoding = spec_of(*CASES["beside"])["encoding"]
        assert encoding["xOffset"]["field"] == encoding["color"]["field"]
        assert encoding["y"]["stack"] is False

    def test_two_labels_are_never_one(self):
        spec = spec_of(
            plan(orders(), by=(COUNTRY,)), result((dimension(), measure()), [("(none)", 1), (None, 2), ("x", 3)])
        )
        assert len({row["c0"] for row in spec["data"]["values"]}) == 3


class TestLines:
    def test_times_have_no_zone(self):
        assert [row["c0"] for row in line()["data"]["values"]][:2] == ["2025-01-01T00:00:00", "2025-02-01T00:00:00"]

    def test_a_partial_period_is_reached_by_a_dashed_segment_to_a_hollow_point(self):
        spec = line(partial={"2025-04"})
        solid, dashed, _, ring = spec["layer"]
        values = spec["data"]["values"]
        assert dashed["mark"]["strokeDash"]
        assert [row[solid["encoding"]["y"]["field"]] for row in values] == [1, 2, 3, None]
        assert [row[dashed["encoding"]["y"]["field"]] for row in values] == [None, None, 3, 4]
        assert [row[ring["encoding"]["y"]["field"]] for row in values] == [None, None, None, 4]

    def test_grows_with_the_page(self):
        assert line()["width"] == "container"

    def test_shares_are_percentages(self):
        spec = spec_of(plan(total(share=True), by=(MONTH,)), result((TIME, measure(share=True)), months(0.1, 0.2, 0.7)))
        assert spec["layer"][0]["encoding"]["y"]["axis"]["format"] == ".0%"


class TestOthers:
    def test_a_title_says_what_is_shown_and_to_what_it_is_limited(self):
        spec = bars(
            filters=(
                where("orders.ordered_at", ">=", "2025-05-01"),
                where("customers.country", "in", "Spain", "France"),
            )
        )
        assert spec["title"]["text"] == ["Revenue by country"]
        assert spec["title"]["subtitle"] == ["Only where ordered at is from 1 May 2025 and country is Spain or France"]

    def test_notes_go_with_the_picture(self):
        assert line(notes=["April is not complete."])["title"]["subtitle"] == ["April is not complete."]

    def test_slices_keep_their_order_and_show_their_share(self):
        values = spec_of(*CASES["pie"])["data"]["values"]
        assert [(row["c0"], row["c4"]) for row in values] == [("a", "40%"), ("(none)", "60%")]

    def test_a_table_shows_20_rows_and_says_so(self):
        spec = spec_of(*CASES["table"])
        assert len(spec["data"]["values"]) == 40
        assert spec["title"]["subtitle"] == ["The first 20 of 30 rows"]

    def test_two_measures_are_two_panels(self):
        assert [panel["encoding"]["y"]["field"] for panel in spec_of(*CASES["panels"])["vconcat"]] == ["c1", "c2"]

    def test_rows_are_capped(self):
        rows = [(float(number), 1.0) for number in range(MAX_ROWS + 10)]
        spec = spec_of(plan(total(None), total(None, label="Q")), result((measure("P"), measure("Q")), rows))
        assert len(spec["data"]["values"]) == MAX_ROWS

    def test_a_column_called_image_is_no_picture_in_the_tooltip(self):
        spec = spec_of(plan(orders(), by=(COUNTRY,)), result((dimension("image"), measure("title")), NAMES))
        assert [line["title"] for line in spec["encoding"]["tooltip"]] == ["Image", "Title"]

    @pytest.mark.parametrize(
        ("values", "bins"),
        [
            ([1.0, 2.0, 2.0, 3.0], [(1, 2, 1), (2, 3, 2), (3, 4, 1)]),
            ([5.0, 5.0], [(5, 6, 2)]),
            (
                [0.0, 0.11, 0.12],
                [(0, 0.01, 1), *[(n / 100, (n + 1) / 100, 0) for n in range(1, 11)], (0.11, 0.12, 1), (0.12, 0.13, 1)],
            ),
            (
                [-1000.0, 1000.0],
                [(-1000, -800, 1), *[(n, n + 200, 0) for n in range(-800, 1000, 200)], (1000, 1200, 1)],
            ),
        ],
    )
    def test_bins_are_round_and_hold_every_value(self, values, bins):
        assert bin_values(values) == bins


def hostile():
    """Each of these is a chart with one thing in it that must not reach a renderer."""

    def put(path, value):
        def change(spec):
            node = spec
            for step in path[:-1]:
                node = node[step]
            node[path[-1]] = value

        return change

    x, y, tip = ("encoding", "x"), ("encoding", "y"), ("encoding", "tooltip", 0)
    signal, expr = {"signal": "alert(1)"}, {"expr": "alert(1)"}
    address = "http://127.0.0.1:9/steal"
    yield from (
        put(("data",), {"url": address}),
        put(("data", "url"), address),
        put(("data", "format"), {"type": "topojson"}),
        put(("data", "sequence"), {"start": 0, "stop": 1e9}),
        put(("data", "values"), address),
        put(("data", "values"), [{"c0": "a", "c1": 1}] * (MAX_ROWS + 1)),
        put(("data", "values", 0, "c1"), float("inf")),
        put(("data", "values", 0, "c1"), float("nan")),
        put(("data", "values", 0, "c0"), {"toString": "x"}),
        put(("data", "values", 0, "__proto__"), "x"),
        put(("datasets",), {"a": [{"c0": 1}]}),
        put(("$schema",), address),
        put(("$schema",), "https://vega.github.io/schema/vega/v6.json"),
        put(("usermeta",), {"embedOptions": {"loader": {"baseURL": address}}}),
        put(("params",), [{"name": "p", "expr": "alert(1)"}]),
        put(("transform",), [{"calculate": "alert(1)", "as": "c9"}]),
        put(("transform",), [{"lookup": "c0", "from": {"data": {"url": address}, "key": "a", "fields": ["b"]}}]),
        put(("projection",), {"type": "mercator"}),
        put(("config",), {"customFormatTypes": True}),
        put(("config",), {"background": expr}),
        put(("background",), expr),
        put(("title", "text"), expr),
        put(("title", "text"), signal),
        put(("title", "href"), address),
        put(("mark",), {"type": "image", "url": address}),
        put(("mark", "type"), "geoshape"),
        put(("mark", "href"), address),
        put(("mark", "url"), address),
        put(("mark", "tooltip"), expr),
        put(("mark", "opacity"), expr),
        put(("mark", "size"), 1e12),
        put(("encoding", "href"), {"field": "c0"}),
        put(("encoding", "url"), {"field": "c0"}),
        put((*x, "field"), "datum['c0'];alert(1)"),
        put((*x, "field"), {"repeat": "row"}),
        put((*x, "field"), "c0\n"),
        put((*x, "field"), "c7"),
        put((*x, "axis", "labelExpr"), "alert(1)"),
        put((*x, "axis", "title"), signal),
        put((*y, "axis", "format"), "'+alert(1)+'"),
        put((*y, "axis", "formatType"), "html"),
        put((*y, "scale", "domain"), expr),
        put((*y, "scale", "range"), signal),
        put((*y, "aggregate"), "sum"),
        put((*x, "sort"), {"op": "mean", "field": "c1"}),
        put((*tip, "title"), "image"),
        put((*tip, "condition"), {"test": "alert(1)", "value": 1}),
        put(("layer",), [{"mark": {"type": "bar"}}] * 7),
        put(("vconcat",), [{"mark": {"type": "bar"}}]),
        put(("hconcat",), [{"mark": {"type": "bar"}}]),
        put(("resolve",), {"scale": {"y": "independent"}}),
        put(("width",), 1e9),
    )


HOSTILE = list(hostile())


class TestWall:
    def test_there_are_enough_attacks(self):
        assert len(HOSTILE) >= 40

    @pytest.mark.parametrize("number", range(len(HOSTILE)))
    def test_refuses(self, number):
        spec = copy.deepcopy(bars())
        validate_spec(spec)
        HOSTILE[number](spec)
        with pytest.raises(SpecRefused):
            validate_spec(spec)

    @pytest.mark.parametrize("nothing", [None, [], "spec", {}, {"data": {"values": []}}])
    def test_refuses_what_is_no_chart(self, nothing):
        with pytest.raises(SpecRefused):
            validate_spec(nothing)

    def test_says_where(self):
        spec = bars()
        spec["mark"]["href"] = "x"
        with pytest.raises(SpecRefused, match=r"^mark\.href: Extra inputs are not permitted$"):
            validate_spec(spec)


def test_a_theme_is_a_copy_with_colours_for_the_page():
    spec = bars()
    light, dark = themed(spec, dark=False), themed(spec, dark=True)
    assert "config" not in spec
    assert light["config"]["background"] != dark["config"]["background"]
    assert light["data"] is spec["data"]
