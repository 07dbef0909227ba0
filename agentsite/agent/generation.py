"""Writing text with a language model."""

from __future__ import annotations

import logging
import math
import statistics
import time
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from progress import OperationFailed, Progress, StreamingOperation
from progress.database import in_database
from progress.models import OperationRun

from .conf import setting
from .llm import load_model
from .llm.choice import allowed_models

if TYPE_CHECKING:
    from .llm.listening import Piece

logger = logging.getLogger("agentsite.agent")
PROMPT_LIMIT, INSTRUCTIONS_LIMIT = 20_000, 10_000  # characters
REPORT_EVERY = 1.0  # seconds
USUAL_LENGTH = 1_500  # characters, until there are texts to go by
BYTES_PER_TOKEN = 4
FRESH = 60.0  # seconds that what was read of the texts serves other runs of this process
LOOKED_AT = 20  # of the newest texts
COUNTED = 0.9  # of the percentage; a text beyond its usual length comes ever closer to the rest


class LLMGeneration(StreamingOperation[dict[str, Any]]):
    """Let the language model write a text: it comes as it is written, with what was used at the end."""

    operation_name: ClassVar[str] = "llm_generation"

    prompt: str = Field(min_length=1, max_length=PROMPT_LIMIT, pattern=r"\S", description="what to write, in words")
    instructions: str | None = Field(
        default=None, max_length=INSTRUCTIONS_LIMIT, description="how to write: rules that stand above the prompt"
    )
    model: str | None = Field(
        default=None,
        max_length=200,
        description="one of the models that this site allows; its usual one by default",
        json_schema_extra=lambda schema: schema.update(enum=[*allowed_models(), None]),
    )
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000, description="where to stop at the latest")
    temperature: float | None = Field(default=None, ge=0, le=2, description="how freely to choose words")

    @field_validator("model")
    @classmethod
    def _is_allowed(cls, model: str | None) -> str | None:
        if model is not None and model not in (allowed := allowed_models()):
            raise PydanticCustomError("model", f"This site allows {', '.join(allowed)}.")
        return model

    async def execute(self, progress: Progress) -> dict[str, Any]:
        name = self.model or setting("MODEL")
        progress.state("connecting", f"Asking {name}")
        usual, model = await _usual_length(), await load_model(progress, name)
        if self.max_tokens is not None:
            usual = min(usual, self.max_tokens * BYTES_PER_TOKEN)
        writing = Writing(progress, usual)

        from pydantic_ai.messages import ModelRequest

        from .llm.budget import Budget
        from .llm.listening import listen

        request = ModelRequest.user_text_prompt(self.prompt, instructions=self.instructions)
        reply = await listen(progress, model, [request], writing.hear, settings=self._settings())
        if not writing.length:
            raise OperationFailed(f"{name} answered without a word. Try again.", code="unavailable")
        usage = Budget.of(progress).usage()
        return {"text": reply.text, "model": name, "finishReason": reply.finish_reason or "stop", "usage": usage}

    def _settings(self) -> Any:
        given = {"max_tokens": self.max_tokens, "temperature": self.temperature}
        return {key: value for key, value in given.items() if value is not None}


class Writing:
    """A text that comes, and how far it is, by the usual length."""

    def __init__(self, progress: Progress, usual: float) -> None:
        self._progress, self._usual = progress, usual
        self.length = 0
        self._thinks = False
        self._reported = time.monotonic()

    def hear(self, piece: Piece) -> None:
        """Report a piece, and now and then how far the text is."""
        if piece.kind == "thought":
            if not self._thinks:
                self._thinks = True
                self._progress.state("thinking", "Thinking")
            self._progress.reasoning(piece.text)
            return
        if not self.length:
            self._progress.state("writing", "Writing")
        self._progress.content(piece.text)
        self.length += len(piece.text)
        if (now := time.monotonic()) - self._reported >= REPORT_EVERY:
            self._reported = now
            self._progress(share_written(self.length, self._usual), 1.0)


def share_written(length: float, usual: float) -> float:
    """Estimate which share of a text is written, below 1 however long it gets."""
    share = length / max(usual, 1)
    return share if share < COUNTED else 1 - (1 - COUNTED) * math.exp(COUNTED - share)


_read: tuple[float, float] = (-math.inf, USUAL_LENGTH)  # when, and what


async def _usual_length() -> float:
    global _read
    at, known = _read
    if time.monotonic() - at > FRESH:
        try:
            known = await in_database(usual_length)
        except Exception as error:  # an estimate is not worth a run
            logger.warning("how long a text usually is could not be read: %s", error)
        _read = time.monotonic(), known
    return known


def usual_length() -> float:
    """Return how many characters a text of the newest ones has, by their median."""
    runs = OperationRun.objects.filter(operation=LLMGeneration.operation_name, status="completed")
    used = runs.order_by("-finished_at").values_list("result__usage__outputTokens", flat=True)[:LOOKED_AT]
    tokens = [each for each in used if isinstance(each, int) and each > 0]
    return statistics.median(tokens) * BYTES_PER_TOKEN if tokens else USUAL_LENGTH
