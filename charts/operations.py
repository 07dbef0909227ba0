"""From a question to a saved, checked chart, as one streaming operation."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from pydantic import Field, ValidationError

from progress import OperationFailed, Progress, State, StreamingOperation
from progress.database import in_database
from progress.owners import Owner

from .models import Chart, Source, chart_before, find_followed, find_source
from .plan import ChartType, Plan, Understanding
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
    follows: UUID | None = Field(
        default=None, description="a chart of the caller's; the question changes its plan, unless it stands on its own"
    )

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
        followed = await in_database(self._followed, progress.owner) if self.follows else None
        slug = followed.source if followed else self.source
        source = await in_database(find_source, slug, progress.owner)
        opened = source.open()
        progress.state("understanding_schema", f"Looking at {source.title}", metadata={"source": source.slug})
        profile = await progress.in_thread(profile_source, opened)
        understanding = await self._understand(progress, question, profile, followed)
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
        chart.follows_id = self.follows if understanding.follows else None
        return await in_database(_save, chart, progress)

    def _followed(self, owner: Owner | None) -> FollowedChart:
        """Return the chart that the question follows, of the asker's own. Raises OperationFailed where there is none such."""
        chart = find_followed(cast(UUID, self.follows), owner)
        slug = cast(Source, chart.source).slug
        if self.source and self.source != slug:
            raise OperationFailed(
                f"The chart to follow up on is of the source {slug!r}, not of {self.source!r}.", code="invalid_request"
            )
        before = chart_before(chart)
        return FollowedChart(
            source=slug, question=chart.question, plan=_plan_of(chart), before=_plan_of(before) if before else None
        )

    async def _understand(
        self, progress: Progress, question: str, profile: Any, followed: FollowedChart | None
    ) -> Understanding:
        from .understanding import Followed, understand

        plans = Followed(plan=followed.plan, before=followed.before) if followed else None
        try:
            understanding: Understanding = await progress.in_thread(understand, question, profile, self.chart, plans)
        except OperationFailed as error:
            # What is offered instead is to be asked about the same chart.
            error.metadata |= {"follows": str(self.follows)} if followed else {}
            raise
        findings = {"tables": [table.name for table in profile.tables], **understanding_json(understanding)}
        if followed and understanding.follows:
            changed = "; ".join(understanding.changed[:4])
            message = f"Follows “{followed.question[:100]}”: {changed}"
            progress(message=message, metadata=fitting({**findings, "follows": str(self.follows)}))
            return understanding
        meanings = ", ".join(link.meaning for link in understanding.links[:4])
        progress(message=f"Understood: {meanings}" if meanings else "Understood", metadata=fitting(findings))
        return understanding


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedChart:
    """The chart before a follow-up, and the plan of the one before that."""

    source: str
    question: str
    plan: Plan
    before: Plan | None


def _plan_of(chart: Chart) -> Plan:
    try:
        return Plan.model_validate(chart.plan)
    except ValidationError:
        raise OperationFailed(
            "The plan of that chart is not one that can be changed; ask the whole question.", code="invalid_request"
        ) from None


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
        warnings=[*answer.warnings, *_unfulfilled(answer.plan, drawing)],
        columns=[column_json(column) for column in answer.ran.columns],
        rows=[list(row) for row in answer.ran.rows],
        truncated=answer.ran.truncated,
    )


def _unfulfilled(plan: Plan, drawing: Drawing) -> list[str]:
    """Say why a chart type that was wished for could not be had."""
    return [refusal.message for refusal in drawing.choice.refused[:1]] if plan.chart is not None else []


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
