"""For whoever watches the site: is the process alive, can it do its work."""

from __future__ import annotations

from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from progress.database import in_database


async def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 as long as the process answers at all."""
    return HttpResponse("ok\n", content_type="text/plain")


async def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when the database can be reached, else 503."""
    try:
        await in_database(_ask)
    except (DatabaseError, InterfaceError):
        return JsonResponse({"database": "unreachable"}, status=503)
    return JsonResponse({"database": "ok"})


def _ask() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
