"""`manage.py ask "revenue per month"`: one question in the terminal."""

from __future__ import annotations

import asyncio
import json
from argparse import ArgumentParser
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import OperationalError, ProgrammingError
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Column, Table
from rich.text import Text

from charts.figures import cell_text
from charts.models import Chart
from charts.operations import ChartGeneration
from charts.plan import ChartType
from charts.receipt import read_column
from charts.render import render
from progress import OperationFailed, ProgressEvent, stream_operation

SHOWN_ROWS = 20
FORMATS = (".svg", ".png", ".json", ".csv")


class Command(BaseCommand):
    """Answer one question with a live progress bar, the rows, and a chart in a file."""

    help = "Answer one question: a live progress bar, then the answer, its rows, and where the chart was written."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("question")
        parser.add_argument("--source", help="slug of the source to ask; the first by default")
        parser.add_argument("--chart", choices=[chart.value for chart in ChartType], help="chart type to draw")
        parser.add_argument("--follows", metavar="CHART", help="id of a chart whose plan the question changes")
        parser.add_argument("--out", type=Path, help="file to write, .svg, .png, .json or .csv; var/charts/ID.svg else")

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.ending = ""  # rich writes line ends itself
        self.console = Console(file=cast("IO[str]", self.stdout), highlight=False)
        out: Path | None = options["out"]
        if out is not None and out.suffix not in FORMATS:
            raise CommandError(f"--out {out}: the file's name must end in {', '.join(FORMATS)}.")
        try:
            asyncio.run(self._ask(_operation(options), out))
        except OperationFailed as error:
            self._refuse(error)
        except (OperationalError, ProgrammingError) as error:
            raise CommandError(f"The database is not ready ({error}): run `python manage.py setup_site`.") from None
        except KeyboardInterrupt:
            self.console.print("Cancelled.")
            raise SystemExit(130) from None

    async def _ask(self, operation: ChartGeneration, out: Path | None) -> None:
        with _bar(self.console) as bar:
            task = bar.add_task("starting", total=100, message="")

            def show(event: ProgressEvent) -> None:
                if event.type == "progress":
                    bar.update(task, **_shown(event.data))

            found = await stream_operation(operation, show)
        chart = await Chart.objects.select_related("source").aget(pk=found["chartId"])
        self._show(chart)
        path = out or Path(settings.VAR_DIR) / "charts" / f"{chart.pk}.svg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(await _content(chart, path.suffix))
        self.console.print(Text(f"Chart ({chart.chart_type}) written to {path}"), soft_wrap=True)

    def _show(self, chart: Chart) -> None:
        columns = [read_column(column) for column in chart.columns]
        table = Table(title=_plain(chart.title), title_justify="left")
        for column in columns:
            table.add_column(_plain(column.label), justify="right" if column.part == "measure" else "left")
        for row in chart.rows[:SHOWN_ROWS]:
            table.add_row(*(_plain(cell_text(cell, column)) for cell, column in zip(row, columns, strict=True)))
        self.console.print()
        self.console.print(_plain(chart.answer))
        for warning in chart.warnings:
            if warning not in chart.answer:
                self.console.print(_plain(f"Note: {warning}"))
        self.console.print()
        self.console.print(table)
        if (more := len(chart.rows) - SHOWN_ROWS) > 0:
            self.console.print(f"and {more:,} more rows{', cut at the limit' if chart.truncated else ''}")

    def _refuse(self, error: OperationFailed) -> NoReturn:
        self.console.print(_plain(error.message))
        for name, heading in (("readings", "Did you mean:"), ("suggestions", "Ask for example:")):
            if questions := error.metadata.get(name):
                self.console.print(heading)
                for question in questions:
                    self.console.print(_plain(f"  {question}"))
        if sql := error.metadata.get("sql"):
            self.console.print(_plain(f"The query was:\n{sql}"))
        raise SystemExit(1)


def _operation(options: dict[str, Any]) -> ChartGeneration:
    try:
        given = {name: options[name] for name in ("question", "source", "chart", "follows")}
        return ChartGeneration(**given)
    except ValidationError as error:
        found = error.errors()[0]
        raise CommandError(f"{found['loc'][0]}: {found['msg']}.") from None


def _bar(console: Console) -> Progress:
    message = TextColumn("{task.fields[message]}", markup=False, table_column=Column(ratio=1, no_wrap=True))
    stage = TextColumn("{task.description:<20}", markup=False, table_column=Column(no_wrap=True))
    return Progress(stage, BarColumn(24), TaskProgressColumn(), message, console=console, expand=True)


def _shown(data: dict[str, Any]) -> dict[str, Any]:
    state = data["currentState"]
    message = "" if state in ("completed", "failed") else _plain(data["message"]).plain
    return {"completed": data["percentage"], "description": state.replace("_", " "), "message": message}


def _plain(text: str) -> Text:
    """Make text safe to print: what comes from data could hold control sequences of the terminal."""
    return Text("".join(sign if sign.isprintable() or sign == "\n" else "\ufffd" for sign in text))


async def _content(chart: Chart, suffix: str) -> bytes:
    if suffix == ".json":
        return json.dumps(chart.as_json(), cls=DjangoJSONEncoder, indent=2).encode()
    if suffix == ".csv":
        return chart.to_csv().encode()
    return await render(chart.spec, "png" if suffix == ".png" else "svg")
