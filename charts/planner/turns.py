"""The English of follow-ups: the turns of phrase that say what to do with the chart at hand. Phrases are parted by commas."""

from __future__ import annotations

from functools import lru_cache

from .text import word_set
from .vocabulary import phrases

# Said before what matters, and dropped
POLITE = """
    please, can you, could you, would you, can we, could we, can i, could i, may i, i want, i would like, i d like, id
    like, we want, we need, i need, to see, to have, let me see, let s see, let us see, lets see, show me, show us, show,
    give me, give, draw, plot, display, do it, do that, do this, ok, okay, so, well, sorry, actually, hm, hmm, yes, great,
    nice, thanks, cool, good, perfect, fine, but, it, this, that, them, these, those, the chart, this chart, that chart,
    the same chart, the result, the results, present it, present this, render it, view it, see, want, prefer, i prefer, i
    d prefer, rather, maybe, perhaps, try, try it, and then, group it, group them, group this, group, would like, d like,
    i, we, i m, i am, we re, we are, how does that look, how does it look, how do they look, what did it look like, what
    does it look like, what does that look like, what would it look like, let s, let us, let me, put it
    """

# Said before what becomes part of the chart in another's place
SWITCH = """
    make it, make that, make this, make them, turn it into, turn this into, turn that into, turn them into, turn into,
    change it to, change this to, change that to, change to, change it into, switch to, switch it to, switch over to,
    convert it to, convert it into, convert to, use, go for, redraw it, redraw this, redraw, show it, show this, show
    that, show them, draw it, draw this, draw that, plot it, plot this, plot that, display it, display this, put it,
    replot it
    """

NOW = "now, and now, now show, now show me, next, then, and then"

ONLY = """
    only, just, solely, exclusively, limit to, limit it to, limit this to, limit that to, limited to, restrict to,
    restrict it to, restrict this to, restricted to, filter by, filter it by, filter on, filter for, filter to, filter it
    to, filter it for, filter it on, filter, keep only, keep just, keep, nothing but, narrow to, narrow it to, narrow down
    to, narrow it down to, zoom in on, zoom into, zoom in to, zoom in, focus on, focus in on, only show, just show, only
    show me, just show me, only for, just for, only in, just in, only the, just the, look only at, look at, concentrate
    on, where, only where, only care about, only interested in, only want, only need, interested in, interested only in,
    care only about, care about, only those, just those, only these, just these, only the ones, just the ones, only see,
    only look at
    """

ABOUT = """
    what about, how about, and what about, and how about, what about for, what about in, and for, and in, and from, and
    at, and of, same for, the same for, same in, the same in, same with, the same with, same thing for, the same thing
    for, same but for, same but, the same but, same chart for, the same chart for, do the same for, do the same with,
    repeat for, repeat this for, repeat it for, now for, now in, and now for, and now in, same chart but, the same chart
    but, likewise for, what if for, same question for, the same question for, as before but, as before but for
    """

ADD = """
    also, and also, additionally, in addition, plus, add, include, including, along with, together with, also add, also
    include, also show, and add, and include, besides, add in, put in, bring in, bring back, put back, add back, and
    again, include again
    """

REMOVE = """
    remove, drop, delete, leave out, leave off, leave away, take out, take away, take off, get rid of, hide, omit, skip,
    exclude, excluding, except, except for, without, without any, no, not, no more, no longer, forget, forget about,
    ignore, ignoring, minus, other than, apart from, anything but, everything but, everything except, all but, all except,
    all except for, everyone but, everyone except, lose, clear, reset, don not show, do not show, don not include, do not
    include, don not split, do not split, don not group, do not group, with no, cancel, lift, switch off, turn off,
    disable, but not, but without, and not, and without, filter out, cut out, throw out, strip, discard, kick out
    """

WITHOUT = word_set("without no not except excluding other apart minus ignoring but exclude")
LATE_ADD = "too, as well, also, additionally, in addition, on top, as an addition, besides"
LATE_INSTEAD = "instead, rather, instead please, then"
LATE_ONLY = "only, alone, exclusively, only please, and nothing else, and no other"
LATE_NOTHING = """
    please, again, now, thanks, thank you, though, once more, for me, ok, okay, then, this time, if possible, back, today
    """

IN_PLACE_OF = "instead of, rather than, in place of, in lieu of, not"
ALL_WORDS = word_set("all any whole entire")
EVERYTHING = word_set("everything everyone everybody")
FILTER_WORDS = word_set(
    "filter filters filtering condition conditions restriction restrictions constraint constraints selection"
)
LIMIT_WORDS = word_set("limit limits cap cutoff top bottom ranking")
SORT_WORDS = word_set("sorting sort sorted")
GROUP_WORDS = word_set(
    "grouping groupings split splits splitting breakdown breakdowns series colour colours color colors dimension grouped"
)
SHARE_WORDS = word_set("share shares percent percents percentage percentages proportion proportions %")
TIME_WORDS = word_set(
    "time times date dates period periods year years month months week weeks quarter quarters day days range span"
)
GLUE = word_set(
    "the a an any all this that these those my our its on for by of from in at to it as and please again set ones one"
)

UNDO = """
    undo, undo that, undo this, undo it, undo please, go back, back, go back please, revert, revert that, revert it, take
    that back, take it back, previous chart, the previous chart, the previous one, back to the previous one, back to the
    previous chart, go back to the previous one, go back to the previous chart, as before, as it was, as it was before,
    the one before, step back, one step back, undo the last change, undo last, go back one step, back to before, restore,
    restore it
    """

TOGETHER = """
    in total, overall, altogether, in all, as one number, as a number, as a single number, as one figure, ungrouped, all
    together, one number, a single number, in sum, all in all, not grouped, no grouping at all, grand total, the grand
    total, just one number
    """

FLIP = """
    reverse, reversed, reverse it, reverse order, reverse the order, in reverse, in reverse order, flip, flip it, flip the
    order, the other way round, the other way around, other way round, other way around, opposite order, in the opposite
    order, backwards, turn it around, invert, inverted, invert the order
    """

OWN = "on its own, on their own, as a question of its own, new question, from scratch, start over"

# Words that carry nothing in a follow-up; any other word must have become a part of the plan
IGNORABLE = word_set(
    """
    a an the of numbers figures in on at to for from with by as and so that this these those there here their its it they
    them i me my we us our you your is are be was were do does did can could will would shall should may might let please
    pls plz thanks thank too very who what which where when how show shows showing shown display displayed displaying give
    gives tell list listed draw drawing drawn plot plotted visualize visualise visualized visualised graph graphs chart
    charts charted diagram figure picture illustrate present presented present depict see look looks view want need like
    know help using use used via through into onto out up down off data dataset information details detail result results
    records record row rows entries values value column columns field fields ones one now s d ll ve re m made make makes
    put get gets got done having have has had being been or them itself also just only well ok okay if then but where
    whose whom while ask asked kind type types go goes
    """
)

PREPOSITIONS = word_set("for in from with without at since until before after during between within on of to")
OPENERS = word_set(
    """
    only just without excluding exclude except remove drop delete hide omit add include plus also make turn sort sorted
    sorting rank ranked split break top bottom instead limit restrict filter keep change switch replace swap compare use
    show draw plot display as ignore ordered arrange arranged leave zoom focus
    smallest largest biggest highest lowest newest oldest descending ascending alphabetically
    """
)
VERBS_OF_PARTS = word_set(
    "split break divide separate group sort order rank arrange compare cut slice colour color stack limit filter segment restrict"
)
PRONOUNS = word_set("it that this them these those")
JOINTS = word_set("and but then &")
PAIRS = (("replace", ("with", "by")), ("change", ("to", "into")), ("swap", ("for", "with", "to")), ("exchange", ("for", "with")),
         ("switch", ("to", "for")), ("substitute", ("with", "by")))  # fmt: skip


@lru_cache(maxsize=64)
def known(text: str) -> frozenset[tuple[str, ...]]:
    """Return the phrases of a text as a set."""
    return frozenset(phrases(text))


@lru_cache(maxsize=1)
def words() -> frozenset[str]:
    """Return every word that follow-ups know, so that none is taken for a typing error."""
    texts = (POLITE, SWITCH, NOW, ONLY, ABOUT, ADD, REMOVE, LATE_ADD, LATE_INSTEAD, LATE_ONLY, LATE_NOTHING, IN_PLACE_OF, UNDO,
             TOGETHER, FLIP, OWN)  # fmt: skip
    found = {word for text in texts for phrase in phrases(text) for word in phrase}
    return frozenset(
        found | FILTER_WORDS | LIMIT_WORDS | SORT_WORDS | GROUP_WORDS | TIME_WORDS | EVERYTHING | {"swap", "exchange", "replace"}
        | {"substitute", "earlier", "following", "median"}
    )  # fmt: skip
