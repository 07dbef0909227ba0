"""Follow-ups: a few words after a chart give what the whole question would have given, or an honest no."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charts.plan import ChartType, Understanding
from charts.planner import Ambiguous, NotUnderstood, follow, turns
from charts.planner.vocabulary import phrases

from . import small_sources
from .sample_shop import TODAY, profile, run, same, understood


def followed(question, words, before=None):
    """What `words` give after a chart: of a question, or of a plan."""
    asked = understood(question).plan if isinstance(question, str) else question
    return follow(words, asked, profile(), before=before, today=TODAY)


def chain(question, *words):
    """The plan after a question and its follow-ups, one upon the other."""
    plan = understood(question).plan
    for each in words:
        found = followed(plan, each)
        assert isinstance(found, Understanding), (each, found)
        assert found.follows
        plan = found.plan
    return plan


# What a chart becomes, and the whole question that asks for the same
SAME = [
    # chart types
    ("orders by country", ["as a pie"], "orders by country as a pie"),
    ("orders by country", ["make it a table"], "orders by country as a table"),
    ("revenue per month", ["bars instead"], "revenue per month as a bar chart"),
    ("orders by channel", ["turn it into a pie chart please"], "orders by channel as a pie"),
    # times
    ("revenue per month", ["only 2025"], "revenue per month in 2025"),
    ("revenue per month", ["since May"], "revenue per month since May"),
    ("revenue per month", ["last 6 months"], "revenue per month in the last 6 months"),
    ("revenue per month", ["only 2025", "the year before"], "revenue per month in 2024"),
    ("orders by country", ["in March 2025", "the month after"], "orders by country in April 2025"),
    ("revenue per month", ["only 2025", "only March"], "revenue per month in March 2025"),
    ("orders by country", ["only 2025", "Q2"], "orders by country in Q2 2025"),
    ("orders by country", ["in 2024", "in 2025 instead"], "orders by country in 2025"),
    ("orders by country", ["only 2024", "also 2025"], "orders by country between 2024 and 2025"),
    ("orders by country", ["delivered in March 2025"], "orders by country delivered in March 2025"),
    ("orders by country between 2024 and 2025", ["without 2025"], "orders by country in 2024"),
    ("number of products by category with list price over 60", ["list price over 90"],
     "number of products by category with list price over 90"),
    ("number of products by category with list price over 60", ["list price under 90"],
     "number of products by category with list price over 60 and list price under 90"),
    ("orders by country in 2024", ["for all years"], "orders by country"),
    ("orders by country in 2024", ["without the date filter"], "orders by country"),
    # values
    ("revenue per month", ["only Germany"], "revenue per month in Germany"),
    ("revenue by category", ["for Germany and France"], "revenue by category in Germany or France"),
    ("revenue by category in Germany", ["and for Spain?"], "revenue by category in Spain"),
    ("revenue by category in Germany", ["what about Spain"], "revenue by category in Spain"),
    ("revenue by category in Germany", ["also Spain"], "revenue by category in Germany or Spain"),
    ("revenue by category in Germany", ["and Spain too"], "revenue by category in Germany or Spain"),
    ("revenue by category in Germany", ["France instead of Germany"], "revenue by category in France"),
    ("orders by country", ["excluding Germany"], "orders by country excluding Germany"),
    ("orders by status", ["without cancelled"], "orders by status excluding cancelled"),
    ("orders by channel", ["without Germany and France"], "orders by channel excluding Germany, excluding France"),
    ("orders by channel in Germany", ["all countries again"], "orders by channel"),
    ("orders by country in Germany", ["only web"], "orders by country in Germany on the web"),
    ("orders by country", ["only 2025", "only web"], "orders by country on the web in 2025"),
    ("orders by channel in Germany", ["without the filter"], "orders by channel"),
    ("number of products by category", ["price over 50"], "number of products by category with list price over 50"),
    ("customers with more than 15 orders", ["only Germany"], "customers in Germany with more than 15 orders"),
    ("orders that were never shipped", ["only Germany"], "orders in Germany that were never shipped"),
    # groups
    ("revenue by country", ["by category instead"], "revenue by category"),
    ("revenue by country", ["by category"], "revenue by category"),
    ("orders per month", ["by country instead"], "orders by country"),
    ("orders per month", ["split by country"], "orders by month and country"),
    ("orders per month", ["also by channel"], "orders by month and channel"),
    ("orders per month by channel", ["not by channel"], "orders per month"),
    ("orders per month by channel", ["without the channel split"], "orders per month"),
    ("orders by channel and status", ["by country instead of status"], "orders by channel and country"),
    ("orders by country", ["in total"], "how many orders are there"),
    ("orders that were never shipped", ["by country"], "number of orders that were never shipped by country"),
    ("how many orders are there", ["per month"], "orders per month"),
    ("orders per month", ["per week"], "orders per week"),
    ("orders per month", ["by quarter instead"], "orders per quarter"),
    ("orders per month", ["by weekday"], "orders per weekday"),
    # measures
    ("revenue per month", ["orders instead"], "orders per month"),
    ("revenue by country", ["number of orders instead of revenue"], "orders by country"),
    ("average rating by priority", ["the maximum instead"], "highest rating by priority"),
    ("revenue by category", ["as a share"], "share of revenue by category"),
    ("orders by segment", ["in percent"], "share of orders by segment"),
    ("share of orders by segment", ["not as a share"], "orders by segment"),
    ("orders per month", ["tickets instead"], "tickets per month"),
    ("orders per month in 2025", ["returns instead"], "returns per month in 2025"),
    # order and number
    ("orders by country", ["sorted by name"], "orders by country sorted by country"),
    ("orders by country", ["smallest first"], "orders by country from low to high"),
    ("orders per month", ["descending"], "orders per month descending"),
    ("revenue by product", ["top 5"], "top 5 products by revenue"),
    ("revenue by country", ["only the first three"], "top 3 countries by revenue"),
    ("top 5 countries by revenue", ["top 3"], "top 3 countries by revenue"),
    ("top 5 countries by revenue", ["all of them"], "revenue by country"),
    ("revenue by country", ["bottom 3"], "bottom 3 countries by revenue"),
    ("revenue by country", ["top 5 products"], "top 5 products by revenue"),
    ("top 10 products by revenue", ["make that the top 20"], "top 20 products by revenue"),
    ("top 10 products by revenue", ["by quantity instead"], "top 10 products by quantity"),
    ("top 10 products by revenue", ["for the Kitchen category"], "top 10 products by revenue in Kitchen"),
    ("revenue by product", ["the ten worst"], "bottom 10 products by revenue"),
    ("revenue by product", ["the ten worst", "all of them"], "revenue by product from low to high"),
    ("orders by channel", ["only germny"], "orders by channel in Germany"),
    ("orders by channel", ["table view"], "orders by channel as a table"),
    ("orders by country", ["leave out Germany and Austria"], "orders by country excluding Germany, excluding Austria"),
    ("orders by country", ["drop the cancelled ones"], "orders by country excluding cancelled"),
    ("orders by country", ["all but Germany"], "orders by country excluding Germany"),
    ("orders by country", ["the same but for 2025"], "orders by country in 2025"),
    ("orders by country", ["this year"], "orders by country this year"),
    ("orders by channel", ["for Berlin"], "orders by channel in Berlin"),
    ("revenue by segment", ["instead of segment use channel"], "revenue by channel"),
    ("revenue by segment", ["what are the numbers for 2025?"], "revenue by segment in 2025"),
    ("revenue by category", ["relative shares please"], "share of revenue by category"),
    ("revenue by category", ["as a percentage of the total"], "share of revenue by category"),
    ("average delivery days by carrier", ["broken down by month"], "average delivery days by month and carrier"),
    ("customers with more than 15 orders", ["more than 20 instead"], "customers with more than 20 orders"),
    ("customers by country", ["with no orders"], "customers by country without orders"),
    ("customers by country", ["by city in Germany"], "customers by city in Germany"),
    ("support tickets per month", ["quarters, not months"], "support tickets per quarter"),
    ("orders per week in 2025", ["delivered ones only"], "orders per week in 2025 with status delivered"),
    ("orders per week in 2025", ["Alpine Post only"], "orders per week in 2025 of Alpine Post"),
    ("web sessions by device", ["average seconds rather"], "average seconds by device"),
    ("orders per month", ["I only care about Italy"], "orders per month in Italy"),
    ("revenue per month in 2025", ["compare with the year before"], "compare 2024 and 2025 revenue by month"),
    # side by side
    ("orders per month in Germany", ["compare with France"], "monthly orders in Germany vs France"),
    ("revenue per month in 2025", ["compare with 2024"], "compare 2024 and 2025 revenue by month"),
    # chains
    ("revenue per month", ["only 2025", "orders instead", "by country instead", "top 3"],
     "top 3 countries by number of orders in 2025"),
    ("orders by country", ["per month instead", "only Germany", "and for France?", "as a line"],
     "orders per month in France as a line"),
    ("revenue by category", ["only Germany", "split by year", "without 2023", "by channel instead of category"], None),
    ("revenue by category", ["also by year", "by channel instead of category", "only Germany", "all countries again"],
     "revenue by channel and year"),
    ("tickets by priority", ["only 2025", "per month instead", "only high priority", "in 2026"],
     "tickets per month with priority high in 2026"),
    ("top 10 products by revenue", ["only Audio", "in 2025", "number of orders instead", "all of them"], None),
    ("average delivery days by carrier", ["only Germany", "without Northline", "by channel instead", "the maximum"], None),
]  # fmt: skip


@pytest.mark.parametrize(("question", "words", "whole"), [each for each in SAME if each[2]])
def test_follow_ups_give_what_the_whole_question_gives(question, words, whole):
    found, expected = run(chain(question, *words)), run(understood(whole).plan)
    assert same(found.rows, expected.rows, ordered="first" not in whole), (found.query.sql, expected.query.sql)
    assert found.plan.chart == expected.plan.chart


# What stands on its own


@pytest.mark.parametrize(
    "question",
    [
        "revenue per month",
        "orders by country",
        "how many customers are there in Germany",
        "average delivery days by carrier",
        "show tickets by priority",
        "customers without orders",
        "compare 2025 and 2026 revenue by month",
        "revenue on its own",
        "hello",
        "delete all orders",
        "what can you do",
    ],
)
def test_what_says_what_it_is_about_stands_on_its_own(question):
    assert followed("number of products by category", question) is None


# Questions back


@pytest.mark.parametrize(
    ("question", "words", "readings"),
    [
        ("orders per month", "by country", ["by country instead", "also by country"]),
        ("orders by country", "per month", ["by month instead", "also by month"]),
        (
            "orders by country and channel",
            "by status",
            ["by status instead of country", "by status instead of channel"],
        ),
        ("orders per month", "revenue", ["revenue instead", "revenue on its own"]),
        ("top 10 products by revenue", "smallest first", ["bottom 10", "all of them, smallest first"]),
        ("orders per month in 2024", "since May", ["since May 2024", "since May 2026"]),
        ("orders by country", "and by segment?", ["by segment instead", "also by segment"]),
        ("orders by country", "and the revenue", ["the revenue instead", "also the revenue"]),
        ("average delivery days by country", "seconds instead", ["average seconds instead", "total seconds instead"]),
        ("revenue by category in Germany", "and Spain", ["what about Spain", "also Spain"]),
        ("orders by channel in 2024", "the previous year", ["only 2023", "only 2025"]),
        ("orders by country in Germany", "without country", ["not by country", "without the country filter"]),
    ],
)
def test_a_doubt_is_asked_back(question, words, readings):
    found = followed(question, words)
    assert isinstance(found, Ambiguous), found
    assert [reading.question for reading in found.readings] == readings
    for reading in found.readings:
        again = followed(question, reading.question)
        assert (again.plan if again else understood(reading.question).plan) == reading.plan
        assert run(reading.plan).rows


# Honest noes


@pytest.mark.parametrize(
    ("question", "words", "why"),
    [
        ("orders per month", "only Atlantis", "“Atlantis”"),
        ("orders per month", "flurbit", "“flurbit”"),
        ("orders per month", "by region instead", "“region”"),
        ("orders by country", "the median instead", "“median”"),
        ("orders by country", "sorted by flurbit", "“flurbit”"),
        ("orders by country", "sorted by revenue", "does not show revenue"),
        ("orders by country in Germany", "without Germany", "nothing is left"),
        ("orders by country", "all countries again", "no condition on “countries”"),
        ("orders by country", "without the filter", "no conditions"),
        ("orders by country", "for all years", "not limited to a time"),
        ("orders by country", "the year before", "before or after what"),
        ("orders by country", "the average instead", "counts orders"),
        ("orders by country", "undo", "nothing to undo"),
        ("orders by country", "compare with France", "nothing to compare"),
        ("orders by country", "also Spain", "in it already"),
        ("orders by country", "by country", "already grouped by country"),
        ("orders by country", "not by channel", "not grouped by channel"),
        ("orders by country and channel", "top 5", "one grouping"),
        ("top 5 countries by revenue", "also by channel", "no ranking"),
        ("how many orders are there", "as a share", "needs groups"),
        ("average rating by priority", "as a share", "has no shares"),
        ("orders by channel", "tickets instead", "belongs to orders"),
        ("orders per month", "products instead of revenue", "does not show “revenue”"),
        ("orders per month", "excluding 2024", "2024"),
        ("orders by country", "only 2023 and 2025", "do not follow each other"),
        ("support tickets per month", "without the ones that were never closed", "together are not clear"),
        ("revenue per month", "cumulative", "more than can be computed"),
        ("revenue per month", "add a trend line", "A chart has one type"),
        ("revenue per month", "what is the average?", "not clear"),
        ("revenue by country", "top 5 by orders", "does not show orders"),
        ("orders by country", "remove the channel", "no “channel”"),
        ("discount against quantity", "under 10", "compare"),
        ("orders by country", "okay", "does not say what to change"),
        ("orders by country", "the other countries", "“other”"),
        ("number of products by category with list price over 60", "list price under 50", "leave nothing"),
    ],
)
def test_what_cannot_be_done_is_said(question, words, why):
    found = followed(question, words)
    assert isinstance(found, NotUnderstood), found
    assert why in found.why, found.why
    for offer in found.questions:
        again = followed(question, offer)
        assert isinstance(again, Understanding), (offer, again)
        run(again.plan)


def test_an_undo_goes_back():
    before = understood("orders by country").plan
    after = chain("orders by country", "only Germany")
    found = followed(after, "undo that", before)
    assert isinstance(found, Understanding)
    assert found.undone
    assert found.plan == before


def test_the_account_says_what_was_kept_and_what_changed():
    found = followed(chain("revenue per month", "only 2025"), "only 2024 and as a bar chart")
    assert found.kept == ("Revenue", "By month")
    assert found.changed == (
        "Only where ordered at is from 1 January 2024 to 31 December 2024, "
        "instead of only where ordered at is from 1 January 2025 to 31 December 2025",
        "Added: as bar",
    )


def test_a_chart_type_is_kept_until_another_is_wished_for():
    assert chain("orders by country as a pie", "only 2025", "by channel instead").chart is ChartType.PIE
    assert chain("orders by country as a pie", "not as a pie").chart is None


# Sources that are no shop
ELSEWHERE = [
    ("flights", "flights per month", ["only origin Berlin"], "flights per month with origin Berlin"),
    ("flights", "flights per month", ["only Blue Wings", "also Sunline"], "flights per month of Blue Wings or Sunline"),
    ("flights", "flights by origin", ["average delay instead"], "average delay minutes by origin"),
    ("flights", "average delay minutes by airline", ["the maximum instead"], "highest delay minutes by airline"),
    ("flights", "average delay minutes by airline", ["count them"], "number of flights by airline"),
    ("flights", "flights by airline", ["by alliance instead of airline"], "flights by alliance"),
    ("flights", "flights by alliance", ["distance over 1000"], "flights by alliance with distance over 1000"),
    ("flights", "flights by alliance in 2025", ["the year before", "by airline instead"], "flights by airline in 2024"),
    ("flights", "passengers by airline", ["top 2", "only 2025", "flights instead"], "top 2 airlines by number of flights in 2025"),
    ("flights", "passengers by destination", ["only destination Rome", "by airline instead", "as a share"],
     "share of passengers by airline with destination Rome"),
    ("school", "average points by house", ["by subject instead"], "average points by subject"),
    ("school", "average points by house", ["only Maths", "lowest instead"], "lowest points by house in Maths"),
    ("school", "exams per month", ["only North", "and for West?", "per year"], "exams per year in West"),
    ("school", "exams per month", ["only North", "all houses", "only advanced"], "exams per month in advanced"),
    ("school", "average points by house", ["top 3 students"], "top 3 students by average points"),
    ("school", "exams by level", ["split by house", "without West"], "exams by level and house excluding West"),
    ("school", "exams by house", ["students instead"], "students by house"),
    ("films", "films by genre", ["only 2010"], "films by genre in 2010"),
    ("films", "films by genre", ["only 2010", "since 2015"], "films by genre since 2015"),
    ("films", "films by genre", ["between 2005 and 2010", "the year before"], "films by genre between 2004 and 2009"),
    ("films", "films by genre", ["average rating instead", "only Comedy and Drama"], "average rating by genre in Comedy or Drama"),
    ("films", "films by genre", ["without Western or Horror"], "films by genre excluding Western, excluding Horror"),
    ("films", "films by genre", ["no Comedy", "with Comedy again"], "films by genre"),
    ("films", "average budget per year", ["only Acorn", "compare with Beacon"], "average budget per year of Acorn vs Beacon"),
    ("films", "films by genre", ["films by studio instead"], "films by studio"),
    ("films", "films by genre", ["rating over 7", "rating over 8 instead"], "films by genre with rating over 8"),
    ("films", "average rating by director", ["the 5 highest"], "top 5 directors by average rating"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "question", "words", "whole"), ELSEWHERE)
def test_follow_ups_elsewhere(name, question, words, whole):
    found = small_sources.understood(name, question)
    for each in words:
        answer = follow(each, found, small_sources.profile(name), today=small_sources.TODAY)
        assert isinstance(answer, Understanding), (each, answer)
        found = answer.plan
    expected = small_sources.rows(name, small_sources.understood(name, whole))
    assert expected
    assert same(small_sources.rows(name, found), expected, ordered=False)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("flights by origin", "only Berlin"),
        ("flights per month", "only to Oslo"),
        ("flights with origin Rome", "to Oslo"),
    ],
)
def test_a_value_of_two_columns_is_asked_back(question, words):
    found = follow(words, small_sources.understood("flights", question), small_sources.profile("flights"))
    assert isinstance(found, Ambiguous), found
    columns = [reading.plan.filters[-1].of.column for reading in found.readings]
    assert sorted(columns) == ["destination", "origin"]


# Whatever is typed


WORDS = [
    "only", "Germany", "France", "also", "without", "instead", "instead of", "by", "per", "country", "month", "week", "2025",
    "the year before", "since May", "top 5", "all", "again", "as a", "pie", "line", "table", "orders", "revenue", "customers",
    "average", "share", "in percent", "sorted by", "name", "descending", "smallest first", "undo", "not", "compare", "with",
    "and", "but", "or", "for", "what about", "add", "remove", "filter", "the", "it", "split", "every", "each", "first",
    "last", "3", "over", "between", "10", "and", ",", ".", "?", "“", "'x'", "returns", "web", "high", "rather than",
    "replace", "everything", "in total", "reverse", "limit", "null", "never", "than", "flurbit", "%",
]  # fmt: skip
PHRASES = [
    " ".join(phrase)
    for text in (turns.ONLY, turns.ABOUT, turns.ADD, turns.REMOVE, turns.SWITCH, turns.TOGETHER, turns.FLIP)
    for phrase in phrases(text)
]
BASES = [
    "revenue per month", "orders by country in Germany", "top 10 products by revenue", "orders that were never shipped",
    "discount against quantity", "customers with more than 15 orders", "orders by country and channel in 2025",
    "how many orders are there", "share of orders per segment",
]  # fmt: skip


def answered(question, text):
    """What follows; whatever it is, every plan in it runs."""
    found = followed(question, text)
    assert found is None or isinstance(found, Understanding | Ambiguous | NotUnderstood)
    plans = [found.plan] if isinstance(found, Understanding) else [r.plan for r in getattr(found, "readings", ())]
    for plan in plans:
        run(plan)
    return found


@given(st.sampled_from(BASES), st.text(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_text(question, text):
    answered(question, text)


@given(st.sampled_from(BASES), st.lists(st.sampled_from(WORDS + PHRASES), min_size=1, max_size=8))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_words_of_the_trade(question, words):
    answered(question, " ".join(words))


@pytest.mark.parametrize(
    "text",
    [
        "only " * 800,
        "and " * 1000,
        "instead of " * 300,
        "a" * 4000,
        "(" * 4000,
        "only 99999999999999999999999",
        "top 99999999999",
        "last 99999 years",
        "the year before " * 200,
        "\x00\x01\x1b[31m only Germany \u202e",
        "nur Deutschland",
        "只看德国",
        "'; DROP TABLE orders; --",
        "only Germany' OR 1=1 --",
        "only {{ 7 * 7 }} <script>",
    ],
)
def test_hostile_text(text):
    answered("orders by country in 2025", text)


def test_a_value_with_quotes_stays_a_value():
    found = followed("orders by country", "only \"Germany' OR '1'='1\"")
    assert isinstance(found, NotUnderstood)
