"""Conversations and what was said in them. They stay when the runs that said it are pruned."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar, Self

from django.db import models
from django.urls import reverse

from progress.owners import Owned, OwnedQuerySet, Owner

TITLE = 120  # characters


class ConversationQuerySet(OwnedQuerySet):
    def visible_to(self, owner: Owner | None) -> Self:
        """The conversations of `owner`; all for None, the command line."""
        return self.all() if owner is None else self.for_owner(owner)


class Conversation(Owned):
    """Messages and answers that belong together: what was said before gives the next message its meaning."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.CharField(max_length=200, blank=True, help_text="the name that a client gave it; one per owner")
    title = models.CharField(max_length=TITLE, blank=True)
    source = models.CharField(max_length=100, blank=True, help_text="slug of the source that is asked")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now_add=True, help_text="when the last message came")

    objects: ClassVar[Any] = ConversationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-updated_at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["user", "-updated_at"]),
            models.Index(fields=["visitor", "-updated_at"]),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "key"], condition=~models.Q(key=""), name="one_key_per_user"),
            models.UniqueConstraint(
                fields=["visitor", "key"],
                condition=models.Q(user=None) & ~models.Q(key=""),
                name="one_key_per_visitor",
            ),
        ]

    def __str__(self) -> str:
        return self.title or str(self.pk)

    def as_json(self) -> dict[str, Any]:
        """Return what a list shows of it."""
        links = {"self": reverse("conversation", args=[self.pk]), "page": self.get_absolute_url()}
        return {
            "id": str(self.pk),
            "title": self.title,
            "source": self.source or None,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "links": links,
        }

    def get_absolute_url(self) -> str:
        return f"{reverse('home')}?conversation={self.pk}"


class Role(models.TextChoices):
    USER = "user", "asked"
    ASSISTANT = "assistant", "answered"


class Ending(models.TextChoices):
    """How a turn ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Message(models.Model):
    """One message, or the answer to it, with the charts and tool calls that it came with."""

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="messages")
    position = models.PositiveIntegerField()
    role = models.CharField(max_length=10, choices=Role)
    text = models.TextField(blank=True)
    status = models.CharField(max_length=10, choices=Ending, default=Ending.COMPLETED)
    error = models.JSONField(null=True, blank=True, help_text="code and message of an answer that failed")
    advice = models.JSONField(default=dict, blank=True, help_text="readings and suggestions: what to ask instead")
    charts = models.JSONField(default=list, blank=True, help_text="the charts that it made, by reference")
    tool_calls = models.JSONField(default=list, blank=True, help_text="what the model called, results in short")
    run = models.UUIDField(null=True, blank=True, help_text="the run that said it; runs are pruned, messages stay")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["conversation", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["conversation", "position"], name="one_message_per_position"),
            # A run that is executed again says the same once more.
            models.UniqueConstraint(fields=["conversation", "run", "role"], name="one_message_per_run_and_role"),
        ]

    def __str__(self) -> str:
        return f"{self.position} {self.role}: {self.text[:60]}"

    def as_json(self) -> dict[str, Any]:
        """Return the message as clients see it."""
        return {
            "position": self.position,
            "role": self.role,
            "text": self.text,
            "status": self.status,
            "error": self.error,
            "readings": self.advice.get("readings", []),
            "suggestions": self.advice.get("suggestions", []),
            "charts": self.charts,
            "tool_calls": self.tool_calls,
            "run": str(self.run) if self.run else None,
            "created_at": self.created_at,
        }
