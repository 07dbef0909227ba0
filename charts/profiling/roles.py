"""What a column is good for, from its name, its type and its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..profile import Role, Type
from .found import Found
from .lexicon import (
    BOOLEAN,
    CONTACT,
    FREE_TEXT,
    GEO,
    ID,
    INTENSIVE,
    NAME,
    NUMBERED,
    ORDINAL,
    PERSON,
    QUANTITY,
    SCALES,
    UNITS,
)
from .words import Words, singular

PREPOSITIONS = {"of", "per", "in", "on", "from", "to", "at", "by", "for", "with", "since"}
LONG = 60  # characters on average: longer is prose
TRUTHS = ({"t", "f"}, {"y", "n"}, {"yes", "no"}, {"true", "false"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of a column when its role is decided."""

    words: Words
    table_words: Words
    found: Found
    values: Sequence[Any]  # distinct, perhaps not all
    filled: int
    distinct: int
    primary: bool
    foreign: bool

    @property
    def last(self) -> str:
        return self.words[-1] if self.words else ""

    @property
    def head(self) -> str:
        """The word that the others describe: rank of rank_of_the_year, times of times_per_day."""
        found = next(
            (index for index, word in enumerate(self.words) if index and word in PREPOSITIONS), len(self.words)
        )
        return self.words[found - 1] if self.words else ""

    @property
    def unique(self) -> bool:
        return 0 < self.filled == self.distinct

    @property
    def is_table(self) -> bool:
        """Whether the column is named as its table: company in companies."""
        return bool(self.words) and list(map(singular, self.words)) == list(map(singular, self.table_words))

    @property
    def as_text(self) -> bool:
        """Whether whole numbers are kept as text, with no sign that says amount."""
        return self.found.type == Type.INTEGER and self.found.format == "number" and not self.found.unit

    @property
    def counted(self) -> bool:
        """Whether the name says "number of things": num_orders, no_of_loans, quantity, goals."""
        if self.words[:1] and self.words[0] in ("number", "count", "total") and len(self.words) > 1:
            return True
        return bool(QUANTITY & set(self.words)) and self.last not in NUMBERED


def find_role(evidence: Evidence) -> Role:
    """Decide on the role of one column."""
    type_ = evidence.found.type
    if type_ in (Type.DATE, Type.DATETIME):
        return Role.TIME
    if type_ == Type.BINARY:
        return Role.TEXT
    if type_ == Type.BOOLEAN:
        return Role.BOOLEAN
    if type_ == Type.TEXT:
        return _of_text(evidence)
    return _of_number(evidence)


def _of_number(evidence: Evidence) -> Role:
    words, found = set(evidence.words), evidence.found
    if found.format == "year" and not (evidence.primary and evidence.unique and "year" not in words):
        return Role.ORDINAL
    if (evidence.primary and evidence.unique and not evidence.counted) or evidence.foreign or is_code(evidence):
        return Role.ID
    if is_flag(evidence):
        return Role.BOOLEAN
    if words & GEO.keys():
        return Role.GEO
    if evidence.head in ORDINAL and "of" not in words and found.type == Type.INTEGER and found.maximum <= 60:
        return Role.ORDINAL
    if found.format == "percent" or _is_intensive(evidence):
        return Role.INTENSIVE
    plural = singular(evidence.last) != evidence.last
    return Role.ORDINAL if evidence.as_text and not plural and not evidence.counted else Role.ADDITIVE


def is_code(evidence: Evidence) -> bool:
    """Whether the name says key, code, phone number, or whose id it is."""
    words = evidence.words
    if not words or evidence.counted:
        return False
    if words[-1] in ID or (words[-1] in NUMBERED and (len(words) > 1 or evidence.unique)):
        return True
    low, high = evidence.found.minimum, evidence.found.maximum
    return words[-1] in PERSON and isinstance(low, int | float) and low % 1 == 0 and high % 1 == 0


def is_flag(evidence: Evidence) -> bool:
    """Whether an integer column of 0 and 1 answers yes or no rather than counts."""
    values = {str(value).strip() for value in evidence.values} - {""}
    if not values or not values <= {"0", "1"}:
        return False
    if (evidence.words[:1] and evidence.words[0] in BOOLEAN) or evidence.last in BOOLEAN:
        return True
    plural = singular(evidence.last) != evidence.last
    return (
        evidence.distinct == 2 and evidence.filled > 2 and not plural and not evidence.counted and not evidence.as_text
    )


def _is_intensive(evidence: Evidence) -> bool:
    """Whether adding up makes no sense. The last word that says anything decides: total price, price total."""
    unit = UNITS.get(evidence.last, "")
    if unit == "%" or (evidence.words[:1] and evidence.words[0] in ("average", "minimum", "maximum", "median")):
        return True
    if "per" in evidence.words or "each" in evidence.words:
        return True
    if evidence.words[:1] == ("total",):
        return False
    for word in reversed(evidence.words):
        if word in ("discount", "tax", "commission", "interest"):
            return find_unit(evidence) == "ratio"
        if word in QUANTITY:
            return False
        if word in INTENSIVE:
            return True
    return False


def _of_text(evidence: Evidence) -> Role:
    words = set(evidence.words)
    texts = [value for value in evidence.values if isinstance(value, str)]
    folded = {text.strip().casefold() for text in texts} - {""}
    if is_truth(evidence, folded):
        return Role.BOOLEAN
    if evidence.found.format == "time" or _is_scale(evidence, folded):
        return Role.ORDINAL
    if evidence.primary and evidence.unique and not words & NAME and not evidence.is_table:
        return Role.ID
    if (evidence.foreign and not words & NAME) or _is_text_code(evidence):
        return Role.ID
    if words & CONTACT:
        return Role.TEXT
    mean = sum(map(len, texts)) / max(1, len(texts))
    if mean > LONG or (words & FREE_TEXT and (mean > LONG / 2 or evidence.distinct > 0.5 * evidence.filled > 10)):
        return Role.TEXT
    if evidence.last in NAME or _names_its_row(evidence):
        return Role.LABEL
    return Role.CATEGORY


def _is_scale(evidence: Evidence, folded: set[str]) -> bool:
    """Whether the texts have an order of their own; single letters have one only as grades and sizes."""
    if len(folded) < 2 or not any(folded.issubset(scale) for scale in SCALES):
        return False
    return max(map(len, folded)) > 1 or bool(
        {"grade", "size", "class", "rating", "score", "level"} & set(evidence.words)
    )


def is_truth(evidence: Evidence, folded: set[str]) -> bool:
    """Whether texts say yes and no; one of the two alone is enough where the name asks the question."""
    if not folded or not any(folded <= truth for truth in TRUTHS):
        return False
    return len(folded) == 2 or evidence.words[0] in BOOLEAN or evidence.last in BOOLEAN


def _is_text_code(evidence: Evidence) -> bool:
    """Whether a text column of codes tells rows apart; the codes of a few kinds are a category."""
    if not is_code(evidence):
        return False
    telling = evidence.distinct > 0.5 * evidence.filled and evidence.filled > 20
    return evidence.unique or telling or evidence.last in ID - {"code", "cell", "plate"}


def _names_its_row(evidence: Evidence) -> bool:
    if evidence.unique and evidence.is_table:
        return True
    return evidence.filled >= 50 and evidence.distinct > 0.9 * evidence.filled


def find_unit(evidence: Evidence) -> str | None:
    """Return the unit that the values or the name tell; never a guess."""
    found = evidence.found
    if found.type not in (Type.INTEGER, Type.REAL) or found.format == "year":
        return None
    if found.unit:
        return found.unit
    if "percent" in evidence.words:
        return "%"
    named = next((UNITS[word] for word in reversed(evidence.words[-2:]) if word in UNITS), None)
    if named or found.type == Type.INTEGER or found.minimum is None:
        return named
    ratio = {
        "rate",
        "ratio",
        "share",
        "discount",
        "proportion",
        "fraction",
        "probability",
        "margin",
        "tax",
        "commission",
    }
    return "ratio" if ratio & set(evidence.words) and found.minimum >= 0 and found.maximum <= 1 else None
