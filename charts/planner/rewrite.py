"""Say some turns of phrase in plainer words before they are read: 'unshipped', 'how much did we sell', 'best sellers'."""

from __future__ import annotations

from dataclasses import replace

from .lexicon import Lexicon
from .text import Token, base, family
from .wordlists import SELLING, WHO_SELLS


def rewrite(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """Return the tokens with known turns of phrase replaced; each new token keeps its place in the question."""
    if "revenue" in lexicon.by_word:
        tokens = _sellers(_sales(tokens))
    found: list[Token] = []
    for token in tokens:
        found.extend(_negated_word(token, lexicon))
    return found


def _word(text: str, at: Token) -> Token:
    return replace(at, text=text, base=base(text), kind="word", number=None, owner=False)


def _sales(tokens: list[Token]) -> list[Token]:
    """'how much did we sell' and 'what did we take in' ask for revenue."""
    words = [token.text for token in tokens]
    for start in range(len(words) - 3):
        asks = words[start : start + 2] == ["how", "much"] or words[start] == "what"
        who = start + (3 if words[start] == "how" else 2)
        verb = who + 1
        if (
            not asks
            or verb >= len(words)
            or words[who - 1] not in ("did", "do", "does", "have", "has")
            or words[who] not in WHO_SELLS
        ):
            continue
        if words[verb] in SELLING:
            end = (
                verb + 2
                if words[verb] in ("take", "took", "bring", "turn") and words[verb + 1 : verb + 2] in (["in"], ["over"])
                else verb + 1
            )
            return [*tokens[:start], _word("total", tokens[start]), _word("revenue", tokens[verb]), *tokens[end:]]
    return tokens


def _sellers(tokens: list[Token]) -> list[Token]:
    words = [token.text for token in tokens]
    for at in range(len(words) - 1):
        if words[at] in ("best", "top", "worst") and words[at + 1] in ("seller", "sellers"):
            plural = "products" if words[at + 1] == "sellers" else "product"
            return [
                *tokens[:at],
                tokens[at],
                _word("selling", tokens[at]),
                _word(plural, tokens[at + 1]),
                *tokens[at + 2 :],
            ]
    return tokens


def _negated_word(token: Token, lexicon: Lexicon) -> list[Token]:
    """'unshipped' is not shipped, where shipped is something."""
    rest = token.text[2:]
    if token.kind != "word" or not token.text.startswith("un") or len(rest) < 4 or token.text in lexicon.by_word:
        return [token]
    if (token.text,) in lexicon.values or (
        rest not in lexicon.by_word and (rest,) not in lexicon.values and family(rest) not in lexicon.families
    ):
        return [token]
    return [_word("not", token), _word(rest, token)]
