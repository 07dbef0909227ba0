"""Who may start work and who may see a run: the one place where HTTP and WebSocket ask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from io import BytesIO
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.contrib import auth
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

from .conf import setting
from .database import in_database
from .exceptions import StartRefused
from .execution import supervisor
from .middleware import bearer_token, sign_in
from .models import ApiToken, OperationRun
from .owners import VISITOR_KEY, Owner, request_owner
from .problems import Problem, not_found, refused


class Handshake(ASGIRequest):
    """The request that opened a WebSocket, so that the same code decides about both. Its answer cannot set a cookie."""


async def handshake(scope: Mapping[str, Any]) -> Handshake:
    """Return a WebSocket's opening request, with whoever its token or session stands for now. Raises Problem 401."""
    return await in_database(_handshake, scope)


def _handshake(scope: Mapping[str, Any]) -> Handshake:
    scheme = {"ws": "http", "wss": "https"}.get(scope.get("scheme", ""), "http")
    request = Handshake({**scope, "type": "http", "method": "GET", "scheme": scheme}, BytesIO())
    sessions = import_module(settings.SESSION_ENGINE)
    request.session = sessions.SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    if (given := bearer_token(request)) is not None:
        sign_in(request, given)
        return request
    user = auth.get_user(request)

    async def auser() -> Any:
        return user

    request.user, request.auser = user, auser
    request.session.get(VISITOR_KEY)  # read here, so that nobody needs the database for it later
    return request


async def allowed_owner(request: HttpRequest, *permissions: str) -> Owner:
    """Return who starts work by this request.

    Raises Problem 401 where visitors may not, 503 while the process is about to end, PermissionDenied without `permissions`.
    """
    if supervisor.draining:
        raise refused(StartRefused("The server is being restarted. Try again in a few seconds.", code="unavailable"))
    user = await request.auser()
    if not user.is_authenticated and not setting("ALLOW_ANONYMOUS"):
        raise Problem(
            401,
            "Sign in, or send an API token: Authorization: Bearer <token>.",
            code="not_allowed",
            headers={"WWW-Authenticate": "Bearer"},
        )
    for permission in filter(None, permissions):
        if not await in_database(user.has_perm, permission):
            raise PermissionDenied(f"This needs the permission {permission}.")
    owner = await request_owner(request, create=not isinstance(request, Handshake))
    if not owner:
        raise Problem(
            401,
            "A WebSocket cannot begin a session: start the first run by POST /api/runs and connect again with the cookie of its "
            "answer, or sign in, or send an API token.",
            code="not_allowed",
        )
    return owner


async def find_run(request: HttpRequest, pk: UUID, *, write: bool = False) -> OperationRun:
    """Return the caller's run; staff who may view runs may read any. Raises Problem 404."""
    return (await find_runs(request, [pk], write=write))[0]


async def find_runs(request: HttpRequest, pks: list[UUID], *, write: bool = False) -> list[OperationRun]:
    """The same for several, in the order of `pks`. Raises Problem 404 where one of them is missing."""
    owner, user = await request_owner(request), await request.auser()
    found = await in_database(_select, owner, user, pks, write)
    if len(found) < len(pks):
        raise not_found()
    return [found[pk] for pk in pks]


def _select(owner: Owner, user: Any, pks: Iterable[UUID], write: bool = False) -> dict[UUID, OperationRun]:
    """The one selector: of the runs `pks`, those that `owner` may have."""
    wanted = set(pks)
    found: dict[UUID, OperationRun] = OperationRun.objects.for_owner(owner).in_bulk(wanted)
    if len(found) < len(wanted) and not write and user.is_staff and user.has_perm("progress.view_operationrun"):
        found = OperationRun.objects.in_bulk(wanted)
    return found


async def still_allowed(request: HttpRequest, pks: Iterable[UUID]) -> bool:
    """Say whether who sent `request` is still who they were then, and may still read the runs `pks`.

    Asked again and again while a stream is open: a session may have ended, a token or a right may have been taken away, a user
    deactivated, a run given to somebody else.
    """
    owner, user = await request_owner(request), await request.auser()
    return await in_database(_still_allowed, request, owner, user, set(pks))


def _still_allowed(request: HttpRequest, owner: Owner, user: Any, pks: set[UUID]) -> bool:
    now = _who_now(request, user)
    if now is None:
        return False
    return now[0] == owner and len(_select(owner, now[1], pks)) == len(pks)


def _who_now(request: HttpRequest, user: Any) -> tuple[Owner, Any] | None:
    """Read anew who the request's token or session stands for."""
    if (token := getattr(request, "token", None)) is not None:
        fresh = ApiToken.objects.select_related("user").filter(pk=token.pk, user__is_active=True).first()
        return None if fresh is None else (Owner(user=fresh.user_id), fresh.user)
    # The key is asked for now, as a request without a session may have got one with the answer that it is about.
    session = type(request.session)(request.session.session_key)
    visitor = session.get(VISITOR_KEY, "")
    if user.is_authenticated and auth.SESSION_KEY not in request.session:
        # Something else than the session signed the user in, such as a proxy's header.
        active = auth.get_user_model()._default_manager.filter(pk=user.pk, is_active=True).first()
        return None if active is None else (Owner(user=active.pk, visitor=visitor), active)
    found = auth.get_user(cast(Any, SimpleNamespace(session=session)))
    return Owner(user=found.pk, visitor=visitor), found
