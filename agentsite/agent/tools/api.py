"""GET /api/agent/tools"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase, JsonResponse

from progress.owners import request_owner
from progress.problems import endpoint

from .available import available_tools


async def list_tools(request: HttpRequest) -> HttpResponseBase:
    """List the tools that the caller may use, and the servers whose tools cannot be had now."""
    async with available_tools(await request_owner(request)) as tools:
        items = [
            {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
            for _, tool in sorted(tools.items())
        ]
        missing = [{"server": name, "reason": reason} for name, reason in sorted(tools.missing.items())]
    body = {"items": items, "missing": missing, "next": None}
    return JsonResponse(body, headers={"Cache-Control": "private, no-store"})


tools_endpoint = endpoint(GET=list_tools)
