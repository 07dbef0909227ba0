"""The entrance for follow-ups: a question and the plan of the chart before it in; the plan that follows out."""

from __future__ import annotations

from datetime import UTC, date, datetime

from ...plan import Link, Plan, Reading, Understanding
from ...profile import Profile
from .. import turns as said
from ..answers import Ambiguous, NotUnderstood
from ..draft import CannotPlan
from ..frame import Frame
from ..lexicon import Lexicon, lexicon_of
from ..linking import Mention, named
from ..plan_question import not_a_question, plan_question
from ..reader import read, tokens_of
from ..resolve import is_measure
from ..suggest import holdings
from ..text import Token, word_set
from ..vocabulary import STRONG_ORDER_VERBS
from .account import compare
from .clauses import Clause, find_clauses, is_said, spoken
from .editing import AskBack
from .fragment import Fragment, read_clause
from .offers import offers
from .patch import Patch

MAX_READINGS = 3
QUESTION_WORDS = word_set(
    "how what which who whom when where why show list give count compare display draw plot tell find"
)
CHANGING = word_set("delete insert update truncate erase modify overwrite rename wipe destroy alter")
STRONG = {"instead", "only", "about", "and", "switch"}

Found = Understanding | Ambiguous | NotUnderstood


def follow(
    question: str, plan: Plan, profile: Profile, *, before: Plan | None = None, today: date | None = None
) -> Found | None:
    """Read a question as a change of `plan`; None where it stands on its own.

    `before` is the plan that an undo goes back to. Never raises on any text; `today` (UTC) is what 'last month' counts from.
    """
    day = today or datetime.now(UTC).date()
    lexicon = lexicon_of(profile)
    tokens, mended = tokens_of(question, lexicon)
    if is_said(tokens, said.UNDO):
        return _undo(question, plan, before, lexicon, day)
    clauses = find_clauses(tokens)
    if not clauses or _stands_alone(question, tokens, clauses, lexicon, day):
        return None
    try:
        _ask_if_lone(question, tokens, clauses, lexicon, day)
        return _patched(question, clauses, plan, lexicon, day, mended)
    except AskBack as asked:
        return _readings(question, asked, plan, lexicon, day)
    except CannotPlan as cannot:
        return _refuse(question, plan, lexicon, day, _sentence(str(cannot)))


def _patched(
    question: str, clauses: list[Clause], plan: Plan, lexicon: Lexicon, day: date, mended: list[tuple[str, str]]
) -> Found:
    after, links, assumptions = plan, list[Link](), [f"Read “{raw}” as “{better}”" for raw, better in mended]
    for clause in clauses:
        fragment = read_clause(clause.tokens, lexicon, day)
        displaced = read_clause(clause.displaced, lexicon, day) if clause.displaced else None
        unknown = _unknown(fragment, clause) + (_unknown(displaced, clause) if displaced else [])
        patch = Patch(question, clause, fragment, after, lexicon, day)
        patch.displaced = displaced
        if unknown:
            return _refuse(question, plan, lexicon, day, _not_understood(unknown), unknown)
        if fragment.frame.unsupported:
            raise CannotPlan(fragment.frame.unsupported)
        after = patch.apply()
        links += patch.draft.links
        assumptions += patch.draft.assumptions
    if after == plan:
        raise CannotPlan("the chart shows that already")
    kept, changed = compare(plan, after)
    text = f"{plan.question.rstrip(' ?.!')}, {question.strip()}"[:500]
    return Understanding(
        plan=after.model_copy(update={"question": text}), links=tuple(dict.fromkeys(links)),
        assumptions=tuple(dict.fromkeys(assumptions)), follows=True, kept=kept, changed=changed,
    )  # fmt: skip


# Words that were not understood


def _unknown(fragment: Fragment, clause: Clause) -> list[str]:
    numbers = {hit for comparison in fragment.frame.comparisons for hit in comparison.numbers}
    numbers |= {float(top.limit) for top in fragment.frame.tops if top.limit is not None}
    words = []
    for token in fragment.unknown:
        if token.number is not None and (
            token.number in numbers or len(clause.tokens) <= 2 or clause.verb == "unlimit"
        ):
            continue
        if clause.verb in ("unfilter", "all") and token.text in said.TIME_WORDS | said.GLUE | {
            "them",
            "again",
            "everything",
        }:
            continue
        words.append(token.raw)
    return list(dict.fromkeys(words))


def _not_understood(words: list[str]) -> str:
    return f"This is not understood: {', '.join(f'“{word}”' for word in words)}."


# Which it is


def _stands_alone(question: str, tokens: list[Token], clauses: list[Clause], lexicon: Lexicon, day: date) -> bool:
    """Tell whether a question says by itself what it is about, and no word ties it to the chart before."""
    words = " ".join(spoken(tokens))
    if any(" ".join(phrase) in words for phrase in said.known(said.OWN)):
        return True
    frame = read(question, lexicon, day)
    if set(spoken(tokens)[:3]) & CHANGING or (
        not_a_question(frame) and clauses[0].verb == "set" and not clauses[0].cues
    ):
        return True
    if _is_tied(clauses):
        return False
    if not _names_subject(frame, lexicon) or _is_fragment(frame, tokens):
        return False
    if frame.tops and not frame.asks and not any(top.hint or top.mention for top in frame.tops) and not frame.groups:
        return False  # 'top 5 products' says what to rank, and the chart by what
    return not _is_lone(frame, tokens)


def _is_tied(clauses: list[Clause]) -> bool:
    first = clauses[0]
    words = [token.text for token in first.tokens[:3]]
    said_last = {token.text for clause in clauses[-1:] for token in clause.tokens[-1:]}
    sorts = words[:1] != [] and words[0] in STRONG_ORDER_VERBS and "by" in words
    outright = any(clause.displaced or clause.cues & {"instead"} for clause in clauses)
    asks_of_these = bool(said_last & said.PRONOUNS) and words[:1] != [] and words[0] in QUESTION_WORDS
    return asks_of_these or sorts or outright or bool(first.cues & STRONG) or first.verb != "set"


def _is_fragment(frame: Frame, tokens: list[Token]) -> bool:
    """'for orders in Germany' is no sentence: it says which, and the chart what."""
    words = spoken(tokens)
    whole = frame.asks or frame.groups or set(words) & QUESTION_WORDS
    return words[:1] != () and words[0] in said.PREPOSITIONS and not whole and bool(frame.values or frame.times)


def _names_subject(frame: Frame, lexicon: Lexicon) -> bool:
    """Tell whether a question names a number or rows to show, not only conditions and groups."""
    if any(ask.mention is not None or ask.hint for ask in frame.asks):
        return True
    compared = [comparison.left for comparison in frame.comparisons]
    named_with = [mention for mention in frame.bare if mention in compared or _rounds_off(mention, frame, lexicon)]
    return any(_is_subject(mention, lexicon) for mention in frame.bare if mention not in named_with)


def _rounds_off(mention: Mention, frame: Frame, lexicon: Lexicon) -> bool:
    """'the Kitchen category', 'carrier Northline': a thing named along with its name."""
    for hit in frame.values:
        if hit.mention.end != mention.start and hit.mention.start != mention.end:
            continue
        for value in hit.mention.values:
            table = lexicon.profile.table(value.target.table)
            if table.display == value.target.column and any(
                name.target.table == table.name for name in named(mention, "table")
            ):
                return True
    return False


def _is_subject(mention: Mention, lexicon: Lexicon) -> bool:
    if not mention.names:
        return False
    best = mention.names[0].target
    if best.kind == "column":
        return is_measure(lexicon.profile.column(best.table, best.column))
    return bool(named(mention, "table derived"))


def _ask_if_lone(question: str, tokens: list[Token], clauses: list[Clause], lexicon: Lexicon, day: date) -> None:
    frame = read(question, lexicon, day)
    if not _is_tied(clauses) and not clauses[0].cues and _names_subject(frame, lexicon) and _is_lone(frame, tokens):
        words = question.strip(" ?.!")
        raise AskBack(
            f"“{words}” may take the place of what the chart shows, or be a question of its own.",
            [f"{words} instead", f"{words} on its own"],
        )


def _is_lone(frame: Frame, tokens: list[Token]) -> bool:
    """'revenue' by itself may be a change of the chart or a question of its own."""
    said_more = (
        frame.groups or frame.values or frame.times or frame.comparisons or frame.absences or frame.tops or frame.orders
    )
    return not (said_more or frame.chart or frame.share or frame.versus) and not set(spoken(tokens)) & QUESTION_WORDS


# Answers that are no plan


def _sentence(why: str) -> str:
    return why[:1].upper() + why[1:] + ("" if why.endswith(("?", ".")) else ".")


def _undo(question: str, plan: Plan, before: Plan | None, lexicon: Lexicon, day: date) -> Found:
    if before is None:
        return _refuse(question, plan, lexicon, day, "There is nothing to undo: the chart follows no other.")
    kept, changed = compare(plan, before)
    return Understanding(plan=before, follows=True, kept=kept, changed=changed, undone=True)


def _readings(question: str, asked: AskBack, plan: Plan, lexicon: Lexicon, day: date) -> Ambiguous | NotUnderstood:
    readings = []
    for words in asked.readings[:MAX_READINGS]:
        found = _read_again(words, plan, lexicon, day)
        readings += [Reading(question=words, plan=found.plan)] if found is not None else []
    if len(readings) < 2:
        offered = tuple(reading.question for reading in readings)
        return _refuse(question, plan, lexicon, day, str(asked), offered=offered)
    return Ambiguous(question=question, readings=tuple(readings), why=str(asked))


def _read_again(words: str, plan: Plan, lexicon: Lexicon, day: date) -> Understanding | None:
    """Return the plan of a reading, if it needs no asking back itself."""
    tokens, _ = tokens_of(words, lexicon)
    clauses = find_clauses(tokens)
    if not clauses or _stands_alone(words, tokens, clauses, lexicon, day):
        found = plan_question(words, lexicon.profile, today=day)
        return found if isinstance(found, Understanding) else None
    try:
        patched = _patched(words, clauses, plan, lexicon, day, [])
    except (AskBack, CannotPlan):
        return None
    return patched if isinstance(patched, Understanding) else None


def _refuse(
    question: str,
    plan: Plan,
    lexicon: Lexicon,
    day: date,
    why: str,
    words: list[str] | None = None,
    offered: tuple[str, ...] = (),
) -> NotUnderstood:
    found = list(offered)
    for words_of_offer in offers(plan, lexicon.profile):
        if len(found) >= MAX_READINGS:
            break
        if words_of_offer not in found and _read_again(words_of_offer, plan, lexicon, day) is not None:
            found.append(words_of_offer)
    return NotUnderstood(
        question=question,
        why=why,
        words=tuple(words or ()),
        holds=holdings(lexicon.profile),
        questions=tuple(found),
        follows=True,
    )
