"""Sign in by API token; answer well while the database is away."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings
from django.core.signals import got_request_exception
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template import TemplateDoesNotExist
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.decorators import async_only_middleware

from .database import UNREACHABLE, in_database
from .models import ApiToken
from .problems import Problem, unreachable


@receiver(got_request_exception)
def _note(sender: object, request: HttpRequest, **kwargs: object) -> None:
    if isinstance(error := sys.exception(), UNREACHABLE):
        request.unreachable = error  # type: ignore[attr-defined]


@async_only_middleware
def outage_middleware(
    get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]],
) -> Callable[[HttpRequest], Awaitable[HttpResponseBase]]:
    """Answer 503 instead of 500 where the database did not serve a view or a middleware, and streams with an end.

    Put it before SessionMiddleware, and after what only adds headers. The page is the template `503.html`, if the site has one.
    Under DEBUG the developer's own page stays.
    """

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        response = await get_response(request)
        # Django has made a response of the exception, in whichever layer it was raised.
        error = getattr(request, "unreachable", None)
        if response.status_code != 500 or error is None:
            return response
        answer = unreachable(request, error)
        if answer.status_code == 200 or "text/html" not in request.headers.get("Accept", ""):
            return answer
        return response if settings.DEBUG else _as_page(answer)

    return middleware


def _as_page(answer: HttpResponse) -> HttpResponse:
    try:
        page = render_to_string("503.html")
    except TemplateDoesNotExist:
        return answer
    return HttpResponse(page, status=503, headers={"Retry-After": answer["Retry-After"], "Cache-Control": "no-store"})


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
