"""Decides from three sources whether the promises held: what was published, what readers saw, and what the table holds."""

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

TEXT = "text"  # stands for the execution in pieces of text
ENDED = {"completed": "done", "failed": "error", "cancelled": "error"}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Stored:
    """A row of the log's table."""

    run: str
    seq: int
    type: str
    payload: str

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.payload)["data"]


@dataclass(frozen=True)
class Row:
    """A run's own row."""

    run: str
    status: str
    last_seq: int


@dataclass(frozen=True)
class Table:
    events: list[Stored]
    rows: list[Row]


def read_table(database_url: str) -> Table:
    """Read both tables past Django, so that nothing of what is under test stands between."""
    events = "SELECT run_id, seq, type, payload FROM progress_operationevent ORDER BY run_id, seq"
    rows = "SELECT id, status, last_seq FROM progress_operationrun"
    with connect(database_url) as connection:
        return Table(
            [Stored(str(UUID(str(run))), *rest) for run, *rest in connection.execute(events).fetchall()],
            [Row(str(UUID(str(run))), *rest) for run, *rest in connection.execute(rows).fetchall()],
        )


class connect:
    """A connection to the database of a URL as Django has it, closed and committed at the end of its `with`."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url

    def __enter__(self):
        if self._url.startswith("sqlite"):
            import sqlite3

            self._connection = sqlite3.connect(self._url.removeprefix("sqlite:///"), timeout=60)
        else:
            import psycopg

            self._connection = psycopg.connect(self._url)
        return self._connection

    def __exit__(self, kind, *_):
        if kind is None:
            self._connection.commit()
        self._connection.close()


class Records:
    """What readers of this process saw, appended to a file."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / f"seen-{os.getpid()}.jsonl").open("a")

    def note(self, run: str, reader: str, **record: object) -> None:
        self._file.write(json.dumps({"run": run, "reader": reader, **record}) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def read_records(folder: Path, kind: str) -> list[dict[str, Any]]:
    """Return the records of a kind, "published" or "seen", in the order in which each process wrote them."""
    lines = [line for path in sorted(folder.glob(f"{kind}-*.jsonl")) for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def violations(
    published: Iterable[dict[str, Any]], seen: Iterable[dict[str, Any]], table: Table, runs: Iterable[str]
) -> list[str]:
    """Return a sentence for each way in which the `runs`, all of which have ended, break a promise.

    `published` has {run, execution, piece, hash} for each piece before it was reported. `seen` has, for each reader in its
    order, {run, reader, after} where it began, {run, reader, seq, hash} for each event that it showed, {run, reader, resync}
    with the number of the oldest event where it was told to begin anew, and {run, reader, over} where it saw the end.
    """
    return [
        sentence
        for run in runs
        for sentence in _of_run(
            run,
            [record for record in published if record["run"] == run],
            [record for record in seen if record["run"] == run],
            [event for event in table.events if event.run == run],
            next((row for row in table.rows if row.run == run), None),
        )
    ]


def _of_run(run: str, published, seen, events: list[Stored], row: Row | None) -> list[str]:
    found: list[str] = []
    found += _log(events)
    found += _end(events, row)
    found += _pieces(published, events)
    by_reader = defaultdict(list)
    for record in seen:
        by_reader[record["reader"]].append(record)
    for reader, records in by_reader.items():
        found += [f"reader {reader}: {sentence}" for sentence in _reader(records, events)]
    return [f"run {run}: {sentence}" for sentence in found]


def _log(events: list[Stored]) -> Iterable[str]:
    numbers = [event.seq for event in events]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"P1: the log is not numbered from 1 without holes: {numbers}"


def _end(events: list[Stored], row: Row | None) -> Iterable[str]:
    ends = [event for event in events if event.type in ("done", "error")]
    if len(ends) != 1:
        yield f"P2: it has {len(ends)} terminal events: {[event.seq for event in ends]}"
    elif ends[0] is not events[-1]:
        yield f"P2: events follow the terminal event {ends[0].seq}"
    if row is None:
        yield "P2: it has no row"
        return
    if ends and ENDED.get(row.status) != ends[-1].type:
        yield f"P2: its row says {row.status}, its log ends with {ends[-1].type}"
    if len(ends) == 1 and ends[0].type == "error":
        cancelled = ends[0].data["metadata"]["code"] == "cancelled"
        if cancelled != (row.status == "cancelled"):
            yield f"P2: its row says {row.status}, its error {ends[0].data['metadata']['code']}"
    if row.last_seq != max((event.seq for event in events), default=0):
        yield f"P2: its row says that {row.last_seq} is the last event; the log ends at {events[-1].seq if events else 0}"


def _pieces(published, events: list[Stored]) -> Iterable[str]:
    """The log has what each execution published, from its first piece on, and nothing of an execution after a later one began.

    Text is another thing: a run that is executed again goes on in it, so it is there once for all executions.
    """
    hashes: dict[str, dict[int, str]] = defaultdict(dict)
    for record in published:
        if "piece" in record:
            hashes[record["execution"]][record["piece"]] = record["hash"]
    logged: dict[str, int] = {}
    current = TEXT
    for event in events:
        for piece in _texts(event):
            execution, number = piece.split(" ")[:2]
            if execution not in (current, TEXT):
                if execution in logged:
                    yield f"P7: event {event.seq} is of execution {execution}, which {current} had replaced"
                current = execution
            expected = logged.get(execution, 0) + 1
            if int(number) != expected:
                yield f"P1: event {event.seq} has piece {number} of {execution} where piece {expected} was to come"
            logged[execution] = int(number)
            if hashes[execution].get(int(number)) != digest(piece):
                yield f"P1: event {event.seq} has a piece {number} of {execution} that was not published so"
    if events and events[-1].type == "done":
        for execution in {current, TEXT}:
            if logged.get(execution, 0) != len(hashes[execution]):
                yield f"P1: it completed with {logged.get(execution, 0)} of {len(hashes[execution])} pieces of {execution}"


def _texts(event: Stored) -> list[str]:
    if event.type == "content":
        return event.data["content"].splitlines(keepends=True)
    if event.type == "progress" and event.data["metadata"].get("piece"):
        return [event.data["message"]]
    return []


def _reader(records, events: list[Stored]) -> Iterable[str]:
    stored = {event.seq: event for event in events}
    position, over = None, False
    for record in records:
        if "after" in record:
            position = record["after"]
        elif "resync" in record:
            if position is None or position + 1 in stored:
                yield f"P5: it was told to begin anew at {record['resync']}, though the log has what it asked for"
            position = record["resync"] - 1
        elif "over" in record:
            over = True
        else:
            seq = record["seq"]
            if over:
                yield f"P2: it saw event {seq} after the end"
            if position is not None and seq != position + 1:
                yield f"P1: it saw event {seq} after event {position}"
            position = seq
            if seq not in stored:
                yield f"P3: it saw event {seq}, which the log has not"
            elif digest(stored[seq].payload) != record["hash"]:
                yield f"P1: it saw another event {seq} than the log has"
    if over and events and position != events[-1].seq:
        yield f"P1: it was told of the end after event {position}; the log ends at {events[-1].seq}"
