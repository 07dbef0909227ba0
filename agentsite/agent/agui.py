"""AG-UI: POST /api/agent/agui runs the chat for `HttpAgent`; GET /api/agent/agui/<thread>/stream shows a page where a thread is."""

from __future__ import annotations

from typing import Literal

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from progress.database import in_database
from progress.dialects import Chunk, framed
from progress.dialects.ag_ui import AgUi
from progress.models import OperationRun
from progress.problems import endpoint, idempotency_key, read_body
from progress.streams import STREAM_HEADERS, refuse_other_sites, standing, stream_response

from .conf import setting
from .threads import KEY_LENGTH, KEY_PATTERN, active_run, ask, find_thread, history, last_text


class ForwardedProps(BaseModel):
    """What this site reads of `forwardedProps`."""

    model_config = ConfigDict(extra="ignore")
    source: str | None = Field(default=None, max_length=100, description="slug of the source to ask")
    on_disconnect: Literal["continue", "cancel"] = "continue"


class RunAgentInput(BaseModel):
    """Body of POST /api/agent/agui: AG-UI's own. The last message of a user is the question; what else was said is known here."""

    # Fields that a newer protocol adds must not break its clients.
    model_config = ConfigDict(extra="ignore")
    threadId: str = Field(min_length=1, max_length=KEY_LENGTH, pattern=KEY_PATTERN, description="the conversation")
    runId: str = Field(min_length=1, max_length=KEY_LENGTH, description="sent again with the same, it is the same run")
    messages: list[dict[str, JsonValue]]
    forwardedProps: ForwardedProps | None = None


async def run_agent(request: HttpRequest) -> HttpResponseBase:
    """Start a chat run and stream it. A run that this input started before is joined where it is."""
    body = read_body(request, RunAgentInput, limit=setting("HISTORY_BYTES"))
    props = body.forwardedProps or ForwardedProps()
    run = await ask(
        request,
        body.threadId,
        last_text(body.messages, "content"),
        source=props.source,
        once=idempotency_key(request) or f"ag-ui {body.threadId} {body.runId}",
        on_disconnect=props.on_disconnect,
    )
    if run.last_seq == 1:
        return await stream_response(request, run, 0, AgUi(run.pk, body.threadId, body.runId))
    return await _join(request, run, body.threadId, body.runId)


async def _join(request: HttpRequest, run: OperationRun, thread: str, named: str) -> HttpResponseBase:
    """Stream `run` from where it stands: to a client that has some of it already, all of it again would be written twice."""
    conversation = await find_thread(request, thread)
    said = await in_database(history, conversation, run) if conversation is not None else ()
    dialect = AgUi(run.pk, thread, named, history=said)
    return await stream_response(request, run, standing(run), dialect)


async def follow_thread(request: HttpRequest, thread: str) -> HttpResponseBase:
    """Bring a client to where a thread stands: what was said, and what its active run says from here on."""
    refuse_other_sites(request)
    conversation = await find_thread(request, thread)
    if conversation is None:
        return HttpResponse(status=204, headers=STREAM_HEADERS)
    if (run := await active_run(request, conversation)) is not None:
        return await _join(request, run, thread, "")
    said = await in_database(history, conversation)
    names = {"threadId": thread, "runId": str(conversation.pk)}
    chunks: list[Chunk] = [
        {"type": "RUN_STARTED", **names},
        {"type": "MESSAGES_SNAPSHOT", "messages": list(said)},
        {"type": "RUN_FINISHED", **names, "outcome": {"type": "success"}},
    ]
    return HttpResponse(framed(chunks), content_type="text/event-stream; charset=utf-8", headers=STREAM_HEADERS)


agui_endpoint = endpoint(POST=run_agent)
thread_endpoint = endpoint(GET=follow_thread)
