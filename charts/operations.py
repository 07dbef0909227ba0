"""From a question to a saved, checked chart, as one streaming operation."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field

from progress import Progress, State, StreamingOperation
from progress.database import in_database

from .models import Chart, Source, find_source
from .plan import ChartType, Understanding
from .receipt import check_json, column_json, fitting, understanding_json

if TYPE_CHECKING:
    from .attempts import Answer
    from .choice import Choice


class ChartGeneration(StreamingOperation[dict[str, Any]]):
    """Answer a question about a source with a chart whose data was checked, and save it with its receipt."""

    operation_name = "chart_generation"
    states = {
        "planning": 10,
        "understanding_schema": 20,
        "generating_query": 30,
        "executing_query": 50,
        "validating_results": State(70, to=("generating_query", "transforming_data")),
        "transforming_data": 90,
    }
    idempotent = True  # it only reads until, last of all, it saves the chart

    question: str = Field(min_length=1, max_length=4000, pattern=r"\S")
    source: str | None = Field(default=None, max_length=100, description="slug of the source; the first by default")
    chart: ChartType | None = Field(default=None, description="the chart type to use, whatever the question says")

    async def execute(self, progress: Progress) -> dict[str, Any]:
        left = threading.Event()
        try:
            return await self._generate(progress, lambda: left.is_set() or progress.cancelled)
        finally:
            left.set()  # ends a query that still runs in its thread

    async def _generate(self, progress: Progress, cancelled: Callable[[], bool]) -> dict[str, Any]:
        # The SQL and planning libraries are loaded by the first question, not at start-up.
        from .attempts import Guarded, Runner
        from .profiling import profile_source

        question = " ".join("".join(sign if sign.isprintable() else " " for sign in self.question).split())
        progress.state("planning", "Reading the question", metadata={"question": question[:1000]})
        source = await in_database(find_source, self.source, progress.owner)
        opened = source.open()
        progress.state("understanding_schema", f"Looking at {source.title}", metadata={"source": source.slug})
        profile = await progress.in_thread(profile_source, opened)
        understanding = await self._understand(progress, question, profile)
        runner = Runner(
            progress=progress,
            profile=profile,
            source=Guarded(source=opened, profile=profile, cancelled=cancelled),
        )
        answer = await runner.run(understanding.plan)
        progress.state("transforming_data", "Drawing the chart")
        drawing = await progress.in_thread(draw, answer)
        progress(message=f"Drawn as: {drawing.choice.type.value}", metadata={"chart": drawing.account})
        chart = compose(question, source, understanding, answer, drawing)
        return await in_database(_save, chart, progress)

    async def _understand(self, progress: Progress, question: str, profile: Any) -> Understanding:
        from .understanding import understand

        understanding: Understanding = await progress.in_thread(understand, question, profile, self.chart)
        findings = {"tables": [table.name for table in profile.tables], **understanding_json(understanding)}
        meanings = ", ".join(link.meaning for link in understanding.links[:4])
        progress(message=f"Understood: {meanings}" if meanings else "Understood", metadata=fitting(findings))
        return understanding


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How an answer is shown."""

    choice: Choice
    title: str
    answer: str
    spec: dict[str, Any]

    @property
    def account(self) -> dict[str, Any]:
        return {
            "type": self.choice.type.value,
            "reasons": list(self.choice.reasons),
            "alternatives": [chart.value for chart in self.choice.alternatives],
        }


def draw(answer: Answer) -> Drawing:
    """Choose the chart, build its specification, and put the answer in words."""
    from .choice import choose_chart
    from .spec import build_spec, chart_title
    from .words import answer_in_words

    choice = choose_chart(answer.plan, answer.shown)
    spec = build_spec(answer.plan, answer.shown, choice, partial=answer.partial, notes=answer.warnings)
    words = answer_in_words(answer.plan, answer.shown, answer.checks, choice)
    return Drawing(choice=choice, title=chart_title(answer.plan, answer.shown), answer=words, spec=spec)


def compose(question: str, source: Source, understanding: Understanding, answer: Answer, drawing: Drawing) -> Chart:
    """Return the chart, not yet saved."""
    receipt = {**understanding_json(understanding), "attempts": list(answer.attempts), "chart": drawing.account}
    return Chart(
        source=source,
        question=question,
        title=drawing.title[:300],
        answer=drawing.answer,
        chart_type=drawing.choice.type.value,
        plan=answer.plan.model_dump(mode="json"),
        sql=answer.query.sql,
        dialect=answer.query.dialect,
        spec=drawing.spec,
        receipt=receipt,
        checks=[check_json(line) for line in answer.checks],
        warnings=answer.warnings,
        columns=[column_json(column) for column in answer.ran.columns],
        rows=[list(row) for row in answer.ran.rows],
        truncated=answer.ran.truncated,
    )


def _save(chart: Chart, progress: Progress) -> dict[str, Any]:
    if progress.owner is not None:
        chart.user_id, chart.visitor = progress.owner.user, progress.owner.visitor
    chart.run = progress.run_id
    chart.save()
    return outcome(chart)


def outcome(chart: Chart) -> dict[str, Any]:
    """Return the metadata of `done`. A spec whose rows have no room in an event leaves them to `specUrl`."""
    links = chart.links()
    found = {
        "chartId": str(chart.pk),
        "chartUrl": links["page"],
        "specUrl": links["json"],
        "title": chart.title,
        "answer": chart.answer,
        "spec": chart.spec,
        "sql": chart.sql,
        "dialect": chart.dialect,
        "rowCount": len(chart.rows),
        "truncated": chart.truncated,
        "checks": chart.checks,
        "warnings": chart.warnings,
    }
    if fitting(found) != found:
        found["spec"] = {key: value for key, value in chart.spec.items() if key != "data"}
    return fitting(found)
