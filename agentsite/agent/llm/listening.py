"""Hearing a model out: piece by piece, patient while it is busy, within the run's budget, its errors in our words."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import httpx2
from pydantic_ai import exceptions as ai
from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.settings import ModelSettings

from progress import OperationFailed, Progress
from progress.database import storable

from ..conf import setting
from .budget import Budget
from .errors import BROKEN, REFUSED, failed
from .models import name_of

BUSY = (ai.ModelRateLimitError, ai.ModelUnavailableError, ai.ModelServerError)
FAILURES = (ai.ModelAPIError, ai.UnexpectedModelBehavior, httpx2.HTTPError)
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds; a provider that wants more is not waited for


@dataclass(frozen=True, slots=True)
class Piece:
    """Something that a model said: a piece of its text, or of what it thinks on the way."""

    kind: Literal["text", "thought"]
    text: str


async def listen(
    progress: Progress,
    model: Model,
    messages: Sequence[ModelMessage],
    hear: Callable[[Piece], None],
    *,
    parameters: ModelRequestParameters | None = None,
    settings: ModelSettings | None = None,
) -> ModelResponse:
    """Let `model` reply to `messages`; `hear` gets each piece as it comes, and what it raises ends the reply.

    While the model is busy and has not said anything it is asked again, which is reported. Leaving this call in any way, by a
    cancel too, closes the connection to the provider. Raises OperationFailed.
    """
    call = _Call(progress, model, messages, hear, parameters, settings)
    async with call.budget.timed():
        attempt = 1
        while True:
            try:
                return await call.attempt()
            except FAILURES as error:
                wait = None if call.heard else _wait(error, attempt)
                if wait is None:
                    raise failed(error, name_of(model)) from error
                why = "The model is busy" if isinstance(error, BUSY) else "The model cannot be reached"
            attempt += 1
            await _wait_for(progress, wait, why, attempt)


class _Call:
    """One call of a model, in as many attempts as it takes."""

    def __init__(
        self,
        progress: Progress,
        model: Model,
        messages: Sequence[ModelMessage],
        hear: Callable[[Piece], None],
        parameters: ModelRequestParameters | None,
        settings: ModelSettings | None,
    ) -> None:
        self._model, self._messages, self._hear = model, messages, hear
        self._parameters, self._settings = parameters, settings
        self.budget = Budget.of(progress)
        self._size = len(ModelMessagesTypeAdapter.dump_json(list(messages)))
        self.heard = False  # something that cannot be taken back

    async def attempt(self) -> ModelResponse:
        self.budget.begin(self._size)
        stream: StreamedResponse | None = None
        complete = False
        try:
            async with model_request_stream(
                self._model, self._messages, model_settings=self._settings, model_request_parameters=self._parameters
            ) as stream:
                async for event in stream:
                    self._take(event)
            response = _speakable(stream.get())
            complete = _is_whole(response)
        except FAILURES:
            if not self.heard and stream is None:
                self.budget.forget()
            raise
        finally:
            self.budget.end(stream.usage if stream is not None else None, complete=complete)
        if response.finish_reason == "content_filter":
            raise OperationFailed(REFUSED, code="not_allowed")
        if not complete:
            raise OperationFailed(BROKEN.format(model=name_of(self._model)), code="unavailable")
        return response

    def _take(self, event: ModelResponseStreamEvent) -> None:
        if not isinstance(event, PartStartEvent | PartDeltaEvent):
            return
        said = event.part if isinstance(event, PartStartEvent) else event.delta
        match said:
            case TextPart(content=text) | TextPartDelta(content_delta=text) if text:
                self._pass_on(Piece("text", storable(text)))
            case ThinkingPart(content=text) | ThinkingPartDelta(content_delta=text) if text:
                self._pass_on(Piece("thought", storable(text)))
            case ToolCallPart(args=written) | ToolCallPartDelta(args_delta=written) if written:
                self.budget.hear(len(str(written)))

    def _pass_on(self, piece: Piece) -> None:
        self.heard = True
        self._hear(piece)
        self.budget.hear(len(piece.text.encode()))


def _speakable(response: ModelResponse) -> ModelResponse:
    """Replace halves of characters, which a server may send apart: what holds them can be sent nowhere, nor back to the model."""
    for part in response.parts:
        if isinstance(part, TextPart | ThinkingPart):
            part.content = storable(part.content)
    return response


def _is_whole(response: ModelResponse) -> bool:
    """Say whether a provider finished its reply; one that is cut off may end like any other, but for the reason why it ends."""
    return response.finish_reason is not None or not response.provider_url  # a model of our own has no address


def _wait(error: Exception, attempt: int) -> float | None:
    """Return how long to wait before the next attempt; None where another one is of no use."""
    if isinstance(error, ai.ModelHTTPError) and error.provider_retry_hint is False:
        return None
    if isinstance(error, ai.ModelConnectionError) and not isinstance(error, ai.ModelTimeoutError):
        # A connection that was kept open may have been closed meanwhile; a server that is not there stays away.
        return 0.0 if attempt == 1 else None
    if not isinstance(error, BUSY) or attempt >= setting("MODEL_ATTEMPTS"):
        return None
    wait = error.retry_after
    if wait is None:
        wait = FIRST_WAIT * 2 ** (attempt - 1) * random.uniform(0.8, 1.2)  # noqa: S311 - so that not all come back at once
    return wait if wait <= LONGEST_WAIT else None


async def _wait_for(progress: Progress, wait: float, why: str, attempt: int) -> None:
    attempts = int(setting("MODEL_ATTEMPTS"))
    when = f"in {wait:.0f} s" if wait >= 1 else "now"
    told = {"retry": {"attempt": attempt, "of": attempts, "waitMs": round(wait * 1000)}}
    progress(message=f"{why}: trying again {when}, attempt {attempt} of {attempts}", metadata=told)
    await asyncio.sleep(wait)
