from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest

from .models import Chart, Source


@admin.register(Source)
class SourceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("title", "slug", "kind", "is_public", "user", "created_at")
    list_filter = ("kind", "is_public")
    search_fields = ("title", "slug")
    fields = ("title", "slug", "kind", "location", "is_public", "user")
    raw_id_fields = ("user",)


@admin.register(Chart)
class ChartAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Charts are read here, not written: they are records of what was asked and answered."""

    list_display = ("title", "question", "source", "user", "created_at")
    list_filter = ("source", "chart_type", "created_at")
    search_fields = ("title", "question")
    list_select_related = ("source", "user")
    fields: ClassVar[tuple[str, ...]] = (
        *("title", "question", "answer", "source", "chart_type", "created_at", "user", "run"),
        *("sql", "dialect", "plan", "receipt", "checks", "warnings", "columns", "rows", "truncated", "spec"),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
