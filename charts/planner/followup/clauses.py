"""Cut a follow-up into clauses, each with what it does to the chart: set, add, remove, take a filter away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from .. import turns as said
from ..text import Token

Verb = Literal["set", "add", "remove", "unfilter", "unlimit", "unsort", "ungroup", "unshare", "all", "together", "flip"]
LONGEST = 6


@dataclass(slots=True)
class Clause:
    """One thing to do. `tokens` name what it is done with; `displaced` what has to make room for it."""

    tokens: list[Token]
    verb: Verb = "set"
    cues: set[str] = field(default_factory=set)
    displaced: list[Token] = field(default_factory=list)
    phrase: str = ""


def find_clauses(tokens: Sequence[Token]) -> list[Clause]:
    """Return the clauses of a follow-up in the order in which they were said."""
    return [clause for part in _parts(tokens) if (clause := _clause(part)).phrase]


def spoken(tokens: Sequence[Token]) -> tuple[str, ...]:
    """Return the words without marks."""
    return tuple(token.text for token in tokens if token.kind != "mark" or token.text == "%")


def is_said(tokens: Sequence[Token], text: str) -> bool:
    """Tell whether the tokens are one of the phrases of `text`, politeness aside."""
    return _bare(spoken(tokens)) in said.known(text)


def _bare(words: tuple[str, ...]) -> tuple[str, ...]:
    while words and words[0] in ("please", "now", "ok", "okay", "so", "and", "can", "you", "could"):
        words = words[1:]
    while words and words[-1] in ("please", "now", "again", "thanks"):
        words = words[:-1]
    return words


# Where a clause ends


def _parts(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    part: list[Token] = []
    index = 0
    while index < len(tokens):
        width = _joint(tokens, index) if part else 0
        if width:
            yield part
            part = []
            index += width
            continue
        part.append(tokens[index])
        index += 1
    if part:
        yield part


def _joint(tokens: Sequence[Token], index: int) -> int:
    """Return how many tokens from `index` on part two clauses, 0 where the clause goes on."""
    token = tokens[index]
    if token.kind == "mark" and token.text in ";.!?":
        return 1
    at = index
    while at < len(tokens) and (tokens[at].text == "," or tokens[at].text in said.JOINTS):
        at += 1
    if at == index or at >= len(tokens):
        return 0
    before = [each.text for each in tokens[:index]]
    if before in (["same"], ["the", "same"], ["all"], ["everything"], ["everyone"]):
        return 0  # 'the same but', 'all but'
    strong = any(tokens[i].text in ("but", "then") for i in range(index, at))
    ended = tokens[index - 1].text in ("instead", "too", "again") or (
        tokens[index - 2 : index - 1]
        and (
            tokens[index - 2].text,
            tokens[index - 1].text,
        )
        == ("as", "well")
    )
    if tokens[at].text == "as" and tokens[at + 1 : at + 2] and tokens[at + 1].text == "well":
        return 0
    opens = tokens[at].text in said.OPENERS or (tokens[at].text == "not" and strong)
    return at - index if strong or ended or opens else 0


# What a clause says


def _clause(tokens: list[Token]) -> Clause:
    phrase = " ".join(token.raw for token in tokens if token.kind != "mark" or token.text == "%")
    clause = Clause([token for token in tokens if token.text not in ("?", "!", ".", ";", ":")], phrase=phrase)
    _drop_pronouns(clause)
    _open(clause)
    _close(clause)
    _displace(clause)
    _soften(clause)
    _about_parts(clause)
    return clause


def _starts(tokens: Sequence[Token], text: str) -> int:
    """Return how many tokens the longest phrase of `text` at the start takes."""
    table = said.known(text)
    words = tuple(token.text for token in tokens[:LONGEST])
    return next((n for n in range(len(words), 0, -1) if words[:n] in table), 0)


def _ends(tokens: Sequence[Token], text: str) -> int:
    table = said.known(text)
    words = tuple(token.text for token in tokens[-LONGEST:])
    return next((n for n in range(len(words), 0, -1) if words[-n:] in table), 0)


def _drop_pronouns(clause: Clause) -> None:
    """'split it by country' says 'split by country'."""
    tokens = clause.tokens
    clause.tokens = [
        token
        for index, token in enumerate(tokens)
        if not (index and token.text in said.PRONOUNS and tokens[index - 1].text in said.VERBS_OF_PARTS)
    ]


def _open(clause: Clause) -> None:
    """Take the words that open a clause, one after the other."""
    tokens = clause.tokens
    while tokens:
        while tokens and tokens[0].text == ",":
            tokens.pop(0)
        if not tokens:
            return
        if tokens[:2] and tokens[0].text == "no" and tokens[1:2] and tokens[1].text == ",":
            del tokens[:2]  # 'no, only Germany'
        elif tokens[:2] and [token.text for token in tokens[:2]] in (["not", "only"], ["not", "just"]):
            del tokens[:2]
            clause.verb = "unfilter"
            return
        elif taken := _starts(tokens, said.TOGETHER):
            if taken < len(tokens) and tokens[0].text in ("in", "one", "as"):
                return
            clause.verb = "together"
            del tokens[:taken]
        elif _is_all(tokens):
            return
        elif (taken := _starts(tokens, said.ABOUT)) or (taken := _starts(tokens, said.ONLY)):
            cue = "about" if _starts(tokens, said.ABOUT) == taken else "only"
            clause.cues.add(cue)
            tokens[:taken] = [_in(tokens[0])]
            return
        elif taken := _starts(tokens, said.REMOVE):
            clause.verb = "remove"
            if not {token.text for token in tokens[:taken]} & said.WITHOUT:
                clause.cues.add("drop")
            tokens[:taken] = [_word("without", tokens[0])]
            return
        elif taken := _starts(tokens, said.ADD):
            clause.verb = "add"
            back = {token.text for token in tokens[:taken]} & {"back", "again"}
            clause.cues |= {"back"} if back else set()
            del tokens[:taken]
        elif taken := _starts(tokens, said.SWITCH):
            clause.cues.add("switch")
            del tokens[:taken]
        elif taken := _starts(tokens, said.NOW):
            clause.cues.add("now")
            del tokens[:taken]
        elif tokens[0].text == "and":
            clause.cues.add("and")
            tokens.pop(0)
        elif (taken := _starts(tokens, said.POLITE)) and not _is_pair(tokens) and not _points_at_time(tokens, taken):
            del tokens[:taken]
        else:
            return


def _is_all(tokens: Sequence[Token]) -> bool:
    words = [token.text for token in tokens[:3]]
    at = 1 if words[:1] and words[0] in ("for", "in", "across", "over", "from", "of", "the", "with") else 0
    at += 1 if at and words[at : at + 1] == ["the"] else 0
    if words[at : at + 1] and words[at] in said.EVERYTHING:
        return tokens[at + 1 : at + 2] == [] or tokens[at + 1].text not in ("but", "except")
    return (
        bool(words[at : at + 1]) and words[at] in said.ALL_WORDS and words[at + 1 : at + 2] not in (["but"], ["except"])
    )


def _points_at_time(tokens: Sequence[Token], taken: int) -> bool:
    """'this year' is a time, and 'this' no mere pointing at the chart."""
    return (
        tokens[taken - 1].text in said.PRONOUNS
        and tokens[taken : taken + 1] != []
        and tokens[taken].text in said.TIME_WORDS
    )


def _is_pair(tokens: Sequence[Token]) -> bool:
    return any(tokens[0].text == verb for verb, _ in said.PAIRS)


def _close(clause: Clause) -> None:
    """Take the words that close a clause."""
    tokens = clause.tokens
    while tokens:
        if tokens[-1].text == ",":
            tokens.pop()
        elif taken := _ends(tokens, said.LATE_INSTEAD):
            clause.cues.add("instead")
            del tokens[-taken:]
        elif (taken := _ends(tokens, said.LATE_ADD)) and len(tokens) > taken:
            clause.verb = "add" if clause.verb == "set" else clause.verb
            del tokens[-taken:]
        elif taken := _ends(tokens, said.LATE_ONLY):
            clause.cues.add("only")
            del tokens[-taken:]
        elif (taken := _ends(tokens, said.LATE_NOTHING)) and len(tokens) > taken:
            clause.cues |= {"back"} if {token.text for token in tokens[-taken:]} & {"again", "back"} else set()
            del tokens[-taken:]
        else:
            return


def _displace(clause: Clause) -> None:
    """Part 'orders instead of revenue' and 'replace revenue with orders' into what comes and what goes."""
    tokens = clause.tokens
    words = [token.text for token in tokens]
    for verb, joints in said.PAIRS:
        if words[:1] == [verb] and (at := next((i for i in range(2, len(words)) if words[i] in joints), 0)):
            clause.displaced, clause.tokens = tokens[1:at], tokens[at + 1 :]
            clause.cues.add("instead")
            return
    if clause.verb == "remove" and "but" in words and words.index("but") + 1 < len(words):
        at = words.index("but")
        clause.displaced, clause.tokens, clause.verb = tokens[1:at], tokens[at + 1 :], "set"
        clause.cues.add("instead")
        return
    for start in range(len(words)):
        taken = _starts(tokens[start:], said.IN_PLACE_OF)
        if not taken or (
            words[start] == "not" and not (start and clause.verb == "set" and words[start - 1] != "without")
        ):
            continue
        if words[start] == "not":
            continue
        after = tokens[start + taken :]
        if start:
            clause.displaced, clause.tokens = after, tokens[:start]
        else:
            end = next(
                (i for i, token in enumerate(after) if token.text in (",", "show", "use", "draw", "give")), len(after)
            )
            clause.displaced, clause.tokens = after[:end], after[end + 1 :]
        clause.cues.add("instead")
        return


def _soften(clause: Clause) -> None:
    """'only', 'also' and 'now' in the middle of a clause say what they say at its head."""
    kept: list[Token] = []
    for token in clause.tokens:
        if token.kind != "quoted" and token.text in ("only", "just", "solely"):
            clause.cues.add("only")
            kept.append(_in(token))
        elif token.kind != "quoted" and token.text == "also":
            clause.verb = "add" if clause.verb == "set" else clause.verb
        else:
            kept.append(token)
    clause.tokens = kept


def _about_parts(clause: Clause) -> None:
    """Tell what a clause takes away, where it speaks of the chart's parts rather than of the data."""
    words = spoken(clause.tokens)
    if clause.verb == "set" and is_said(clause.tokens, said.FLIP):
        clause.verb, clause.tokens = "flip", []
    elif clause.verb == "set" and is_said(clause.tokens, said.TOGETHER):
        clause.verb, clause.tokens = "together", []
    elif clause.verb == "set" and _is_all(clause.tokens):
        clause.verb = "all"
        clause.tokens = _without(
            clause.tokens, said.ALL_WORDS | said.EVERYTHING | {"the", "for", "in", "across", "over"}
        )
    elif clause.verb in ("remove", "unfilter") and set(words) & said.FILTER_WORDS:
        clause.verb = "unfilter"
        clause.tokens = _without(clause.tokens, said.FILTER_WORDS | said.GLUE | {"without"})
    elif clause.verb == "remove":
        for group, verb in PARTS:
            if set(words[1:]) & group and (verb != "unshare" or set(words[1:]) <= group | said.GLUE):
                clause.verb = verb
                clause.tokens = _without(clause.tokens, group | said.GLUE | {"without"})
                return


PARTS: tuple[tuple[frozenset[str], Verb], ...] = (
    (said.LIMIT_WORDS, "unlimit"), (said.SORT_WORDS, "unsort"), (said.GROUP_WORDS, "ungroup"), (said.SHARE_WORDS, "unshare"),
)  # fmt: skip


def _without(tokens: Sequence[Token], words: frozenset[str] | set[str]) -> list[Token]:
    return [token for token in tokens if token.kind == "quoted" or token.text not in words]


def _in(at: Token) -> Token:
    return _word("in", at)


def _word(text: str, at: Token) -> Token:
    return replace(at, text=text, base=text, raw=text, kind="word", number=None, owner=False)
