"""The description of the site's HTTP API, composed of its apps' parts, and the page that shows it."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from agentsite import __version__, api_docs
from progress.openapi import Description

PARTS = [
    "agentsite.agent.openapi",
    "agentsite.agent.dialects_openapi",
    "agentsite.agent.tools.openapi",
    "charts.openapi",
    "progress.openapi",
]


@cache
def describe() -> Description:
    """Compose the OpenAPI 3.2 document."""
    paths: Description = {}
    schemas: Description = {}
    for name in PARTS:
        part: Any = import_module(name)
        tag = name.split(".")[-2]
        for path, item in part.paths().items():
            paths["/api" + path] = {method: {"tags": [tag], **described} for method, described in item.items()}
        schemas |= part.schemas()
    return {
        "openapi": "3.2.0",
        "info": {"title": "agentsite", "version": __version__},
        "security": [{}, {"token": []}, {"session": []}],
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items())), "securitySchemes": SECURITY},
    }


SECURITY = {
    "token": {"type": "http", "scheme": "bearer", "description": "Made in the admin or by `manage.py create_token`."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sessionid",
        "description": "Needs `X-CSRFToken` with every POST.",
    },
}


# Not async: to compose it once takes a tenth of a second, which the event loop must not spend.


def openapi_json(request: HttpRequest) -> HttpResponse:
    """GET /api/openapi.json"""
    return JsonResponse(describe())


def docs_page(request: HttpRequest) -> HttpResponse:
    """GET /api/docs"""
    return render(request, "api_docs.html", api_docs.context(describe()))
