"""Errors of the HTTP API as `application/problem+json` (RFC 9457), and the decorator that makes views answer them."""

from __future__ import annotations

import functools
import json
import logging
import math
import random
import re
import uuid
from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views.csrf import csrf_failure as django_csrf_failure
from pydantic import BaseModel, ValidationError

from .conf import setting
from .database import UNREACHABLE
from .exceptions import KeyReused, StartRefused, UnknownOperation

logger = logging.getLogger("progress")
MAX_DEPTH = 32
COME_BACK = 2, 8  # seconds after which a client asks again that the database did not serve: not all at once
View = Callable[..., Coroutine[Any, Any, HttpResponseBase]]


class Problem(Exception):
    """Answer the request with an error. `errors` names each wrong field: [{"field": "params.seconds", "message": "…"}]."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: str = "invalid_request",
        errors: list[dict[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.code, self.errors, self.headers = status, detail, code, errors, headers

    def response(self) -> HttpResponse:
        title = HTTPStatus(self.status).phrase
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.errors:
            body["errors"] = self.errors
        return JsonResponse(
            body, status=self.status, content_type="application/problem+json", headers=dict(self.headers or {})
        )


def invalid(error: ValidationError, prefix: str = "") -> Problem:
    """Name each field that pydantic refused, in words, without repeating the value."""
    errors = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        field = ".".join([*filter(None, [prefix]), *map(str, item["loc"])])
        message = "There is no such field." if item["type"] == "extra_forbidden" else item["msg"]
        errors.append({"field": field, "message": message})
    detail = "; ".join(f"{item['field'] or 'body'}: {item['message']}" for item in errors[:5])
    return Problem(422, detail, errors=errors)


def endpoint(**handlers: View) -> View:
    """Make one async view from a handler per method, such as endpoint(GET=…, POST=…); every error is answered as a problem."""

    async def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        handler = handlers.get("GET" if request.method == "HEAD" else request.method or "")
        if handler is None:
            allowed = ", ".join(sorted(handlers))
            return Problem(
                405, f"{request.method} is not possible here; use {allowed}.", headers={"Allow": allowed}
            ).response()
        try:
            return await handler(request, *args, **kwargs)
        except UNREACHABLE as error:
            return unreachable(request, error)
        except Exception as error:
            return as_problem(error, f"{request.method} {request.path}").response()

    return functools.wraps(next(iter(handlers.values())))(view)


def as_problem(error: Exception, where: str) -> Problem:
    """Say what was wrong with a request whose handling raised `error`; what is nobody's fault but the server's is logged."""
    match error:
        case Problem():
            return error
        case UnknownOperation():
            return Problem(422, str(error), errors=[{"field": "operation", "message": str(error)}])
        case StartRefused():
            return refused(error)
        case KeyReused():
            return Problem(409, str(error))
        case ValidationError():
            return invalid(error)
        case Http404():
            return not_found()
        case PermissionDenied():
            return Problem(403, str(error) or "You may not do this.", code="not_allowed")
        case OperationalError() | InterfaceError():
            logger.warning("the database did not serve %s: %r", where, error)
            later = {"Retry-After": str(random.randint(*COME_BACK))}  # noqa: S311 - no secret
            return Problem(503, "The database is out of reach. Try again soon.", code="unavailable", headers=later)
    error_id = uuid.uuid4().hex[:12]
    logger.error("error %s in %s", error_id, where, exc_info=error)
    return Problem(500, f"Something went wrong on the server. It was logged as {error_id}.", code="internal")


def unreachable(request: HttpRequest, error: Exception) -> HttpResponse:
    """Answer a request that the database did not serve: a stream ends well and is come back to, all else is told when to try again.

    EventSource gives up for good on any answer but 200.
    """
    problem = as_problem(error, f"{request.method} {request.path}")
    if request.method != "GET" or "text/event-stream" not in request.headers.get("Accept", ""):
        return problem.response()
    low, high = COME_BACK
    wait = random.randrange(low * 1_000, high * 1_000)  # noqa: S311 - so that not all come back at once
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return HttpResponse(b"retry: %d\n\n" % wait, content_type="text/event-stream; charset=utf-8", headers=headers)


def refused(error: StartRefused) -> Problem:
    """Say that no run was started, and when to try again."""
    status = 429 if error.code == "limit_exceeded" else 503
    return Problem(status, str(error), code=error.code, headers={"Retry-After": str(error.retry_after)})


def idempotency_key(request: HttpRequest) -> str:
    """Return the request's Idempotency-Key, or "" where it has none. Raises Problem 422 for a malformed one."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return ""
    if not re.fullmatch(r"[!-~]{1,255}", key):
        message = "must be 1 to 255 visible ASCII characters, without blanks"
        raise Problem(422, f"Idempotency-Key: {message}.", errors=[{"field": "Idempotency-Key", "message": message}])
    return key


def not_found() -> Problem:
    """What is missing and what belongs to somebody else look the same."""
    return Problem(404, "There is nothing here, or nothing that you may see.", code="not_allowed")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Set CSRF_FAILURE_VIEW to this: programs get a problem, browsers Django's page."""
    if "text/html" in request.headers.get("Accept", ""):
        return django_csrf_failure(request, reason)
    detail = (
        "A request with cookies needs the header X-CSRFToken; a program does better with Authorization: Bearer <token>."
    )
    return Problem(403, detail, code="not_allowed").response()


async def no_such_endpoint(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Answer any other address below the API."""
    return Problem(404, f"The API has no address {request.path}.").response()


def read_body[M: BaseModel](request: HttpRequest, model: type[M], *, limit: int | None = None) -> M:
    """Return the JSON body as a `model`, strictly. Raises Problem 400, 413, 415 or 422.

    It may hold `limit` bytes, by default PROGRESS["BODY_BYTES"].
    """
    if request.content_type != "application/json":
        raise Problem(415, "Send the body as JSON, with the header Content-Type: application/json.")
    limit = setting("BODY_BYTES") if limit is None else limit
    announced = request.headers.get("Content-Length", "")
    if (announced.isdecimal() and int(announced) > limit) or len(request.body) > limit:
        raise Problem(413, f"The body may hold at most {limit:,} bytes.", code="limit_exceeded")
    return validated(read_object(request.body), model)


def read_object(text: bytes | str, what: str = "body") -> dict[str, Any]:
    """Return the JSON object that `text` is. Raises Problem 400 or 422, which call it `what`."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_integer)
        too_deep = _depth(value) > MAX_DEPTH
    except RecursionError:
        too_deep = True
    except ValueError as error:
        raise Problem(400, f"The {what} is not JSON: {error}.") from None
    if too_deep:
        raise Problem(400, f"The {what} is nested deeper than {MAX_DEPTH} levels.")
    if not isinstance(value, dict):
        raise Problem(422, f"The {what} must be a JSON object.")
    return value


def validated[M: BaseModel](value: dict[str, Any], model: type[M]) -> M:
    """Return what was read from JSON as a `model`, strictly. Raises Problem 422."""
    # From JSON again, because strict mode still reads dates and the like from text there; not from the bytes, whose
    # duplicate keys and encodings json.loads has settled.
    try:
        return model.model_validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        raise invalid(error) from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _integer(text: str) -> int:
    if len(text) > 100:
        raise ValueError(f"{text[:20]}… is too large a number")
    return int(text)


def _finite(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(f"{text[:20]} is too large a number")
    return number


def _depth(value: Any) -> int:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max((_depth(child) for child in children), default=0)
