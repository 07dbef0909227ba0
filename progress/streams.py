"""The HTTP views that stream a run's log, and their headers."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse

from . import runs
from .access import find_run
from .bell import bell
from .conf import setting
from .database import in_database
from .events import ProgressEvent
from .models import OperationEvent, OperationRun
from .problems import Problem
from .rows import read_events
from .sse import frames

EVENTS_PAGE = 1000
STREAM_HEADERS = {
    "Cache-Control": "no-cache, no-transform, no-store",
    "X-Accel-Buffering": "no",
    "Content-Encoding": "identity",  # keeps compressing middleware and proxies from holding frames back
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_tasks: set[asyncio.Task[None]] = set()  # the loop itself keeps only weak references


async def run_events(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """GET /api/runs/<id>/events"""
    run = await find_run(request, pk)
    if _wants_json(request):
        return await _events_json(request, run)
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise Problem(403, "Streams are not served to pages of other sites.", code="not_allowed")
    given = request.headers.get("Last-Event-ID") or request.GET.get("after")
    after = _position(given)
    if after is not None and after == run.last_seq and not run.is_active:
        return HttpResponse(status=204, headers=STREAM_HEADERS)
    oldest = await in_database(_oldest, run)
    if after is None or after > run.last_seq or after < oldest - 1:
        return await stream_response(run, oldest - 1, _resync(run, oldest - 1))
    return await stream_response(run, after)


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


async def stream_response(run: OperationRun, after: int, first: ProgressEvent | None = None) -> StreamingHttpResponse:
    """Answer with the SSE stream of `run` above `after`; `first` is sent before what the log holds."""
    await release_connections()
    stream = frames(run.pk, after, first)
    if run.on_disconnect == "cancel":
        stream = _cancel_after(stream, run)
    headers = {**STREAM_HEADERS, "X-Run-Id": str(run.pk), "Location": reverse("progress:run", args=[run.pk])}
    return StreamingHttpResponse(stream, content_type="text/event-stream; charset=utf-8", headers=headers)


def _oldest(run: OperationRun) -> int:
    """The number of the oldest event that the log still has; one after the last where all are pruned."""
    first = OperationEvent.objects.filter(run=run).order_by("seq").values_list("seq", flat=True).first()
    return first if first is not None else run.last_seq + 1


def _resync(run: OperationRun, position: int) -> ProgressEvent:
    """Say that the reader must forget what it has: here is where the run stands, and what the log still has follows."""
    metadata = {
        "runId": str(run.pk),
        "attempt": run.attempt,
        "status": run.status,
        "resync": True,
        "oldest": position + 1,
        "lastSeq": run.last_seq,
    }
    data = {
        "operation": run.operation,
        "percentage": run.percentage,
        "message": run.message,
        "currentState": run.current_state,
        "metadata": metadata,
    }
    return ProgressEvent("progress", data, seq=position)


async def _cancel_after(stream: Any, run: OperationRun) -> Any:
    """Yield from `stream`; when its reader leaves and none comes back in time, cancel the run."""
    try:
        async for chunk in stream:
            yield chunk
    finally:
        await stream.aclose()
        task = asyncio.get_running_loop().create_task(_cancel_unread(run))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)


async def _cancel_unread(run: OperationRun) -> None:
    await asyncio.sleep(setting("DISCONNECT_GRACE"))
    if bell.readers(run.pk) == 0:
        await runs.cancel(run)
        await release_connections()


async def release_connections() -> None:
    """Give the request's database connection back: what follows waits, and would hold it for as long."""
    await sync_to_async(connections.close_all)()
