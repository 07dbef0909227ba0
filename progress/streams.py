"""The HTTP views that stream the logs of runs, and their headers."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from functools import partial
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse

from . import runs
from .access import find_run, find_runs, still_allowed
from .database import in_database
from .dialects import FORMATS, Dialect, dialect_named
from .dialects.native import NATIVE, frame
from .follow import beginning
from .many import MARGIN, ROOM, ChosenRuns, OwnersRuns
from .models import OperationRun
from .owners import request_owner
from .problems import Problem
from .rows import read_events
from .sse import Cursor, frames_of_one, stream

EVENTS_PAGE = 1000
STREAM_HEADERS = {
    "Cache-Control": "no-cache, no-transform, no-store",
    "X-Accel-Buffering": "no",
    "Content-Encoding": "identity",  # keeps compressing middleware and proxies from holding frames back
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}


async def run_events(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """GET /api/runs/<id>/events"""
    run = await find_run(request, pk)
    dialect = dialect_for(request, run)
    if _wants_json(request):
        return await _events_json(request, run)
    return await follow(request, run, dialect)


async def follow(request: HttpRequest, run: OperationRun, dialect: Dialect) -> HttpResponseBase:
    """Answer a GET with the stream of `run` from where the request says; with 204 where there is nothing more to come."""
    refuse_other_sites(request)
    after = _position(_given(request))
    if after == run.last_seq and not run.is_active:
        return HttpResponse(status=204, headers=STREAM_HEADERS)
    return await stream_response(request, run, after, dialect)


def dialect_for(request: HttpRequest, run: OperationRun | None = None) -> Dialect:
    """Return the dialect that the request's `format` names. Raises Problem 422; without a run it is asked for that alone."""
    named = request.GET.get("format", "")
    dialect = dialect_named(named, run.pk if run is not None else UUID(int=0))
    if dialect is None:
        message = f"use one of {', '.join(FORMATS)}"
        raise Problem(422, f"format: {message}.", errors=[{"field": "format", "message": message}])
    return dialect


async def many_events(request: HttpRequest) -> HttpResponseBase:
    """GET /api/events"""
    refuse_other_sites(request)
    given = _given(request)
    cursor = Cursor.decode(given) if given else None
    lost = bool(given) and cursor is None
    if (named := request.GET.get("runs")) is not None:
        return await _chosen_runs(request, named, cursor, lost)
    owner = await request_owner(request)
    if not owner:
        raise Problem(401, "Nobody's runs: sign in, send an API token, or start a run first.", code="not_allowed")
    # A cursor of named runs says nothing of others, and nobody was given one of a time to come.
    lost = lost or (cursor is not None and not 0 < cursor.since <= time.time() * 1000 + MARGIN.total_seconds() * 1000)
    many = OwnersRuns(owner, None if lost else cursor, lost=lost)
    starts = await in_database(many.begin)
    opening = b"id: %s\n\n" % many.cursor.encode()
    return await _answer(request, many.frames(starts), many.followed, opening=opening)


async def _chosen_runs(request: HttpRequest, named: str, cursor: Cursor | None, lost: bool) -> HttpResponseBase:
    positions = _named(named)
    chosen = await find_runs(request, list(positions))
    if lost:
        positions = dict.fromkeys(positions)
    elif cursor is not None:
        positions |= {pk: cursor.get(pk) for pk in positions if pk in cursor}
    if all(not run.is_active and positions[run.pk] == run.last_seq for run in chosen):
        return HttpResponse(status=204, headers=STREAM_HEADERS)
    many = ChosenRuns(chosen, positions)
    starts = await in_database(many.starts)
    for run in chosen:
        if run.on_disconnect == "cancel":
            await in_database(runs.note_reader, run.pk)
    return await _answer(request, many.frames(starts), many.followed)


def _named(text: str) -> dict[UUID, int | None]:
    """Read `runs`: ids separated by commas, each alone or with `:` and the number of the last event that the reader has."""
    positions: dict[UUID, int | None] = {}
    for item in text.split(","):
        pk, _, after = item.partition(":")
        try:
            positions[UUID(pk)] = _position(after)
        except ValueError:
            raise Problem(
                422,
                "runs: give the ids of runs, separated by commas.",
                errors=[{"field": "runs", "message": "not the ids of runs"}],
            ) from None
    if len(positions) > ROOM:
        message = f"at most {ROOM} runs share a stream"
        raise Problem(422, f"runs: {message}.", errors=[{"field": "runs", "message": message}])
    return positions


def refuse_other_sites(request: HttpRequest) -> None:
    """Raise Problem 403 for a page of another site, which a browser lets send the visitor's cookies."""
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise Problem(403, "Streams are not served to pages of other sites.", code="not_allowed")


def _given(request: HttpRequest) -> str | None:
    return request.headers.get("Last-Event-ID") or request.GET.get("after")


def _wants_json(request: HttpRequest) -> bool:
    accept = request.headers.get("Accept", "")
    return "application/json" in accept and "text/event-stream" not in accept


def _position(given: str | None) -> int | None:
    """The number after which to read; None for what no log can have given out."""
    if not given:
        return 0
    return int(given) if re.fullmatch(r"[0-9]{1,9}", given) else None


async def _events_json(request: HttpRequest, run: OperationRun) -> HttpResponse:
    after = _position(request.GET.get("after"))
    if after is None:
        raise Problem(
            422, "after: give the number of an event.", errors=[{"field": "after", "message": "not a number"}]
        )
    events = await in_database(read_events, run.pk, after, EVENTS_PAGE)
    more = f'"{request.path}?after={events[-1].seq}"' if len(events) == EVENTS_PAGE else "null"
    # The stored JSON as it is: each event's own object, with its id and time put in front.
    items = ",".join(f'{{"id":{event.seq},"at":{event.at},{event.payload[1:]}' for event in events)
    return HttpResponse(f'{{"items":[{items}],"next":{more}}}', content_type="application/json")


def standing(run: OperationRun) -> int:
    """After which event a reader begins who wants to know where `run` stands, and to be told of its end."""
    return run.last_seq if run.is_active else run.last_seq - 1


async def stream_response(
    request: HttpRequest, run: OperationRun, after: int | None, dialect: Dialect = NATIVE
) -> StreamingHttpResponse:
    """Answer with the SSE stream of `run` above `after`; None stands for a number that no log gave out."""
    if run.on_disconnect == "cancel":
        await in_database(runs.note_reader, run.pk)
    opening = b"\n"
    if dialect is NATIVE:
        position, first = await in_database(beginning, run, after)
        opening += frame(first) if first else b""
    else:
        position = after if after is not None and after <= run.last_seq else dialect.lost(standing(run))
    headers = {"X-Run-Id": str(run.pk), "Location": reverse("progress:run", args=[run.pk]), **dialect.headers}
    source = frames_of_one(run.pk, dialect.reader(position))
    return await _answer(request, source, [run.pk], opening=opening, headers=headers, comes_back=dialect.comes_back)


async def _answer(
    request: HttpRequest,
    source: AsyncGenerator[bytes],
    followed: Iterable[UUID],
    *,
    opening: bytes = b"\n",
    headers: Mapping[str, str] | None = None,
    comes_back: bool = True,
) -> StreamingHttpResponse:
    owner = await request_owner(request)
    await release_connections()
    body = stream(source, owner, partial(still_allowed, request, followed), opening=opening, comes_back=comes_back)
    return StreamingHttpResponse(
        body, content_type="text/event-stream; charset=utf-8", headers={**STREAM_HEADERS, **(headers or {})}
    )


async def release_connections() -> None:
    """Give the request's database connection back: what follows waits, and would hold it for as long."""
    await sync_to_async(connections.close_all)()
