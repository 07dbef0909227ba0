"""Link words to the source: every span is scored against names and values, then the best cover of the question is taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..profile import Profile, Role
from .cues import Cue
from .lexicon import LIGHT, Form, Lexicon, Target
from .text import Token, word_set
from .wordlists import FILLER

MAX_SPAN = 6
LEAST = 0.6
FAINT = 0.3  # the score of a common word such as 'high', which is a value only beside its column
CLOSE = 0.13  # candidates this close to the best stay in the race
COUNTING = word_set("number count amount total quantity sum average")
NOUNS = word_set(
    "item title type kind category name person time number amount quantity"
)  # fillers that synonyms may explain
BRIDGES = frozenset(("of", "the"))  # words inside a span that do not count: 'date of birth', 'name of the product'


@dataclass(frozen=True, slots=True)
class Candidate:
    target: Target
    score: float


@dataclass(frozen=True, slots=True)
class Mention:
    """A span of words with what it may mean, best first: names of the source, or values in it."""

    start: int
    end: int
    phrase: str
    names: tuple[Candidate, ...] = ()
    values: tuple[Candidate, ...] = ()
    quoted: bool = False

    @property
    def score(self) -> float:
        return max((candidate.score for candidate in (*self.names[:1], *self.values[:1])), default=0.0)


Item = Mention | Cue


def cover(tokens: Sequence[Token], cues: Sequence[Cue], blocked: frozenset[int], lexicon: Lexicon) -> list[Item]:
    """Return the mentions and cues that together explain most of the tokens; none overlap, `blocked` tokens are left out."""
    spans: dict[int, list[tuple[int, float, Item]]] = {}
    for cue in cues:
        if not blocked.intersection(range(cue.start, cue.end)):
            spans.setdefault(cue.end, []).append((cue.start, cue.weight, cue))
    for mention, weight in _mentions(tokens, blocked, lexicon):
        spans.setdefault(mention.end, []).append((mention.start, weight, mention))
    best: list[tuple[float, int, Item | None]] = [(0.0, 0, None)]
    for end in range(1, len(tokens) + 1):
        choice: tuple[float, int, Item | None] = (best[end - 1][0], end - 1, None)
        for start, weight, item in spans.get(end, ()):
            total = best[start][0] + weight
            if total > choice[0] + 1e-9:
                choice = (total, start, item)
        best.append(choice)
    found: list[Item] = []
    at = len(tokens)
    while at > 0:
        _, at, chosen = best[at]
        if chosen is not None:
            found.append(chosen)
    return found[::-1]


def _mentions(tokens: Sequence[Token], blocked: frozenset[int], lexicon: Lexicon) -> Iterator[tuple[Mention, float]]:
    for start, token in enumerate(tokens):
        if start in blocked or token.kind in ("mark", "date"):
            continue
        for end in range(start + 1, min(start + MAX_SPAN, len(tokens)) + 1):
            span = tokens[start:end]
            if end - 1 in blocked or span[-1].kind in ("mark", "date"):
                break
            if len(span) > 1 and any(part.owner for part in span[:-1]) and len(span) > 3:
                break
            found = link_span(span, start, lexicon)
            if found is not None:
                yield found


def link_span(span: Sequence[Token], start: int, lexicon: Lexicon) -> tuple[Mention, float] | None:
    phrase = " ".join(token.raw for token in span)
    quoted = span[0].kind == "quoted"
    names = () if quoted and len(span) > 1 else tuple(_names(span, lexicon))
    values = tuple(_values(span, lexicon)) if len(span) == 1 or not quoted else ()
    if not names and not values:
        return None
    mention = Mention(start, start + len(span), phrase, names, values, quoted)
    counted = sum(1 for token in span if token.text not in BRIDGES) or 1
    return mention, mention.score * counted + 0.12 * (counted - 1)


def _names(span: Sequence[Token], lexicon: Lexicon) -> Iterable[Candidate]:
    if span[0].kind == "number" and len(span) == 1:
        return []
    if span[0].text in LIGHT or span[-1].text in BRIDGES:
        return []
    if len(span) == 1 and span[0].text in ("a", "i", "s", "no", "is", "in", "to", "by", "or"):
        return []
    least = (
        0.95
        if len(span) == 1
        and {span[0].text, span[0].base} & FILLER
        and span[0].base not in NOUNS
        and not span[0].text.endswith("ed")
        else LEAST
    )
    words = [token.text for token in span]
    if span[0].kind == "quoted":
        words = span[0].text.split()[:MAX_SPAN]
    bridged = [index for index, word in enumerate(words) if word in BRIDGES and 0 < index < len(words) - 1]
    matches = [lexicon.matches(word) for word in words]
    counted = [index for index in range(len(words)) if index not in bridged]
    if not counted or not all(matches[index] for index in counted):
        return []
    indexes = set.intersection(*({i for word in matches[index] for i in lexicon.by_word[word]} for index in counted))
    best: dict[Target, float] = {}
    for index in sorted(indexes):
        form = lexicon.forms[index]
        if span[-1].text in LIGHT and len(form.words) != len(span):
            continue  # 'singers in' is no beginning of 'singer in concert'
        if form.owner and span[-1].text.endswith("ed") and lexicon.is_time(form.target):
            continue  # 'customers joined' are customers, and when
        if bridged and (form.owner or (words[0] in COUNTING and "of" not in form.words)):
            continue  # 'number of professors' is no professor number; 'price of products' names a column and a table
        score = _form_score(form, [matches[i] for i in counted], [matches[i] for i in bridged])
        if score >= least and score > best.get(form.target, 0):
            best[form.target] = score
    return _ranked(best)


def _form_score(form: Form, matches: Sequence[dict[str, float]], bridges: Sequence[dict[str, float]]) -> float:
    free = list(range(len(form.words)))
    gained, quality = 0.0, 0.0
    for match in (*matches, *bridges):
        options = [(match[form.words[i]], i) for i in free if form.words[i] in match]
        if not options:
            if match in bridges:
                continue
            return 0.0
        score, index = max(options, key=lambda option: (option[0], -option[1]))
        free.remove(index)
        gained += form.weights[index]
        quality += score * form.weights[index]
    if not gained or (form.owner and not any(index not in free for index in range(form.owner, len(form.words)))):
        return 0.0  # the table's words alone do not name its column
    coverage = gained / form.total
    head = 0.02 if len(form.words) - 1 not in free else 0.0
    return form.worth * (quality / gained) * min(1.0, 0.56 + 0.44 * coverage + head * (coverage < 1))


def _ranked(best: dict[Target, float]) -> list[Candidate]:
    ranked = sorted((Candidate(target, score) for target, score in best.items()), key=lambda found: -found.score)
    return [found for found in ranked if found.score >= ranked[0].score - CLOSE][:12]


def _values(span: Sequence[Token], lexicon: Lexicon) -> Iterable[Candidate]:
    words = (
        tuple(word for token in span for word in token.text.split())
        if span[0].kind == "quoted"
        else tuple(token.text for token in span)
    )
    quoted = span[0].kind == "quoted"
    silent = all(_says_nothing(token) for token in span) and not quoted
    if not words or (silent and len(span) > 1) or span[0].kind == "number":
        return []
    score = FAINT if silent else 1.1 if quoted else 0.97
    exact = lexicon.value_targets(words)
    if silent:
        return [Candidate(target, score) for target in exact[:20] if len(target.value) > 2]
    if exact:
        return [Candidate(target, score - _doubt(span, target, lexicon.profile)) for target in exact[:20]]
    proper = span[0].raw[:1].isupper() and span[0].start > 0
    if len(words) == 1 and (quoted or proper) and len(words[0]) >= 3 and words[0] not in FILLER:
        return [Candidate(target, 0.7 + 0.3 * quoted) for target in lexicon.parts.get(words[0], [])[:8]]
    return []


def _says_nothing(token: Token) -> bool:
    proper = token.start > 0 and (
        (token.raw[:1].isupper() and len(token.raw) > 2) or (token.raw.isupper() and len(token.raw) == 2)
    )
    return token.kind == "number" or (token.text in FILLER and not proper)


def _doubt(span: Sequence[Token], target: Target, profile: Profile) -> float:
    """Return how unlikely it is that the words quote this value: free text and names of one letter are poor evidence."""
    column = profile.column(target.table, target.column)
    doubt = 0.0
    if len(span) == 1 and len(target.value) < 3 and span[0].raw != target.value:
        doubt += 0.5
    if len(span) == 1 and span[0].text in FILLER and not span[0].raw.isupper():
        doubt += 0.35
    if column.role in (Role.TEXT, Role.ID):
        doubt += 0.1
    return doubt


def named(mention: Mention, kinds: str) -> tuple[Candidate, ...]:
    """Return the candidates of the given kinds of name."""
    return tuple(candidate for candidate in mention.names if candidate.target.kind in kinds.split())
