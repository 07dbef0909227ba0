"""The AI SDK's `WebSocketChatTransport`: any number of answers over one connection, and a `stop()` that ends the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from channels.exceptions import StopConsumer
from pydantic import BaseModel, ConfigDict, Field

from progress import runs
from progress.access import find_run, handshake
from progress.consumers import RUNS, RunSocket, own_thread
from progress.database import in_database
from progress.dialects import FoldedReader
from progress.dialects.ai_sdk import AiSdk
from progress.events import ProgressEvent
from progress.models import OperationRun
from progress.problems import Problem, as_problem, read_object, validated

from .conf import setting
from .threads import KEY_LENGTH, KEY_PATTERN, active_run, find_thread
from .ui import ChatFields, ChatOptions, answer_chat

REQUEST_ID = 200  # characters


class SendFrame(ChatFields):
    """Ask something, or the same once more."""

    type: Literal["send"]
    body: ChatOptions = ChatOptions()


class ResumeFrame(BaseModel):
    """Send the chat's active run, from the chunk after `lastSequence` or from its beginning."""

    model_config = ConfigDict(extra="ignore")
    type: Literal["resume"]
    id: str = Field(min_length=1, max_length=KEY_LENGTH, pattern=KEY_PATTERN)
    lastSequence: int | None = Field(default=None, ge=0)


@dataclass(slots=True)
class _Answering:
    """A request of the client's, and how far it was answered."""

    run: UUID
    reader: FoldedReader
    sequence: int = 0  # of the next chunk
    after: int = -1  # the last chunk that the client has


class UiSocket(RunSocket):
    """Speaks in UI message chunks, each numbered within its request."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._requests: dict[str, _Answering] = {}

    @property
    def message_bytes(self) -> int:
        return int(setting("HISTORY_BYTES"))

    async def asked(self, text: str) -> None:
        request = ""
        try:
            frame = read_object(text, "message")
            request = str(frame.get("requestId", ""))[:REQUEST_ID]
            if not request:
                raise Problem(422, "requestId: name the request.")
            await self._answer(request, frame)
        except StopConsumer:
            raise
        except Exception as error:
            await self._fail(request, as_problem(error, "a message over WebSocket"))

    async def _answer(self, request: str, frame: dict[str, Any]) -> None:
        """Do as asked. Who may is looked up anew each time, as a session or a token may have ended since."""
        match frame.get("type"):
            case "send":
                await self._send(request, validated(frame, SendFrame))
            case "resume":
                await self._resume(request, validated(frame, ResumeFrame))
            case "abort":
                await self._abort(request)
            case _:
                raise Problem(422, "type: use one of send, resume, abort.")

    async def _send(self, request: str, frame: SendFrame) -> None:
        self._check_room(request)
        caller = await handshake(self.scope)
        async with own_thread():
            run = await answer_chat(caller, frame, frame.body)
        await self._begin(request, run)

    async def _resume(self, request: str, frame: ResumeFrame) -> None:
        self._check_room(request)
        caller = await handshake(self.scope)
        conversation = await find_thread(caller, frame.id)
        run = await active_run(caller, conversation) if conversation is not None else None
        if run is None:
            return await self.tell({"type": "no-active", "requestId": request})
        await self._begin(request, run, -1 if frame.lastSequence is None else frame.lastSequence)

    async def _begin(self, request: str, run: OperationRun, after: int = -1) -> None:
        await self.tell({"type": "start", "requestId": request})
        if run.on_disconnect == "cancel":
            await in_database(runs.note_reader, run.pk)
        self._requests[request] = _Answering(run.pk, AiSdk(run.pk).reader(0), after=after)
        self.following.add(run.pk, 0)

    async def _abort(self, request: str) -> None:
        if (answering := self._requests.pop(request, None)) is None:
            return  # it has ended, or was never asked
        run = await find_run(await handshake(self.scope), answering.run, write=True)
        async with own_thread():
            await runs.cancel(run)

    def _check_room(self, request: str) -> None:
        if request in self._requests:
            raise Problem(409, "requestId: this request is being answered already.")
        if len(self._requests) >= RUNS:
            raise Problem(429, f"One socket follows at most {RUNS} requests.", code="limit_exceeded")

    async def happened(self, run: UUID, events: list[ProgressEvent], over: bool) -> None:
        for request, answering in list(self._requests.items()):
            if answering.run == run:
                await self._go_on(request, answering, events, over)

    async def _go_on(self, request: str, answering: _Answering, events: list[ProgressEvent], over: bool) -> None:
        for event in events:
            if event.seq != answering.reader.seq + 1:
                continue  # another request has the same run read from its beginning
            for chunk in answering.reader.chunks(event):
                await self._say_chunk(request, answering, chunk)
            if event.terminal:
                self._requests.pop(request, None)
                return await self.tell({"type": "end", "requestId": request})
        if over and self._requests.pop(request, None) is not None:
            await self._fail(request, Problem(404, "The run is gone.", code="internal"))

    async def _say_chunk(self, request: str, answering: _Answering, chunk: dict[str, Any]) -> None:
        sequence, answering.sequence = answering.sequence, answering.sequence + 1
        if sequence > answering.after and request in self._requests:
            await self.tell({"type": "chunk", "requestId": request, "sequence": sequence, "chunk": chunk})

    async def _fail(self, request: str, problem: Problem) -> None:
        await self.tell({"type": "error", "requestId": request, "errorText": problem.detail})
