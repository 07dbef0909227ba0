"""The HTTP API: start, follow, cancel and list runs."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db.models import Q, TextField
from django.db.models.functions import Cast, Length
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import reverse
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from . import runs
from .access import allowed_owner, find_run
from .database import in_database
from .log import log
from .models import OperationRun, Status
from .operations import StreamingOperation, get_operation, registry
from .owners import request_owner
from .problems import Problem, endpoint, idempotency_key, invalid, read_body
from .streams import dialect_for, many_events, release_connections, run_events, stream_response

PAGE = 50
LISTED_RESULT = 4_000  # characters of a result that a list shows


class StartRequest(BaseModel):
    """Body of POST /api/runs."""

    model_config = ConfigDict(extra="forbid")
    operation: str
    params: dict[str, JsonValue] = {}
    stream: bool = False
    on_disconnect: Literal["continue", "cancel"] = "continue"


class RunFilter(BaseModel):
    """Query of GET /api/runs."""

    model_config = ConfigDict(extra="forbid")
    status: Status | None = None
    operation: str | None = Field(default=None, max_length=100, pattern=r"^\w*$")
    parent: UUID | None = Field(
        default=None, description="a batch, whose children to list; they are not listed without it"
    )
    cursor: str | None = None
    limit: int = Field(default=PAGE, ge=1, le=200)


async def start_run(request: HttpRequest) -> HttpResponseBase:
    """POST /api/runs"""
    body = read_body(request, StartRequest)
    operation = build_operation(body.operation, body.params)
    return await start_and_answer(request, operation, stream=body.stream, on_disconnect=body.on_disconnect)


def build_operation(name: str, params: dict[str, Any]) -> StreamingOperation[Any]:
    """Return the operation `name` with validated `params`. Raises Problem 422 that names each wrong field."""
    cls = get_operation(name)
    try:
        return cls.model_validate_json(json.dumps(params), strict=True)
    except ValidationError as error:
        raise invalid(error, "params") from None


async def start_and_answer(
    request: HttpRequest,
    operation: StreamingOperation[Any],
    *,
    stream: bool = False,
    on_disconnect: str = "continue",
    shape: Callable[[OperationRun], Any] | None = None,
) -> HttpResponseBase:
    """Start `operation` for the caller and answer as asked: a stream, 202 at once, or the finished run.

    `shape` turns the finished run into the JSON of the answer; the snapshot by default. A request whose Idempotency-Key was seen
    before is answered in the same way from the run that it started then.
    """
    dialect_for(request)  # before anything is started
    run = await start_for(request, operation, on_disconnect=on_disconnect, key=idempotency_key(request))
    return await answer(request, run, stream=stream, shape=shape)


async def start_for(
    request: HttpRequest, operation: StreamingOperation[Any], *, on_disconnect: str, key: str
) -> OperationRun:
    """Start `operation` for the caller, who may have come by HTTP or WebSocket. Raises as `allowed_owner` and `runs.start`."""
    owner = await allowed_owner(request, *operation.required_permissions())
    return await runs.start(operation, owner=owner, on_disconnect=on_disconnect, key=key)


async def answer(
    request: HttpRequest, run: OperationRun, *, stream: bool = False, shape: Callable[[OperationRun], Any] | None = None
) -> HttpResponseBase:
    """Answer a request that started `run`: SSE, 202, or 200 once the run has ended."""
    if stream or "text/event-stream" in request.headers.get("Accept", ""):
        return await stream_response(request, run, 0, dialect_for(request, run))
    prefer = request.headers.get("Prefer", "")
    if re.search(r"\brespond-async\b", prefer):
        return await _accepted(run, "respond-async")
    wait = re.search(r"\bwait=(\d{1,6})\b", prefer)
    if run.on_disconnect == "cancel":
        await in_database(runs.note_reader, run.pk)
    await release_connections()
    try:
        async with asyncio.timeout(int(wait[1]) if wait else None):
            async for _ in log.batches(run.pk, run.last_seq):
                pass
    except TimeoutError:
        run = await in_database(OperationRun.objects.get, Q(pk=run.pk))
        return await _accepted(run, f"wait={wait[1]}" if wait else "")
    run = await in_database(OperationRun.objects.get, Q(pk=run.pk))
    body = await sync_to_async(shape)(run) if shape else await _snapshot(run)
    headers = {"Location": reverse("progress:run", args=[run.pk]), "X-Run-Id": str(run.pk)}
    if wait:
        headers["Preference-Applied"] = f"wait={wait[1]}"
    return JsonResponse(body, headers=headers)


async def _snapshot(run: OperationRun) -> dict[str, Any]:
    return (await in_database(run.with_children)).snapshot()


async def _accepted(run: OperationRun, preference: str) -> JsonResponse:
    links = run.links()
    headers = {"Location": links["self"], "X-Run-Id": str(run.pk)}
    if preference:
        headers["Preference-Applied"] = preference
    return JsonResponse({**await _snapshot(run), "events_url": links["events"]}, status=202, headers=headers)


async def list_runs(request: HttpRequest) -> HttpResponseBase:
    """GET /api/runs"""
    try:
        query = RunFilter.model_validate(request.GET.dict())
    except ValidationError as error:
        raise invalid(error) from None
    owner = await request_owner(request)

    def page() -> list[OperationRun]:
        rows = OperationRun.objects.for_owner(owner).filter(parent=query.parent)
        if query.status:
            rows = rows.filter(status=query.status)
        if query.operation:
            rows = rows.filter(operation=query.operation)
        if query.cursor:
            at, pk = read_cursor(query.cursor)
            rows = rows.filter(Q(created_at__lt=at) | Q(created_at=at, pk__lt=pk))
        sized = rows.annotate(result_size=Length(Cast("result", TextField()))).defer("result")
        found = list(sized.order_by("-created_at", "-pk")[: query.limit + 1])
        small = [run.pk for run in found if not _leaves_out(run)]
        results = dict(OperationRun.objects.filter(pk__in=small).values_list("pk", "result"))
        for run in found:
            run.result = results.get(run.pk)
        return found

    found = await in_database(page)
    items = found[: query.limit]
    return JsonResponse(
        {
            "items": [run.snapshot() | ({"resultTooLarge": True} if _leaves_out(run) else {}) for run in items],
            "next": next_page(request, items[-1]) if len(found) > query.limit else None,
        }
    )


def _leaves_out(run: Any) -> bool:
    """Whether a list says of this run only that it has a result."""
    return (run.result_size or 0) > LISTED_RESULT


def next_page(request: HttpRequest, last: Any) -> str:
    """The address of the page after the row `last`, newest first."""
    cursor = base64.urlsafe_b64encode(f"{last.created_at.isoformat()} {last.pk}".encode()).decode().rstrip("=")
    query = request.GET.copy()
    query["cursor"] = cursor
    return f"{request.path}?{query.urlencode()}"


def read_cursor(cursor: str) -> tuple[datetime, UUID]:
    """Return the time and id that a cursor of `next_page` holds. Raises Problem 422 for anything else."""
    try:
        at, pk = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(" ")
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError("no time zone")
        return moment, UUID(pk)
    except (ValueError, binascii.Error):
        raise Problem(
            422, "cursor: take it from `next` of the page before.", errors=[{"field": "cursor", "message": "unknown"}]
        ) from None


async def show_run(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """GET /api/runs/<id>"""
    return JsonResponse(await _snapshot(await find_run(request, pk)))


async def cancel_run(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """POST /api/runs/<id>/cancel"""
    run = await find_run(request, pk, write=True)
    was_active = run.is_active
    run = await runs.cancel(run)
    status = "The run is ending." if run.is_active else f"The run is {run.status}."
    detail = status if was_active else f"The run had ended already: {run.status}."
    return JsonResponse({**await _snapshot(run), "detail": detail}, status=202 if was_active else 200)


async def retry_run(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """POST /api/runs/<id>/retry"""
    run = await find_run(request, pk, write=True)
    dialect_for(request)
    try:
        owner = await allowed_owner(request, *runs.build(run).required_permissions())
        again = await runs.retry(run, owner=owner, key=idempotency_key(request))
    except runs.NotRetryable as error:
        raise Problem(409, str(error)) from None
    except ValidationError as error:
        raise invalid(error, "params") from None
    return await answer(request, again)


async def list_operations(request: HttpRequest) -> HttpResponseBase:
    """GET /api/operations"""
    items = [
        {
            "name": name,
            "description": (cls.__doc__ or "").strip(),
            "params": cls.model_json_schema(),
            "states": {state: declared.percentage for state, declared in cls.declared_states().items()},
        }
        for name, cls in sorted(registry.items())
    ]
    return JsonResponse({"items": items, "next": None})


runs_endpoint = endpoint(GET=list_runs, POST=start_run)
run_endpoint = endpoint(GET=show_run)
events_endpoint = endpoint(GET=run_events)
many_events_endpoint = endpoint(GET=many_events)
cancel_endpoint = endpoint(POST=cancel_run)
retry_endpoint = endpoint(POST=retry_run)
operations_endpoint = endpoint(GET=list_operations)
