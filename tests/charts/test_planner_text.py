"""Tokens, base forms and mended spellings."""

import pytest

from charts.planner.lexicon import lexicon_of
from charts.planner.rewrite import rewrite
from charts.planner.spelling import edits
from charts.planner.text import base, family, fold, tokenize

from .sample_shop import profile


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("orders", "order"), ("countries", "country"), ("boxes", "box"), ("classes", "class"), ("people", "person"),
        ("status", "status"), ("address", "address"), ("sales", "sale"), ("gas", "gas"), ("movies", "movie"),
        ("branches", "branch"), ("year", "year"), ("buses", "bus"), ("analysis", "analysis"),
    ],
)  # fmt: skip
def test_base(plural, singular):
    assert base(plural) == singular


@pytest.mark.parametrize(
    "words", [("delivery", "delivered", "deliveries"), ("ship", "shipped", "shipping"), ("order", "ordered")]
)
def test_family(words):
    assert len({family(base(word)) for word in words}) == 1


def test_fold():
    assert fold("Kraków \uff21\uff22 Straße") == "krakow ab strasse"


def test_tokens_keep_their_place():
    question = "Sales of the “Coffee Grinder” > 1,500.5 in São Paulo"
    tokens = tokenize(question)
    assert [(token.text, token.kind) for token in tokens] == [
        ("sales", "word"), ("of", "word"), ("the", "word"), ("coffee grinder", "quoted"), (">", "mark"),
        ("1,500.5", "number"), ("in", "word"), ("sao", "word"), ("paulo", "word"),
    ]  # fmt: skip
    assert tokens[5].number == 1500.5
    assert all(question[token.start : token.end].strip("“”") == token.raw for token in tokens)


@pytest.mark.parametrize(
    ("text", "number"), [("1.5k", 1500), ("2m", 2_000_000), ("15%", 15), ("twelve", 12), ("1,000", 1000)]
)
def test_numbers(text, number):
    assert tokenize(text)[0].number == number


def test_owners_and_negations():
    words = [(token.text, token.owner) for token in tokenize("each customer's orders that weren't shipped")]
    assert words == [
        ("each", False), ("customer", True), ("orders", False), ("that", False), ("weren", False), ("not", False),
        ("shipped", False),
    ]  # fmt: skip


def test_identifiers_become_words():
    assert [token.text for token in tokenize("avg(Unit_Price) by CUSTOMER_ID")] == [
        "avg", "(", "unit", "price", ")", "by", "customer", "id",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [("month", "mnth", 1), ("germany", "germnay", 1), ("order", "orders", 1), ("abc", "xyz", 2)],
)
def test_edits(one, other, distance):
    assert edits(one, other, limit=1) == distance


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("revenu", "revenue"),
        ("custmers", "customers"),
        ("catgory", "category"),
        ("Germny", "germany"),
        ("avrage", "average"),
    ],
)
def test_spelling_is_mended(typed, meant):
    assert base(lexicon_of(profile()).speller.mend(fold(typed))) == base(meant)


@pytest.mark.parametrize("word", ["orders", "month", "qty", "foo", "atlantis", "x", "berlin"])
def test_spelling_is_left_alone(word):
    assert lexicon_of(profile()).speller.mend(word) is None


@pytest.mark.parametrize(
    ("question", "plainer"),
    [
        ("how much did we sell in May", "total revenue in may"),
        ("what did we take in last year", "total revenue last year"),
        ("show unshipped orders", "show not shipped orders"),
        ("our best sellers", "our best selling products"),
        ("units of the union", "units of the union"),
    ],
)
def test_turns_of_phrase(question, plainer):
    tokens = rewrite(tokenize(question), lexicon_of(profile()))
    assert " ".join(token.text for token in tokens) == plainer
