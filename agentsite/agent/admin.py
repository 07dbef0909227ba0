from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest

from .models import Conversation, Message


class _ReadOnly:
    """What was said is read here, not written."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MessageInline(_ReadOnly, admin.StackedInline):  # type: ignore[type-arg]
    model = Message
    extra = 0
    can_delete = False
    fields = readonly_fields = ("role", "status", "text", "error", "charts", "tool_calls", "run", "created_at")


@admin.register(Conversation)
class ConversationAdmin(_ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("title", "source", "user", "created_at", "updated_at")
    list_filter = ("source", "updated_at")
    search_fields = ("title", "key")
    list_select_related = ("user",)
    fields: ClassVar[tuple[str, ...]] = ("title", "key", "source", "user", "created_at", "updated_at")
    readonly_fields = fields
    inlines: ClassVar = [MessageInline]
