"""The checker finds each violation that is planted in an otherwise faultless story, and nothing in the story itself."""

import json
from dataclasses import replace

import pytest

from tests.faults.checker import Row, Stored, Table, digest, violations

RUN = "5f0a4b1e-0000-4000-8000-000000000001"
PIECES = [f"aa {number} of it\n" for number in range(1, 4)] + [f"bb {number} of it\n" for number in range(1, 4)]
TEXT = [f"text {number} of it\n" for number in range(1, 6)]


def stored(seq, type, **data):
    return Stored(RUN, seq, type, json.dumps({"type": type, "data": data}))


def state(seq, name, message=""):
    return stored(seq, "progress", currentState=name, message=message, metadata={"piece": name == "piece"})


class Story:
    """A run that was taken up again after its third piece, two readers of it, one of which came late and broke off once."""

    def __init__(self):
        a, b = PIECES[:3], PIECES[3:]
        published = [[*piece.split(" "), digest(piece)] for piece in PIECES + TEXT]
        self.published = [
            {"run": RUN, "execution": name, "piece": int(number), "hash": hash} for name, number, *_, hash in published
        ]
        self.published.append({"run": RUN, "execution": "bb", "ended": "returned"})
        self.events = [
            state(1, "queued"),
            state(2, "piece", a[0]),
            stored(3, "content", content=TEXT[0] + TEXT[1]),  # the last pieces of aa were lost with its process
            state(4, "running"),
            state(5, "piece", b[0]),
            state(6, "piece", b[1]),
            stored(7, "content", content="".join(TEXT[2:])),
            state(8, "piece", b[2]),
            stored(9, "done", metadata={}),
        ]
        self.rows = [Row(RUN, "completed", 9)]
        self.seen = [*self.reads("first", 0, range(1, 10)), *self.reads("late", 3, range(4, 7))]
        self.seen += [self.sees("late", 7), self.sees("late", 8), self.sees("late", 9)]
        self.seen += [{"run": RUN, "reader": reader, "over": True} for reader in ("first", "late")]

    def reads(self, reader, after, numbers):
        return [{"run": RUN, "reader": reader, "after": after}, *(self.sees(reader, number) for number in numbers)]

    def sees(self, reader, seq):
        return {"run": RUN, "reader": reader, "seq": seq, "hash": digest(self.events[seq - 1].payload)}

    def renumber(self):
        self.events = [replace(event, seq=seq) for seq, event in enumerate(self.events, 1)]
        self.rows = [replace(self.rows[0], last_seq=len(self.events))]
        self.seen = []

    def violations(self):
        return violations(self.published, self.seen, Table(self.events, self.rows), [RUN])


def test_a_faultless_story():
    assert Story().violations() == []


def test_what_a_reader_of_an_unfinished_stream_has_not_seen_is_no_violation():
    story = Story()
    story.seen = story.reads("left", 0, range(1, 4))
    assert story.violations() == []


def a_hole_in_the_log(story):
    del story.events[3]


def two_ends(story):
    story.events.append(stored(10, "error", metadata={"code": "cancelled"}))
    story.rows = [Row(RUN, "completed", 10)]


def no_end(story):
    del story.events[-1]
    story.rows = [Row(RUN, "running", 8)]
    story.seen = []


def something_after_the_end(story):
    story.events.append(state(10, "running"))
    story.rows = [Row(RUN, "completed", 10)]


def a_row_that_disagrees(story):
    story.rows = [Row(RUN, "failed", 9)]


def a_row_that_disagrees_about_why(story):
    story.events[-1] = stored(9, "error", metadata={"code": "cancelled"})
    story.rows = [Row(RUN, "failed", 9)]
    story.seen = []


def a_row_that_counts_otherwise(story):
    story.rows = [Row(RUN, "completed", 8)]


def no_row(story):
    story.rows = []


def a_row_of_a_stale_token(story):
    story.events.insert(5, state(6, "piece", PIECES[1]))
    story.renumber()


def a_piece_lost(story):
    story.events[1] = state(2, "piece", PIECES[1])
    story.seen = []


def a_piece_twice(story):
    story.events[5] = state(6, "piece", PIECES[3])
    story.seen = []


def a_piece_changed(story):
    story.events[5] = state(6, "piece", "bb 2 other\n")
    story.seen = []


def the_last_piece_missing(story):
    del story.events[7]
    story.renumber()
    story.seen = []


def text_twice(story):
    story.events[6] = stored(7, "content", content="".join(TEXT))
    story.seen = []


def text_missing(story):
    story.events[6] = stored(7, "content", content="".join(TEXT[2:4]))
    story.seen = []


def a_reader_misses_one(story):
    del story.seen[4]


def a_reader_sees_one_twice(story):
    story.seen.insert(4, story.seen[4])


def a_reader_sees_two_in_the_wrong_order(story):
    story.seen[4], story.seen[5] = story.seen[5], story.seen[4]


def a_reader_sees_something_else(story):
    story.seen[4] = {**story.seen[4], "hash": "0" * 16}


def a_reader_does_not_begin_where_it_asked(story):
    story.seen[0] = {"run": RUN, "reader": "first", "after": 1}


def a_reader_saw_what_is_gone(story):
    story.seen.insert(-2, {"run": RUN, "reader": "late", "seq": 10, "hash": "0" * 16})


def a_reader_is_told_too_early_that_it_is_over(story):
    del story.seen[-3]


def a_reader_sees_something_after_the_end(story):
    story.seen.append({"run": RUN, "reader": "first", "seq": 10, "hash": "0" * 16})


def a_reader_must_begin_anew_for_no_reason(story):
    story.seen.insert(4, {"run": RUN, "reader": "first", "resync": 4})


PLANTED = {
    a_hole_in_the_log: "P1: the log is not numbered",
    two_ends: "P2: it has 2 terminal events",
    no_end: "P2: it has 0 terminal events",
    something_after_the_end: "P2: events follow the terminal event",
    a_row_that_disagrees: "P2: its row says failed, its log ends with done",
    a_row_that_disagrees_about_why: "P2: its row says failed, its error cancelled",
    a_row_that_counts_otherwise: "P2: its row says that 8",
    no_row: "P2: it has no row",
    a_row_of_a_stale_token: "P7: event 6 is of execution aa",
    a_piece_lost: "P1: event 2 has piece 2 of aa where piece 1",
    a_piece_twice: "P1: event 6 has piece 1 of bb where piece 2",
    a_piece_changed: "P1: event 6 has a piece 2 of bb that was not published so",
    the_last_piece_missing: "P1: it completed with 2 of 3 pieces of bb",
    text_twice: "P1: event 7 has piece 1 of text where piece 3",
    text_missing: "P1: it completed with 4 of 5 pieces of text",
    a_reader_misses_one: "reader first: P1: it saw event 5 after event 3",
    a_reader_sees_one_twice: "reader first: P1: it saw event 4 after event 4",
    a_reader_sees_two_in_the_wrong_order: "reader first: P1: it saw event 5 after event 3",
    a_reader_sees_something_else: "reader first: P1: it saw another event 4",
    a_reader_does_not_begin_where_it_asked: "reader first: P1: it saw event 1 after event 1",
    a_reader_saw_what_is_gone: "reader late: P3: it saw event 10",
    a_reader_is_told_too_early_that_it_is_over: "reader late: P1: it was told of the end after event 8",
    a_reader_sees_something_after_the_end: "reader first: P2: it saw event 10 after the end",
    a_reader_must_begin_anew_for_no_reason: "reader first: P5: it was told to begin anew at 4",
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_finds(plant):
    story = Story()
    plant(story)
    assert any(PLANTED[plant] in sentence for sentence in story.violations()), story.violations()
