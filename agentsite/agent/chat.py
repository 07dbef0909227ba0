"""The chat: a message in; an answer out, with the charts that prove it, made by a model and the tools that it calls."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import Field

from progress import OperationCancelled, OperationFailed, Progress, StreamingOperation
from progress.database import in_database
from progress.events import encode
from progress.nodes import Step
from progress.orchestrator import public_message, reason_of

from .conf import setting
from .conversations import Answer, Begun, begin_turn, end_turn
from .instructions import instructions_for
from .llm import load_model
from .models import Ending
from .tools import MAX_CALLS, Tool, Toolbox, ToolCall, ToolOutcome, available_tools, run_tool

if TYPE_CHECKING:
    from pydantic_ai.models import Model

    from .llm.dialogue import Dialogue
    from .llm.listening import Piece

MESSAGE_LIMIT = 4_000  # characters
CHART_TOOL = "make_chart"
STOPPED = "I stopped here: {turns} rounds of looking things up did not come to an end. Ask for a smaller step of it."
TOO_MANY_CALLS = f"Only {MAX_CALLS} calls of one reply are made. Make this one in the next reply if it is still needed."
# What a part takes of the work that is left, as nobody knows how many there will be: the percentage comes ever closer to its end.
REPLY_SHARE, TOOLS_SHARE = 0.5, 0.85
USUAL_ANSWER = 600  # characters
REPORT_EVERY = 1.0  # seconds, while a text is written
KEPT_RESULT, KEPT_VALUE = 1_500, 300  # characters of a tool's result that later turns are told


class Chat(StreamingOperation[dict[str, Any]]):
    """Answer a message: a question about the data becomes a checked chart, and the next message may go on from it."""

    operation_name = "chat"

    message: str = Field(min_length=1, max_length=MESSAGE_LIMIT, pattern=r"\S")
    source: str | None = Field(default=None, max_length=100, description="slug of the source; the first by default")
    conversation: UUID | None = Field(default=None, description="the conversation to go on with; a new one by default")

    async def execute(self, progress: Progress) -> dict[str, Any]:
        progress.state("thinking", "Reading the message")
        begun: Begun = await in_database(self._begin, progress)
        answering = Answering(progress, begun)
        try:
            result = await answering.answer(self.message)
        except BaseException as error:
            await in_database(end_turn, begun, answering.kept, *_ending(progress, error))
            raise
        await in_database(end_turn, begun, answering.kept, Ending.COMPLETED)
        return result

    def _begin(self, progress: Progress) -> Begun:
        return begin_turn(
            message=self.message,
            conversation=self.conversation,
            source=self.source,
            owner=progress.owner,
            run=progress.run_id,
            budget=int(setting("CHAT_HISTORY")),
        )


class Answering:
    """One answer coming into being. `kept` is what there is of it, also when it is cut short."""

    def __init__(self, progress: Progress, begun: Begun) -> None:
        self.progress, self.begun = progress, begun
        self.kept = Answer()
        self._left = 1.0  # of the work

    async def answer(self, message: str) -> dict[str, Any]:
        """Let the model speak and call tools until it has nothing more to call."""
        model = await load_model(self.progress)
        async with available_tools(self.progress.owner) as tools:
            dialogue = self._dialogue(model, message, tools)
            turns = int(setting("CHAT_TURNS"))
            for _ in range(turns):
                await self._listen(dialogue)
                if not dialogue.calls:
                    break
                dialogue.tell(await self._call_all(tools, dialogue.calls))
            else:
                self._say(STOPPED.format(turns=turns))
        return {
            "message": self.kept.text,
            "charts": self.kept.charts,
            **self.kept.advice,
            "conversation": str(self.begun.conversation),
            "usage": self._usage(),
        }

    def _dialogue(self, model: Model, message: str, tools: Toolbox) -> Dialogue:
        from .llm.dialogue import Dialogue

        return Dialogue(
            model,
            message,
            instructions=instructions_for(self.begun.source),
            earlier=self.begun.earlier,
            tools=tools.values(),
            about={"source": self.begun.source},
        )

    def _usage(self) -> dict[str, Any]:
        from .llm.budget import Budget

        return Budget.of(self.progress).usage()

    async def _listen(self, dialogue: Dialogue) -> None:
        """Pass on one reply of the model as it comes."""
        self.progress.state("thinking", "Thinking")
        with Reply(self.progress, self._left * REPLY_SHARE) as reply:

            def hear(piece: Piece) -> None:
                if piece.kind == "thought":
                    self.progress.reasoning(piece.text)
                    return
                if not reply.said:
                    self.progress.state("answering", "Answering")
                    self._say("\n\n" if self.kept.text else "")
                self._say(piece.text)
                reply.hear(piece.text)

            await dialogue.reply(self.progress, hear)
        self._left -= reply.share

    def _say(self, text: str) -> None:
        self.kept.text += text
        self.progress.content(text)

    async def _call_all(self, tools: Toolbox, calls: list[ToolCall]) -> list[ToolOutcome]:
        """Make the calls of one reply; of a great many the first, and the model is told so."""
        share = self._left * TOOLS_SHARE / len(calls)
        outcomes = []
        for number, call in enumerate(calls):
            refusal = OperationFailed(TOO_MANY_CALLS, code="limit_exceeded") if number >= MAX_CALLS else None
            call = self._with_source(tools.get(call.name), call)
            outcome = await run_tool(self.progress, tools, call, weight=share, refusal=refusal)
            self._left -= share
            self._note(outcome)
            outcomes.append(outcome)
        return outcomes

    def _note(self, outcome: ToolOutcome) -> None:
        self.kept.tool_calls.append(in_short(outcome))
        if outcome.call.name == CHART_TOOL:
            self._note_chart(outcome)

    def _with_source(self, tool: Tool | None, call: ToolCall) -> ToolCall:
        """A call that names no source is about that of the conversation."""
        takes_one = tool is not None and "source" in tool.parameters.get("properties", {})
        if not takes_one or not self.begun.source or call.arguments.get("follows"):
            return call  # a chart that is followed has a source of its own
        return ToolCall(name=call.name, arguments={"source": self.begun.source, **call.arguments}, id=call.id)

    def _note_chart(self, outcome: ToolOutcome) -> None:
        """Keep the chart that was made or, until there is one, what could be asked instead."""
        if outcome.error is None:
            self.kept.charts.append(_reference(outcome.result))
            self.kept.advice = {}
        elif outcome.failure is not None and not self.kept.charts:
            found = outcome.failure.metadata
            self.kept.advice = {name: found[name] for name in ("readings", "suggestions") if found.get(name)}


class Reply(Step):
    """The part of the work that one reply of the model is; its states say what it does."""

    def __init__(self, progress: Progress, weight: float) -> None:
        super().__init__(progress, "Thinking", weight)
        self.said = 0  # characters
        self._reported = time.monotonic()

    def __enter__(self) -> Reply:
        return self

    def __exit__(self, *_: object) -> None:
        self._whole._end(self)

    def hear(self, text: str) -> None:
        """Count the text towards the length of a usual answer, and report that now and then."""
        self.said += len(text)
        self._set(self.said / (self.said + USUAL_ANSWER), 1.0)
        if (now := time.monotonic()) - self._reported >= REPORT_EVERY:
            self._reported = now
            self()

    @property
    def share(self) -> float:
        """What it took of the whole."""
        return self._weight * self._done


def in_short(outcome: ToolOutcome) -> dict[str, Any]:
    """Return a call and its result as later turns are told of it."""
    call, text = outcome.call, outcome.text
    arguments = dict(call.arguments)
    if len(text) > KEPT_RESULT and isinstance(outcome.result, Mapping):
        text = encode({key: value for key, value in outcome.result.items() if len(encode(value)) <= KEPT_VALUE})
    return {
        "id": call.id,
        "name": call.name[:100],
        "arguments": arguments if len(encode(arguments)) <= KEPT_RESULT else {},
        "status": outcome.status,
        "result": text if len(text) <= KEPT_RESULT else f"{text[:KEPT_RESULT]}… (shortened)",
    }


def _ending(progress: Progress, error: BaseException) -> tuple[Ending, dict[str, Any]]:
    """Return how an answer ended that did not come to its end, and why."""
    reason = reason_of(progress, error)
    if isinstance(reason, OperationCancelled):
        return Ending.CANCELLED, {"code": "cancelled", "message": reason.message}
    code = reason.code if isinstance(reason, OperationFailed) else "internal"
    return Ending.FAILED, {"code": code, "message": public_message(reason)}


def _reference(chart: Mapping[str, Any]) -> dict[str, str]:
    """Say where a chart and its pictures are."""
    return {name: str(chart[name]) for name in ("id", "title", "url", "spec_url", "png_url")}
