"""For whoever watches the site: is the process alive, can it do its work."""

from __future__ import annotations

from typing import Any

from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.tasks import DEFAULT_TASK_BACKEND_ALIAS, task_backends

from progress.database import in_database
from progress.execution import supervisor

_migrated = False  # once true it stays so, as the process's code stays


async def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 as long as the process answers at all."""
    return HttpResponse("ok\n", content_type="text/plain")


async def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when the database can be reached and is migrated, else 503; 503 too once the process is about to end.

    How many workers live is told and decides nothing: without any, pages and streams are served all the same.
    """
    if supervisor.draining:
        return JsonResponse({"draining": True}, status=503)
    try:
        found = await in_database(_look)
    except (DatabaseError, InterfaceError):
        return JsonResponse({"database": "unreachable"}, status=503)
    return JsonResponse(found, status=200 if found["migrations"] == "ok" else 503)


def _look() -> dict[str, Any]:
    global _migrated
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    found: dict[str, Any] = {"database": "ok", "migrations": "ok" if _migrated else "missing"}
    backend: Any = task_backends[DEFAULT_TASK_BACKEND_ALIAS]
    if _migrated and hasattr(backend, "live_workers"):
        found["workers"] = backend.live_workers()
    return found
