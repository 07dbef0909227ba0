"""A run, its log, how long runs take, and the tokens that programs sign in with."""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.urls import NoReverseMatch, reverse

from .children import child_json
from .database import storable
from .owners import Owned


class Status(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE = (Status.QUEUED, Status.RUNNING)


class OperationRun(Owned):
    """One execution of an operation. The row says where it stands; its log says how it came there."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    operation = models.CharField(max_length=100, db_index=True)
    params = models.JSONField(default=dict)
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED, db_index=True)
    attempt = models.PositiveIntegerField(default=0)
    percentage = models.FloatField(null=True, blank=True, default=0.0)
    current_state = models.CharField(max_length=100, default="queued")
    message = models.TextField(blank=True)
    result = models.JSONField(null=True, blank=True)
    error = models.JSONField(null=True, blank=True)
    retry_of = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="+")
    # A batch and its children; they go together when the batch is pruned.
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="children")
    position = models.PositiveSmallIntegerField(null=True, blank=True, help_text="the child's place in its batch")
    weight = models.FloatField(default=1.0, help_text="the child's share of its batch, relative to the others")
    on_disconnect = models.CharField(
        max_length=10, default="continue", choices=[("continue", "continue"), ("cancel", "cancel")]
    )
    read_at = models.DateTimeField(null=True, editable=False)  # when a reader was last seen, if leaving is to cancel
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    last_seq = models.PositiveIntegerField(default=0)
    # Who may write to the log: whoever holds the token. A new token fences off every writer before it.
    lease_token = models.CharField(max_length=32, blank=True, editable=False, db_index=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True, editable=False)
    worker = models.CharField(max_length=200, blank=True, editable=False)
    # Digests: of owner and Idempotency-Key, of the request that came with it, of the address of an anonymous visitor.
    idempotency_key = models.CharField(max_length=64, null=True, unique=True, editable=False)  # noqa: DJ001 - unique
    request_digest = models.CharField(max_length=64, blank=True, editable=False)
    address = models.CharField(max_length=64, blank=True, editable=False)
    compacted_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["-created_at", "-id"]),
            models.Index(fields=["status", "finished_at"]),
            models.Index(fields=["status", "address"]),
            models.Index(fields=["user", "-created_at"]),
            models.Index(fields=["visitor", "-created_at"]),
            models.Index(fields=["status", "lease_expires_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.id}"

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    def links(self) -> dict[str, str]:
        links = {name: reverse(f"progress:run-{name}", args=[self.pk]) for name in ("events", "cancel", "retry")}
        return {"self": reverse("progress:run", args=[self.pk]), **links, "page": self.get_absolute_url()}

    def get_absolute_url(self) -> str:
        """The site's page of this run, if it has one by the name `run-page`; else the run in the API."""
        try:
            return reverse("run-page", args=[self.pk])
        except NoReverseMatch:
            return reverse("progress:run", args=[self.pk])

    def brief(self) -> dict[str, Any]:
        """Return the run as an entry of its parent's `metadata.children`."""
        return child_json(self.pk, self.operation, self.status, self.percentage, self.current_state)

    def with_children(self) -> Self:
        """Load what the snapshot of a batch shows of its children."""
        columns = ("operation", "status", "percentage", "current_state", "parent", "position")
        shown = OperationRun.objects.order_by("position").only(*columns)
        models.prefetch_related_objects([self], models.Prefetch("children", shown))
        return self

    def snapshot(self) -> dict[str, Any]:
        """Return the run as clients see it; with its children where they were loaded by `with_children`."""
        children = getattr(self, "_prefetched_objects_cache", {}).get("children", ())
        below = {"children": [{**child.brief(), "links": child.links()} for child in children]} if children else {}
        return {
            "id": str(self.pk),
            "operation": self.operation,
            "status": self.status,
            "percentage": self.percentage,
            "currentState": self.current_state,
            "message": self.message,
            "attempt": self.attempt,
            "created_at": self.created_at,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "cancel_requested": self.cancel_requested_at is not None,
            "last_seq": self.last_seq,
            "result": self.result,
            "error": self.error,
            "retry_of": str(self.retry_of_id) if self.retry_of_id else None,
            "parent": str(self.parent_id) if self.parent_id else None,
            **below,
            "links": self.links(),
        }


class OperationEvent(models.Model):
    """One event of a run's log. `payload` is its JSON exactly as readers get it, so it is text: no database may reorder it."""

    pk = models.CompositePrimaryKey("run_id", "seq")
    run = models.ForeignKey(OperationRun, models.CASCADE, related_name="events", db_index=False)
    seq = models.PositiveIntegerField()
    at = models.BigIntegerField(help_text="milliseconds since the epoch, UTC")
    type = models.CharField(max_length=8)
    payload = models.TextField()

    class Meta:
        ordering: ClassVar = ["run", "seq"]

    def __str__(self) -> str:
        return f"{self.seq} {self.type}"

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = storable(json.loads(self.payload)["data"])  # a page cannot hold lone surrogates either
        return data

    @property
    def time(self) -> datetime:
        return datetime.fromtimestamp(self.at / 1000, UTC)


class OperationTiming(models.Model):
    """How long one completed run took, kept when the run is pruned: what is usual for an operation is learnt from these."""

    operation = models.CharField(max_length=100)
    finished_at = models.DateTimeField()
    total_ms = models.PositiveIntegerField(help_text="from the start of the execution to its end")
    states = models.JSONField(help_text="when each state was first entered, in ms since the start: {name: ms}")

    class Meta:
        ordering: ClassVar = ["-finished_at"]
        indexes: ClassVar = [models.Index(fields=["operation", "-finished_at"])]

    def __str__(self) -> str:
        return f"{self.operation} {self.total_ms} ms"


class ApiToken(models.Model):
    """Lets a program act as its user. Only a digest is kept: the token itself is shown once, when it is made."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def issue(cls, user: Any, name: str) -> str:
        """Make a token for `user` and return it; it cannot be read again."""
        token = cls.new()
        cls.objects.create(user=user, name=name, digest=cls.digest_of(token))
        return token

    @staticmethod
    def new() -> str:
        return secrets.token_urlsafe(32)

    @staticmethod
    def digest_of(token: str) -> str:
        # A plain hash suffices: the token has 256 random bits, so there is no dictionary to try.
        return hashlib.sha256(token.encode()).hexdigest()
