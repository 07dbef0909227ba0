"""Figures for whoever operates the site, in the text format of Prometheus.

Counters and times are those of the process that answers, since its start; what is read from the database is the same from every
process, and says so by its name: `progress_runs`, `progress_queue_…`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from django.core.exceptions import PermissionDenied
from django.db.models import Count, DateTimeField, F, Min
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone

from .database import in_database
from .middleware import bearer_token, sign_in
from .models import OperationRun, Status
from .problems import Problem, endpoint

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_metrics: list[Metric] = []


class Metric:
    """One figure of this process, by the values of its label where it has one; safe to use from any thread."""

    def __init__(self, name: str, kind: str, meaning: str, label: str = "") -> None:
        self.name, self.kind, self.meaning, self._label = name, kind, meaning, label
        self._lock = threading.Lock()
        self._values: dict[str, float] = {} if label else {"": 0}
        _metrics.append(self)

    def add(self, amount: float = 1, of: str = "") -> None:
        """Count `amount` more, for the label's value `of`."""
        with self._lock:
            self._values[of] = self._values.get(of, 0) + amount

    def samples(self) -> Iterator[str]:
        """Yield the lines that hold the values."""
        with self._lock:
            values = dict(self._values)
        for of, value in values.items():
            yield sample(self.name, value, {self._label: of} if self._label else {})


class Times(Metric):
    """How often something happened and how many seconds it took in all."""

    def __init__(self, name: str, meaning: str) -> None:
        super().__init__(name, "summary", meaning)
        self._count = 0

    def took(self, seconds: float) -> None:
        """Count one that took `seconds`."""
        with self._lock:
            self._values[""] += seconds
            self._count += 1

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Count one that takes as long as the `with`."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.took(time.monotonic() - begun)

    def samples(self) -> Iterator[str]:
        """Yield the sum and the count."""
        with self._lock:
            total, count = self._values[""], self._count
        yield sample(f"{self.name}_sum", total)
        yield sample(f"{self.name}_count", count)


started = Metric("progress_runs_started_total", "counter", "Runs started by this process.", "operation")
refused = Metric("progress_starts_refused_total", "counter", "Starts refused by this process.", "code")
evicted = Metric(
    "progress_streams_evicted_total", "counter", "Streams that this process ended in favour of newer ones."
)
events = Metric("progress_events_appended_total", "counter", "Events that this process stored.")
commits = Times("progress_commit_seconds", "Commits of events by this process, and their seconds.")
lost = Metric("progress_leases_lost_total", "counter", "Runs taken from this process by another, or ended under it.")
sweeps = Times("progress_sweep_seconds", "Looks of this process for runs left behind, and their seconds.")
recovered = Metric("progress_runs_recovered_total", "counter", "Runs that this process ended or restarted for others.")
cancels = Times("progress_cancel_seconds", "Runs asked to end in this process, and the seconds until they had ended.")


def sample(name: str, value: float, labels: Mapping[str, str] = {}) -> str:
    """Return one line of the format."""
    escaped = (
        f'{key}="{value}"'
        for key, text in labels.items()
        for value in [text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")]
    )
    inside = ",".join(escaped)
    return f"{name}{{{inside}}} {value:.10g}" if inside else f"{name} {value:.10g}"


async def show_metrics(request: HttpRequest) -> HttpResponseBase:
    """GET /metrics: for staff who may view runs, signed in or by the API token of such a user."""
    # There is no exception for the own machine: behind a proxy everybody comes from there.
    if (given := bearer_token(request)) is not None:
        await in_database(sign_in, request, given)
    user = await request.auser()
    if not user.is_authenticated:
        raise Problem(
            401,
            "Send the API token of somebody who may view runs: Authorization: Bearer <token>.",
            code="not_allowed",
            headers={"WWW-Authenticate": "Bearer"},
        )
    if not user.is_staff or not await in_database(user.has_perm, "progress.view_operationrun"):
        raise PermissionDenied("This is for staff who may view runs.")
    return HttpResponse(await in_database(exposition), content_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})


metrics_endpoint = endpoint(GET=show_metrics)


def exposition() -> str:
    """Return every figure, those of the database too; call it where the database may be used."""
    lines: list[str] = []
    for metric in _metrics:
        lines += _head(metric.name, metric.kind, metric.meaning)
        lines += metric.samples()
    return "\n".join([*lines, *_of_the_database(), *_of_the_process(), ""])


def _head(name: str, kind: str, meaning: str) -> list[str]:
    return [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]


def _of_the_database() -> Iterator[str]:
    yield from _head("progress_runs", "gauge", "Runs in the database.")
    rows = OperationRun.objects.order_by().values_list("operation", "status").annotate(Count("pk"))
    for operation, status, count in rows:
        yield sample("progress_runs", count, {"operation": operation, "status": status})
    waiting = OperationRun.objects.filter(status=Status.QUEUED, lease_token="", parent=None)
    since = Coalesce(F("lease_expires_at"), F("created_at"), output_field=DateTimeField())
    found = waiting.aggregate(length=Count("pk"), oldest=Min(since))
    yield from _head("progress_queue_length", "gauge", "Runs that wait to be started, in all processes.")
    yield sample("progress_queue_length", found["length"])
    yield from _head("progress_queue_oldest_seconds", "gauge", "How long the first of them has waited.")
    yield sample(
        "progress_queue_oldest_seconds",
        max((timezone.now() - found["oldest"]).total_seconds(), 0) if found["oldest"] else 0,
    )


def _of_the_process() -> Iterator[str]:
    from .execution import supervisor  # both count here
    from .limits import open_streams

    yield from _head("progress_executions", "gauge", "Runs that this process executes.")
    yield sample("progress_executions", len(supervisor.executions))
    yield from _head("progress_streams", "gauge", "Streams and sockets that are open in this process.")
    yield sample("progress_streams", open_streams.count)
    yield from _head("process_threads", "gauge", "Threads of Python in this process.")
    yield sample("process_threads", threading.active_count())
    statm = Path("/proc/self/statm")
    if statm.exists():  # Linux
        yield from _head("process_resident_memory_bytes", "gauge", "Resident memory of this process.")
        yield sample("process_resident_memory_bytes", int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
        yield from _head("process_open_fds", "gauge", "Open files and sockets of this process.")
        yield sample("process_open_fds", len(os.listdir("/proc/self/fd")))
