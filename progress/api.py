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
from django.db.models import Q
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
from .problems import Problem, endpoint, invalid, read_body
from .streams import release_connections, run_events, stream_response

PAGE = 50


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

    `shape` turns the finished run into the JSON of the answer; the snapshot by default.
    """
    owner = await allowed_owner(request, type(operation).permission)
    run = await runs.start(operation, owner=owner, on_disconnect=on_disconnect)
    return await answer(request, run, stream=stream, shape=shape)


async def answer(
    request: HttpRequest, run: OperationRun, *, stream: bool = False, shape: Callable[[OperationRun], Any] | None = None
) -> HttpResponseBase:
    """Answer a request that started `run`: SSE, 202, or 200 once the run has ended."""
    if stream or "text/event-stream" in request.headers.get("Accept", ""):
        return await stream_response(run, 0)
    prefer = request.headers.get("Prefer", "")
    if re.search(r"\brespond-async\b", prefer):
        return _accepted(run, "respond-async")
    wait = re.search(r"\bwait=(\d{1,6})\b", prefer)
    await release_connections()
    try:
        async with asyncio.timeout(int(wait[1]) if wait else None):
            async for _ in log.batches(run.pk, run.last_seq):
                pass
    except TimeoutError:
        return _accepted(await in_database(OperationRun.objects.get, Q(pk=run.pk)), f"wait={wait[1]}" if wait else "")
    run = await in_database(OperationRun.objects.get, Q(pk=run.pk))
    body = await sync_to_async(shape)(run) if shape else run.snapshot()
    headers = {"Location": reverse("progress:run", args=[run.pk]), "X-Run-Id": str(run.pk)}
    if wait:
        headers["Preference-Applied"] = f"wait={wait[1]}"
    return JsonResponse(body, headers=headers)


def _accepted(run: OperationRun, preference: str) -> JsonResponse:
    links = run.links()
    headers = {"Location": links["self"], "X-Run-Id": str(run.pk)}
    if preference:
        headers["Preference-Applied"] = preference
    return JsonResponse({**run.snapshot(), "events_url": links["events"]}, status=202, headers=headers)


async def list_runs(request: HttpRequest) -> HttpResponseBase:
    """GET /api/runs"""
    try:
        query = RunFilter.model_validate(request.GET.dict())
    except ValidationError as error:
        raise invalid(error) from None
    owner = await request_owner(request)

    def page() -> list[OperationRun]:
        rows = OperationRun.objects.for_owner(owner)
        if query.status:
            rows = rows.filter(status=query.status)
        if query.operation:
            rows = rows.filter(operation=query.operation)
        if query.cursor:
            at, pk = read_cursor(query.cursor)
            rows = rows.filter(Q(created_at__lt=at) | Q(created_at=at, pk__lt=pk))
        return list(rows.order_by("-created_at", "-pk")[: query.limit + 1])

    found = await in_database(page)
    items = found[: query.limit]
    return JsonResponse(
        {
            "items": [run.snapshot() for run in items],
            "next": next_page(request, items[-1]) if len(found) > query.limit else None,
        }
    )


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
    return JsonResponse((await find_run(request, pk)).snapshot())


async def cancel_run(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """POST /api/runs/<id>/cancel"""
    run = await find_run(request, pk, write=True)
    was_active = run.is_active
    run = await runs.cancel(run)
    status = "The run is ending." if run.is_active else f"The run is {run.status}."
    detail = status if was_active else f"The run had ended already: {run.status}."
    return JsonResponse({**run.snapshot(), "detail": detail}, status=202 if was_active else 200)


async def retry_run(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """POST /api/runs/<id>/retry"""
    run = await find_run(request, pk, write=True)
    owner = await allowed_owner(request, get_operation(run.operation).permission)
    try:
        again = await runs.retry(run, owner=owner)
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
cancel_endpoint = endpoint(POST=cancel_run)
retry_endpoint = endpoint(POST=retry_run)
operations_endpoint = endpoint(GET=list_operations)
