"""The HTTP API of runs as a part of an OpenAPI 3.2 description; its bricks serve other apps' parts too."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.json_schema import models_json_schema

from .api import RunFilter, StartRequest
from .batch import Batch, BatchItem
from .batch_api import BatchRequest
from .dialects import FORMATS
from .events import event_schema
from .exceptions import Code
from .models import Status
from .operations import registry

REF = "#/components/schemas/{model}"
Description = dict[str, Any]
NUMBER = {"type": "string", "pattern": "^[0-9]+$", "description": "the event's number in the run's log"}
CURSOR = {"type": "string", "pattern": "^[A-Za-z0-9_-]+$", "description": "the reader's position in all of the runs"}
NAMED = {"type": "string", "pattern": r"^[0-9a-f-]{36}(:\d{1,9})?(,[0-9a-f-]{36}(:\d{1,9})?){0,49}$"}


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WrongField(_Answer):
    field: str = Field(description="such as `params.seconds`")
    message: str


class ProblemDetails(_Answer):
    """What was wrong with a request (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[WrongField] = Field(default=[], description="each wrong field, where there are any")


class RunError(BaseModel):
    """How a run failed; other keys are the operation's own."""

    message: str
    code: Code
    retryable: bool


class Links(_Answer):
    self: str
    events: str
    cancel: str
    retry: str
    page: str


class Child(_Answer):
    """A run that is part of a batch."""

    id: UUID
    operation: str
    status: Status
    percentage: float | None = Field(ge=0, le=100)
    currentState: str
    links: Links


class Run(_Answer):
    """One execution of an operation."""

    id: UUID
    operation: str
    status: Status
    percentage: float | None = Field(ge=0, le=100, description="null while the size of the work is unknown")
    currentState: str
    message: str
    attempt: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested: bool = Field(description="it was asked to end; while it is active, it is about to")
    last_seq: int = Field(description="the number of its newest event")
    result: JsonValue
    error: RunError | None
    retry_of: UUID | None = Field(description="the run that this one tries again")
    parent: UUID | None = Field(description="the batch that this is part of")
    children: list[Child] = Field(default=[], description="of a batch, in the order of its items; not in lists of runs")
    links: Links


class AcceptedRun(Run):
    """A run that goes on."""

    events_url: str


class CancelledRun(Run):
    """A run that was asked to end."""

    detail: str = Field(description="whether it is ending or had ended already")


class ListedRun(Run):
    """A run in a list; a long result is in the run itself."""

    resultTooLarge: bool = Field(default=False, description="`result` is left out here")


class RunPage(_Answer):
    items: list[ListedRun]
    next: str | None = Field(description="the address of the next page")


class StoredEvent(_Answer):
    """An event with its number and the milliseconds since the epoch at which it happened."""

    id: int
    at: int
    type: str
    data: dict[str, JsonValue]


class EventPage(_Answer):
    items: list[StoredEvent]
    next: str | None


class RunEvent(_Answer):
    """An event with the run that it is of, and its number there."""

    run: UUID
    id: int
    type: str
    data: dict[str, JsonValue]


class OperationDescription(_Answer):
    name: str
    description: str
    params: dict[str, JsonValue] = Field(description="a JSON Schema")
    states: dict[str, float] = Field(description="the percentage at which each begins")


class OperationList(_Answer):
    items: list[OperationDescription]
    next: None


ANSWERS = [ProblemDetails, RunPage, AcceptedRun, CancelledRun, EventPage, OperationList]


def paths() -> Description:
    """Describe each address below the prefix where `progress.urls` is included."""
    run = [parameter("id", "path", {"type": "string", "format": "uuid"}, "the run")]
    return {
        "/runs": {
            "get": call("The caller's runs, newest first", answer("RunPage"), 422, parameters=query(RunFilter)),
            "post": call(
                "Start a run",
                {
                    **answer(
                        "Run", "The run has ended. Or, where that was asked for, the stream of its events.", events=True
                    ),
                    **answer("AcceptedRun", "The run goes on: the time of `Prefer: wait` is over.", status=202),
                },
                *STARTING,
                body="Start",
                description="Waits for the end, unless `stream` is true or `Accept` asks for `text/event-stream` (a stream of its "
                "events), or `Prefer` is `respond-async` or `wait=` a number of seconds (202).",
                parameters=starting_headers(),
            ),
        },
        "/batches": {
            "post": call(
                "Start many operations as one run",
                {
                    **answer("Run", "The batch has ended. Or the stream of its events.", events=True),
                    **answer("AcceptedRun", "The batch goes on.", status=202),
                },
                *STARTING,
                body="BatchRequest",
                description="Each item is a run of its own, a child of the batch. The same as a run of `batch`, with its "
                "parameters in the body itself.",
                parameters=starting_headers(),
            )
        },
        "/runs/{id}": {"get": call("A run as it stands", answer("Run"), 404, parameters=run)},
        "/runs/{id}/events": {
            "get": call(
                "The stream of a run's events",
                {
                    **answer(
                        "EventPage", "The stream; with `Accept: application/json` the stored events.", events=True
                    ),
                    "204": {"description": "The reader has the last event already."},
                },
                *(403, 404, 422),
                description="Goes on after the number in `Last-Event-ID`, or else in `after`. A number that the log cannot serve "
                "is answered by an event with `metadata.resync`. The stream ends after `done` or `error`.",
                parameters=[
                    *run,
                    format_parameter(),
                    parameter("after", "query", {"type": "string"}, "the number of the last event that the reader has"),
                    parameter("Last-Event-ID", "header", {"type": "string"}, "the same, sent by browsers"),
                ],
            )
        },
        "/runs/{id}/cancel": {
            "post": call(
                "Ask a run to end",
                {
                    **answer("CancelledRun", "It had ended already."),
                    **answer("CancelledRun", "It is asked to end.", status=202),
                },
                *(403, 404),
                parameters=run,
            )
        },
        "/runs/{id}/retry": {
            "post": call(
                "Start a failed or cancelled run again",
                {
                    **answer("Run", "The new run has ended. Or the stream of its events.", events=True),
                    **answer("AcceptedRun", "The new run goes on.", status=202),
                },
                *(401, 403, 404, 409, 422, 429, 503),
                parameters=[*run, *starting_headers()],
            )
        },
        "/events": {
            "get": call(
                "One stream of the events of many runs",
                {
                    "200": {
                        "description": "The stream.",
                        "content": {"text/event-stream": {"itemSchema": _frame("RunEvent", CURSOR)}},
                    },
                    "204": {"description": "All of the named runs have ended, and the reader has all of their events."},
                },
                *(401, 403, 404, 422),
                description="Over runs that are named it ends with the last of them. Without `runs` it brings those of the caller "
                "that are active and those that start later, and stays open; a batch's children are in the events of the batch. A "
                "run that cannot be read from where the reader is begins with an event with `metadata.resync`.",
                parameters=[
                    parameter(
                        "runs", "query", NAMED, "up to 50 ids, each alone or with `:` and the number of its last event"
                    ),
                    parameter("after", "query", {"type": "string"}, "the `id` of the last frame that the reader has"),
                    parameter("Last-Event-ID", "header", {"type": "string"}, "the same, sent by browsers"),
                ],
            )
        },
        "/operations": {"get": call("What can be started", answer("OperationList"))},
    }


def schemas() -> Description:
    """Describe the bodies: requests, answers, events, and the parameters of every registered operation."""
    models: list[type[BaseModel]] = [
        ProblemDetails,
        Run,
        RunPage,
        AcceptedRun,
        CancelledRun,
        EventPage,
        RunEvent,
        OperationList,
        BatchRequest,
        *registry.values(),
    ]
    references, definitions = models_json_schema([(model, "validation") for model in models], ref_template=REF)
    known = [(name, references[cls, "validation"], bool(_required(cls))) for name, cls in sorted(registry.items())]
    event = event_schema(ref_template=REF)
    return {
        **definitions.get("$defs", {}),
        "BatchItem": {
            "anyOf": [_start(BatchItem, *each) for each in known if each[0] != Batch.operation_name],
            "description": "One operation of a batch.",
        },
        **event.pop("$defs"),
        "Event": {**event, "description": "One event of a run's log."},
        "Start": {"anyOf": [_start(StartRequest, *each) for each in known]},
    }


def _required(cls: type[BaseModel]) -> list[str]:
    return [name for name, field in cls.model_fields.items() if field.is_required()]


def _start(body: type[BaseModel], name: str, params: Description, params_required: bool) -> Description:
    properties = body.model_json_schema()["properties"] | {"operation": {"const": name}, "params": params}
    required = ["operation", "params"] if params_required else ["operation"]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def call(
    summary: str,
    answers: Description,
    *problems: int,
    body: str = "",
    description: str = "",
    parameters: list[Description] | None = None,
) -> Description:
    """Describe one method of an address: its answers and, by their status, the problems it may answer with."""
    described: Description = {
        "summary": summary,
        "responses": answers | {str(status): _problem(status) for status in problems},
    }
    if description:
        described["description"] = description
    if parameters:
        described["parameters"] = parameters
    if body:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": ref(body)}}}
    return described


def answer(schema: str, description: str = "OK", *, status: int = 200, events: bool = False) -> Description:
    """Describe an answer in JSON and, with `events`, as a stream."""
    content: Description = {"application/json": {"schema": ref(schema)}}
    if events:
        content["text/event-stream"] = {"itemSchema": _frame()}
    return {str(status): {"description": description, "content": content}}


def stream_of(schema: str, description: str) -> Description:
    """Describe an answer that is a stream of something else than native events."""
    frame = _frame(schema)
    frame["properties"]["data"] = {"anyOf": [frame["properties"]["data"], {"const": "[DONE]"}]}
    return {"200": {"description": description, "content": {"text/event-stream": {"itemSchema": frame}}}}


def _frame(schema: str = "Event", id: Description = NUMBER) -> Description:
    payload = {"type": "string", "contentMediaType": "application/json", "contentSchema": ref(schema)}
    return {
        "type": "object",
        "properties": {"id": id, "data": payload, "retry": {"type": "integer"}},
        "required": ["data"],
    }


def _problem(status: int) -> Description:
    return {"description": PROBLEMS[status], "content": {"application/problem+json": {"schema": ref("ProblemDetails")}}}


STARTING = (400, 401, 403, 409, 413, 415, 422, 429, 503)  # with which a request that starts work may be answered
PROBLEMS = {
    400: "The body is not JSON.",
    401: "Sign in, or send an API token.",
    403: "The caller may not do this.",
    404: "There is nothing here, or nothing that the caller may see.",
    409: "It is not in a state for that, or the Idempotency-Key was used for another request.",
    413: "The body is too long.",
    415: "The body is of another type.",
    422: "A field is wrong, missing or unknown; `errors` names it.",
    429: "The caller has too many runs; `Retry-After` says when to try again.",
    503: "What it needs cannot be reached, or the site is busy or about to end; `Retry-After` says when to try again.",
}


def parameter(name: str, place: str, schema: Description, description: str) -> Description:
    """Describe a parameter in the path, the query or a header."""
    return {"name": name, "in": place, "required": place == "path", "schema": schema, "description": description}


def starting_headers() -> list[Description]:
    """Describe what requests that start work say beside their body."""
    return [
        parameter("Prefer", "header", {"type": "string"}, "`respond-async`, or `wait=10`"),
        idempotency_header(),
        format_parameter(),
    ]


def idempotency_header() -> Description:
    """Describe the header Idempotency-Key."""
    key = {"type": "string", "pattern": "^[!-~]{1,255}$"}
    return parameter("Idempotency-Key", "header", key, "of your choice; the same key and body give the same run")


def format_parameter() -> Description:
    """Describe in which format a stream is asked for."""
    return parameter(
        "format", "query", {"enum": [*FORMATS]}, "of the stream: `native` by default, or that of AG-UI or the AI SDK"
    )


def query(model: type[BaseModel]) -> list[Description]:
    """Describe the fields of a model as parameters of the query."""
    schema = model.model_json_schema(ref_template=REF)
    return [
        parameter(name, "query", _without_null(field), field.pop("description", ""))
        for name, field in schema["properties"].items()
    ]


def _without_null(schema: Description) -> Description:
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    return kinds[0] if len(kinds) == 1 else schema


def ref(name: str) -> Description:
    """Refer to a schema of the description."""
    return {"$ref": REF.format(model=name)}
