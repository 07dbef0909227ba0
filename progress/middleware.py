"""Sign in by API token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.decorators import async_only_middleware

from .database import in_database
from .models import ApiToken
from .problems import Problem


@async_only_middleware
def token_middleware(
    get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]],
) -> Callable[[HttpRequest], Awaitable[HttpResponseBase]]:
    """Let `Authorization: Bearer <token>` stand for its user in the API; put it after AuthenticationMiddleware.

    Elsewhere, in the admin above all, a token is nothing: it leaks more easily than a password.

    CSRF guards against a browser that sends its cookies unasked. A request that carries a token, or no cookie at all, has
    nothing to be abused, so it needs no CSRF token; one with a cookie and without a bearer token still does.
    """

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        given = bearer_token(request)
        if given is not None and request.path.startswith(_api_root()):
            try:
                await in_database(sign_in, request, given)
            except Problem as problem:
                return problem.response()
        elif (
            not request.COOKIES
            and request.content_type == "application/json"
            and request.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin")
        ):
            request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
        return await get_response(request)

    return middleware


def _api_root() -> str:
    """The address below which the site has included `progress.urls`, such as "/api/"."""
    return reverse("progress:runs").removesuffix("runs")


def bearer_token(request: HttpRequest) -> str | None:
    """Return the API token that came with `request`, or None."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return given.strip() if scheme.casefold() == "bearer" else None


def sign_in(request: HttpRequest, given: str) -> None:
    """Let `request` be its token's user's. For a thread that may use the database. Raises Problem 401."""
    tokens = ApiToken.objects.select_related("user")
    token = tokens.filter(digest=ApiToken.digest_of(given), user__is_active=True).first()
    if token is None:
        raise Problem(401, "This API token is not valid.", code="not_allowed", headers={"WWW-Authenticate": "Bearer"})

    async def auser() -> Any:
        return token.user

    request.user = token.user
    request.auser = auser
    request.token = token  # type: ignore[attr-defined]
    request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
