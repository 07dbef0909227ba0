"""Sources that can be asked, and the charts that were made of them."""

from __future__ import annotations

import csv
import io
import uuid
from pathlib import Path
from typing import Any, ClassVar, Self
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.urls import NoReverseMatch, reverse
from django.utils.text import slugify

from progress.exceptions import OperationFailed
from progress.owners import Owned, OwnedQuerySet, Owner

from .sources import QueryFailed
from .sources.sqlite import SQLiteSource

SAMPLE_SLUG = "sample"
MAX_UNDONE = 20  # steps back through charts that undid others
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # with these a spreadsheet takes a cell for a formula


class SourceQuerySet(OwnedQuerySet):
    def visible_to(self, owner: Owner | None) -> Self:
        """The sources of `owner` and the public ones; all for None, the command line."""
        if owner is None:
            return self.all()
        return self.filter(is_public=True) | self.for_owner(owner)


class Source(Owned):
    """A database that questions are asked of. Its file lies below VAR_DIR and is never written."""

    class Kind(models.TextChoices):
        SQLITE = "sqlite", "SQLite"

    slug = models.SlugField(unique=True)
    title = models.CharField(max_length=200)
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.SQLITE)
    location = models.CharField(max_length=500, help_text="the file, relative to the site's folder for data (VAR_DIR)")
    is_public = models.BooleanField(default=False, help_text="everybody may ask it")
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[Any] = SourceQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-is_public", "title", "slug"]

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        self.path  # noqa: B018 - raises

    @property
    def path(self) -> Path:
        """The file. Raises ValidationError for one outside of VAR_DIR, and for the site's own database."""
        folder = Path(settings.VAR_DIR).resolve()
        path = (folder / self.location).resolve()
        own = {Path(str(database["NAME"])).resolve() for database in settings.DATABASES.values()}
        if not path.is_relative_to(folder) or path in own:
            raise ValidationError({"location": f"{self.location} is not a file of data below {settings.VAR_DIR}."})
        return path

    def open(self) -> SQLiteSource:
        """Return the source ready to be read. Raises QueryFailed where its location is not allowed."""
        try:
            return SQLiteSource(self.path, slug=self.slug)
        except ValidationError as error:
            message = f"The source {self.slug!r} cannot be opened: its file is not where data may lie."
            raise QueryFailed(message, code="unavailable") from error

    def as_json(self) -> dict[str, Any]:
        links = {"schema": reverse("charts:source-schema", args=[self.slug])}
        return {"slug": self.slug, "title": self.title, "kind": self.kind, "is_public": self.is_public, "links": links}


def ensure_sample_source() -> Source:
    """Return the sample shop, made where it is missing; this takes a few seconds the first time."""
    from .sample import create_sample

    defaults = {"title": "Sample shop", "location": f"{SAMPLE_SLUG}.sqlite3", "is_public": True}
    source: Source = Source.objects.get_or_create(slug=SAMPLE_SLUG, defaults=defaults)[0]
    if not source.path.exists():
        create_sample(source.path)
    return source


def find_source(slug: str | None, owner: Owner | None) -> Source:
    """Return a source that `owner` may ask, by default the sample or the first there is.

    Raises OperationFailed for a slug that names none of them.
    """
    if not slug or slug == SAMPLE_SLUG:
        ensure_sample_source()
    visible = Source.objects.visible_to(owner)
    source: Source | None = visible.filter(slug=slug).first() if slug else visible.first()
    if source is None:
        known = ", ".join(visible.values_list("slug", flat=True))
        raise OperationFailed(f"There is no source {slug!r}; there is {known or 'none'}.", code="invalid_request")
    return source


class Chart(Owned):
    """A question's answer, with everything that backs it: plan, SQL, rows, checks, receipt, specification."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.UUIDField(
        null=True, blank=True, db_index=True, help_text="the run that made it; runs are pruned, charts stay"
    )
    source = models.ForeignKey(Source, models.SET_NULL, null=True, blank=True, related_name="charts")
    follows = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="followers",
        help_text="the chart whose plan the question changed",
    )
    question = models.TextField()
    title = models.CharField(max_length=300)
    answer = models.TextField(blank=True)
    chart_type = models.CharField(max_length=30, blank=True)
    plan = models.JSONField(default=dict)
    sql = models.TextField()
    dialect = models.CharField(max_length=20)
    spec = models.JSONField(default=dict)
    receipt = models.JSONField(default=dict)
    checks = models.JSONField(default=list)
    warnings = models.JSONField(default=list)
    columns = models.JSONField(default=list)
    rows = models.JSONField(default=list)
    truncated = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["user", "-created_at"]),
            models.Index(fields=["visitor", "-created_at"]),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """The site's page of this chart, if it has one by the name `chart-page`; else the chart in the API."""
        try:
            return reverse("chart-page", args=[self.pk])
        except NoReverseMatch:
            return reverse("charts:chart", args=[self.pk])

    def links(self) -> dict[str, str]:
        files = {kind: reverse(f"charts:chart-{kind}", args=[self.pk]) for kind in ("json", "png", "svg", "csv")}
        return {"self": reverse("charts:chart", args=[self.pk]), **files, "page": self.get_absolute_url()}

    def summary(self) -> dict[str, Any]:
        """Return what a list shows of the chart."""
        return {
            "id": str(self.pk),
            "title": self.title,
            "question": self.question,
            "source": self.source.slug if self.source else None,
            "chart_type": self.chart_type,
            "follows": str(self.follows_id) if self.follows_id else None,
            "created_at": self.created_at,
            "links": self.links(),
        }

    def as_json(self) -> dict[str, Any]:
        """Return the chart as clients see it."""
        return {
            **self.summary(),
            "answer": self.answer,
            "spec": self.spec,
            "sql": self.sql,
            "dialect": self.dialect,
            "plan": self.plan,
            "receipt": self.receipt,
            "checks": self.checks,
            "warnings": self.warnings,
            "columns": self.columns,
            "rows": self.rows,
            "truncated": self.truncated,
            "run": str(self.run) if self.run else None,
        }

    def to_csv(self) -> str:
        """Return the rows as CSV (RFC 4180); text that a spreadsheet would take for a formula gets an apostrophe."""
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow([_cell(column["label"]) for column in self.columns])
        writer.writerows([_cell(cell) for cell in row] for row in self.rows)
        return buffer.getvalue()

    @property
    def file_name(self) -> str:
        """A name for downloads, without suffix: letters, digits and dashes only."""
        return slugify(self.title)[:60] or "chart"


def find_followed(pk: UUID, owner: Owner | None) -> Chart:
    """Return a chart that `owner` may follow up on; nobody's are those of the command line.

    Raises OperationFailed for the chart of another as for one that is not there.
    """
    charts = Chart.objects.select_related("source")
    charts = charts.filter(user=None, visitor="") if owner is None else charts.for_owner(owner)
    chart: Chart | None = charts.filter(pk=pk).first()
    if chart is None:
        raise OperationFailed(f"There is no chart {pk} to follow up on.", code="invalid_request")
    if chart.source is None:
        raise OperationFailed("The source of that chart was deleted; it cannot be asked again.", code="invalid_request")
    return chart


def chart_before(chart: Chart | None, steps: int = MAX_UNDONE) -> Chart | None:
    """Return the chart that an undo of `chart` goes back to.

    That is the one it follows; of a chart that is an undo itself, the one before what that went back to.
    """
    if chart is None or not steps:
        return None
    if not chart.receipt.get("undone"):
        return chart.follows
    return chart_before(chart_before(chart.follows, steps - 1), steps - 1)


def _cell(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell
