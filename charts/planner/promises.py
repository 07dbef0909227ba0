"""Words that change the answer must have changed the plan: one that did not would give a wrong answer that looks right."""

from __future__ import annotations

from ..plan import Aggregate, Plan
from .frame import Frame
from .text import word_set

NEGATIONS = word_set(
    "not never no none nothing nobody neither without except excluding isnt arent didnt dont hasnt havent"
)
NEGATED = frozenset({"!=", "not in", "null", "not null", "none", "some"})
RANKINGS = word_set(
    "most least fewest highest lowest largest smallest biggest greatest best worst longest shortest slowest fastest cheapest"
)
SHARES = word_set("percentage percent share")  # a proportion in a pie may as well be counts
BEYOND = word_set("growth cumulative median")  # no plan can say these


def unmet_words(frame: Frame, plan: Plan) -> str:
    """Return what is wrong where a negation, ranking or share of the question left no trace in `plan`; else ""."""
    told = _told(frame)
    if (
        (words := told & NEGATIONS)
        and not any(each.operator in NEGATED and each.phrase for each in plan.filters)
        and not plan.having
    ):
        return f"“{_first(words)}” could not be made a condition"
    if (words := told & RANKINGS) and not _ranks(plan):
        return f"“{_first(words)}” does not say by which number"
    if (words := told & SHARES) and not any(measure.share or measure.divided_by for measure in plan.measures):
        return f"“{_first(words)}” of what is not clear; name the groups, as in “share of orders by country”"
    if words := told & BEYOND:
        return f"“{_first(words)}” is more than can be computed here"
    return ""


def _told(frame: Frame) -> frozenset[str]:
    """The words of the question outside the names of tables, columns and values."""
    named = {index for mention in frame.mentions for index in range(mention.start, mention.end)}
    named |= {index for value in frame.values for index in range(value.mention.start, value.mention.end)}
    return frozenset(
        token.text.replace("'", "")
        for index, token in enumerate(frame.tokens)
        if index not in named
        and token.kind == "word"
        and (index == 0 or frame.tokens[index - 1].text != "at")  # "at most"
    )


def _ranks(plan: Plan) -> bool:
    extremes = {Aggregate.MAXIMUM, Aggregate.MINIMUM}
    return bool(plan.order or plan.limit or any(measure.aggregate in extremes for measure in plan.measures))


def _first(words: frozenset[str]) -> str:
    return min(words)
