"""The chat: a message in, an answer out, with the charts that prove it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import Field

from charts.operations import ChartGeneration
from progress import OperationFailed, Progress, StreamingOperation

from . import generation, tool_execution  # noqa: F401 - they register themselves

MESSAGE_LIMIT = 4_000  # characters


class Chat(StreamingOperation[dict[str, Any]]):
    """Answer a message: a question about the data becomes a checked chart, anything else an honest word on what is possible."""

    operation_name = "chat"
    states = {"reading": 0, "charting": 2, "answering": 98}

    message: str = Field(min_length=1, max_length=MESSAGE_LIMIT, pattern=r"\S")
    source: str | None = Field(default=None, max_length=100, description="slug of the source; the first by default")
    conversation: UUID | None = Field(default=None, description="the conversation to go on with; a new one by default")

    async def execute(self, progress: Progress) -> dict[str, Any]:
        progress.state("reading", "Reading the message")
        progress.state("charting", "Looking for an answer in the data")
        try:
            chart = await progress.run(ChartGeneration(question=self.message, source=self.source), weight=1.0)
        except OperationFailed as error:
            # A question that was partly understood is a failure worth its advice; small talk is not a failure.
            if not error.metadata.get("smallTalk"):
                raise
            return self._answer(progress, error.message, suggestions=error.metadata.get("suggestions", []))
        return self._answer(progress, chart["answer"], charts=[_reference(chart)])

    def _answer(self, progress: Progress, text: str, **found: Any) -> dict[str, Any]:
        progress.state("answering", "Answering")
        progress.content(text)
        return {"message": text, "charts": [], **found}


def _reference(chart: dict[str, Any]) -> dict[str, str]:
    """Say where a chart and its pictures are."""
    address = f"/api/charts/{chart['chartId']}"
    return {
        "id": chart["chartId"],
        "title": chart["title"],
        "url": chart["chartUrl"],
        "spec_url": f"{address}.json",
        "png_url": f"{address}.png",
    }
