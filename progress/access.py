"""Who may start work and who may see a run: the one place where HTTP and WebSocket ask."""

from __future__ import annotations

from uuid import UUID

from asgiref.sync import sync_to_async
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from .conf import setting
from .database import in_database
from .models import OperationRun
from .owners import Owner, request_owner
from .problems import Problem, not_found


async def allowed_owner(request: HttpRequest, permission: str = "") -> Owner:
    """Return who starts work by this request. Raises Problem 401 where visitors may not, PermissionDenied without `permission`."""
    user = await request.auser()
    if not user.is_authenticated and not setting("ALLOW_ANONYMOUS"):
        raise Problem(
            401,
            "Sign in, or send an API token: Authorization: Bearer <token>.",
            code="not_allowed",
            headers={"WWW-Authenticate": "Bearer"},
        )
    if permission and not await sync_to_async(user.has_perm)(permission):
        raise PermissionDenied(f"This needs the permission {permission}.")
    return await request_owner(request, create=True)


async def find_run(request: HttpRequest, pk: UUID, *, write: bool = False) -> OperationRun:
    """Return the caller's run; staff who may view runs may read any. Raises Problem 404."""
    owner = await request_owner(request)
    user = await request.auser()

    def find() -> OperationRun | None:
        run: OperationRun | None = OperationRun.objects.for_owner(owner).filter(pk=pk).first()
        if run is None and not write and user.is_staff and user.has_perm("progress.view_operationrun"):
            run = OperationRun.objects.filter(pk=pk).first()
        return run

    run = await in_database(find)
    if run is None:
        raise not_found()
    return run
