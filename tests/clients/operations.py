"""Small operations in which everything happens that a foreign format has words for."""

import asyncio
import os.path

from progress import OperationFailed, StreamingOperation


class Aside(StreamingOperation[str]):
    """Write a text of its own."""

    operation_name = "test_aside"

    async def execute(self, progress):
        progress.content("An aside, ")
        progress(1, 2, "Half of the aside")
        progress.content("not the answer.")
        return "said"


class Story(StreamingOperation[dict]):
    """Think, write, call tools of which one fails, run another operation, and write on."""

    operation_name = "test_story"
    states = {"thinking": 0, "working": 20, "answering": 80}
    rest: float = 0.0

    async def execute(self, progress):
        progress.state("thinking", "Thinking it over")
        for piece in ("Where to ", "begin? "):
            progress.reasoning(piece)
            await asyncio.sleep(self.rest)
        progress.content("Let me look. ")
        progress.state("working", "At work")
        await self._call(progress, "good", "test_weigh", {"of": "gold"}, {"grams": 3})
        await self._call(progress, "plain", "test_name", {}, "Aurum")
        await self._call(progress, "large", "test_list", {}, None, resultTooLarge=True, summary="12,000 rows")
        await self._call(
            progress, "bad", "test_break", {"what": ["a", None]}, error={"code": "no_data", "message": "Empty."}
        )
        with progress.step("Aside", 0.2, metadata={"toolCallId": "good"}) as step:
            await step.run(Aside(), weight=1.0)
        await progress.run(Aside(), weight=0.2)
        progress.state("answering", "Answering", metadata={"note": None})
        progress.reasoning("So be it.")
        for piece in ("Gold ", "it is \u2028 \U0001f600.\r\n"):
            progress.content(piece)
            await asyncio.sleep(self.rest)
        return {"weight": 3, "usage": {"input_tokens": 12, "output_tokens": 5}}

    async def _call(self, progress, id, tool, arguments, result=None, *, error=None, **more):
        about = {"toolCallId": id, "toolName": tool}
        # As the agent reports the calls of its tools; states that are not declared go in by the back door here.
        progress._enter(f"executing_{tool}", "Calling", {**about, "arguments": arguments})
        with progress.step("Calling", 0.1, metadata={"toolCallId": id}) as step:
            step(1, 2, "Half done")
            await asyncio.sleep(self.rest)
        ended = {"error": error} if error else {**({} if more else {"result": result}), **more}
        progress._enter(f"{'failed' if error else 'completed'}_{tool}", "Called", {**about, **ended})


class Calling(StreamingOperation[None]):
    """Call a tool that does not return."""

    operation_name = "test_calling"

    async def execute(self, progress):
        progress.content("One moment")
        progress.reasoning("Will it answer?")
        progress._enter(
            "executing_wait", "Waiting", {"toolCallId": "w1", "toolName": "wait", "arguments": {"for": "ever"}}
        )
        progress.content(", please")
        await asyncio.sleep(60)


class Stalling(Calling):
    """The same, and too long."""

    operation_name = "test_stalling"
    idle_timeout = 0.6


class Words(StreamingOperation[str]):
    """Write `words` words, and wait after half of them until the file `gate` is there."""

    operation_name = "test_words"
    words: int = 10
    gate: str = ""

    async def execute(self, progress):
        for number in range(self.words):
            progress(number, self.words, f"Word {number}")
            progress.content(f"word{number} ")
            while self.gate and number == self.words // 2 and not os.path.exists(self.gate):  # noqa: ASYNC240
                await asyncio.sleep(0.02)
        return "written"


class Refuse(StreamingOperation[None]):
    """Fail in the middle of a text."""

    operation_name = "test_refuse"

    async def execute(self, progress):
        progress.content("It was going so ")
        raise OperationFailed("The table is empty.", code="no_data", metadata={"table": "sales"})


class Drawn(StreamingOperation[dict]):
    """Make what `parts` below finds."""

    operation_name = "test_drawn"

    async def execute(self, progress):
        progress.content("Here.")
        return {"picture": {"id": "7", "url": "/pictures/7"}}


def parts(found):
    """Find the picture in a result."""
    from progress.dialects.moments import Part

    if (picture := found.get("picture")) is not None:
        yield Part("picture", picture["id"], picture)
