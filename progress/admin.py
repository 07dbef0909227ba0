"""Runs and tokens in Django's admin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from asgiref.sync import async_to_sync
from django.contrib import admin, messages
from django.contrib.admin.views.main import SEARCH_VAR
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from pydantic import ValidationError

from . import runs
from .exceptions import UnknownOperation
from .models import ApiToken, OperationRun

TIMELINE = 500  # events shown of one run


class ChildrenFilter(admin.SimpleListFilter):
    """Keep the children of batches out of the list: a batch shows its own."""

    title = "parts of batches"
    parameter_name = "parts"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("shown", "Shown"), ("only", "Only these")]

    def choices(self, changelist: Any) -> Iterator[Any]:
        everything, *others = super().choices(changelist)
        yield {**everything, "display": "Left out"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[OperationRun]) -> QuerySet[OperationRun]:
        if request.GET.get(SEARCH_VAR):
            return queryset  # what is looked for by its id is to be found
        return queryset if self.value() == "shown" else queryset.filter(parent__isnull=self.value() != "only")


@admin.register(OperationRun)
class OperationRunAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Runs are made by starting operations: here they are watched, cancelled and tried again."""

    list_display = (
        "operation",
        "short_id",
        "status",
        "bar",
        "current_state",
        "user",
        "created_at",
        "took",
    )
    list_filter = ("status", "operation", "created_at", ChildrenFilter)
    search_fields = ("=id", "operation", "message", "params", "user__username")
    list_select_related = ("user",)
    date_hierarchy = "created_at"
    actions = ("cancel_runs", "retry_runs")
    fieldsets = (
        (None, {"fields": ("operation", "user", "retry_of", "parent", "params")}),
        ("Where it stands", {"fields": ("status", "percentage", "current_state", "message", "attempt", "worker")}),
        ("Times", {"fields": ("created_at", "started_at", "finished_at", "took", "cancel_requested_at")}),
        ("Outcome", {"fields": ("result", "error")}),
        ("Timeline", {"fields": ("timeline",)}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: OperationRun | None = None) -> list[str]:
        return [name for _, options in self.fieldsets for name in options["fields"]]  # type: ignore[misc]

    @admin.display(description="id", ordering="id")
    def short_id(self, run: OperationRun) -> str:
        return str(run.pk)[:8]

    @admin.display(description="took", ordering="finished_at")
    def took(self, run: OperationRun) -> str:
        if run.started_at is None or run.finished_at is None:
            return "-"
        return f"{(run.finished_at - run.started_at).total_seconds():.1f} s"

    @admin.display(description="progress", ordering="percentage")
    def bar(self, run: OperationRun) -> SafeString:
        if run.percentage is None:
            return format_html("<progress></progress>")
        return format_html('<progress max="100" value="{0}"></progress> {0} %', round(run.percentage))

    @admin.display(description="events")
    def timeline(self, run: OperationRun) -> SafeString:
        newest = list(run.events.order_by("-seq")[:TIMELINE])
        context = {"events": reversed(newest), "left_out": max(run.last_seq - TIMELINE, 0)}
        return mark_safe(render_to_string("admin/progress/timeline.html", context))  # noqa: S308 - an escaping template

    @admin.action(description="Cancel the selected runs", permissions=["change"])
    def cancel_runs(self, request: HttpRequest, queryset: QuerySet[OperationRun]) -> None:
        active = [run for run in queryset if run.is_active]
        for run in active:
            async_to_sync(runs.cancel)(run)
        self._report(request, len(active), "asked to end", queryset.count() - len(active), "had ended already")

    @admin.action(description="Try the selected runs again", permissions=["change"])
    def retry_runs(self, request: HttpRequest, queryset: QuerySet[OperationRun]) -> None:
        started = 0
        for run in queryset:
            try:
                runs.create_retry(run)
            except (runs.NotRetryable, UnknownOperation, ValidationError):
                continue
            started += 1
        self._report(request, started, "started again", queryset.count() - started, "cannot be tried again")

    def _report(self, request: HttpRequest, done: int, what: str, rest: int, why: str) -> None:
        if done:
            self.message_user(request, f"{done} {_runs(done)} {what}.")
        if rest:
            self.message_user(request, f"{rest} {_runs(rest)} {why}.", messages.WARNING)


def _runs(count: int) -> str:
    return "run" if count == 1 else "runs"


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Tokens for programs. A new one is shown once, in the message after saving."""

    list_display = ("name", "user", "created_at")
    search_fields = ("name", "user__username")
    fields = ("user", "name")

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        return False

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        # A token acts as its user: whoever may only make tokens must not become somebody else by one.
        if not request.user.is_superuser:
            kwargs["queryset"] = get_user_model()._default_manager.filter(pk=str(request.user.pk))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        token = ApiToken.new()
        obj.digest = ApiToken.digest_of(token)
        super().save_model(request, obj, form, change)
        self.message_user(request, f"The token, shown only now: {token}", messages.WARNING)
