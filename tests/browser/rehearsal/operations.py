"""An operation with named stages, a nested one, text and warnings, as slow as a test wants it."""

import asyncio

from pydantic import Field

from progress import OperationFailed, Progress, StreamingOperation

TEXT = "Once upon a <b>time</b> there was a run. "


class Scene(StreamingOperation[str]):
    operation_name = "scene"
    states = {"lighting": 0, "playing": 50}
    seconds: float

    async def execute(self, progress: Progress) -> str:
        for name in self.states:
            progress.state(name)
            await asyncio.sleep(self.seconds / 2)
        return "played"


class Rehearsal(StreamingOperation[dict[str, object]]):
    """Go through three stages in `seconds`; a scene is played in the second; `fail` ends it there."""

    operation_name = "rehearsal"
    states = {"reading": 0, "acting": 30, "bowing": 90}
    seconds: float = Field(default=1.0, ge=0, le=60)
    fail: str = ""
    text: str = TEXT

    async def execute(self, progress: Progress) -> dict[str, object]:
        progress.state("reading", "Reading the play")
        for word in self.text.split(" "):
            progress.content(word + " ")
        await asyncio.sleep(self.seconds / 3)
        progress.state("acting", "Acting")
        if self.fail:
            raise OperationFailed(self.fail, code="unavailable")
        await progress.run(Scene(seconds=self.seconds / 3), weight=1.0)
        progress.state("bowing", "Taking a bow")
        await asyncio.sleep(self.seconds / 3)
        return {"warnings": ["The curtain was late."]}
