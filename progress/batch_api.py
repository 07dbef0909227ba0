"""POST /api/batches: the same as a run of `batch`, with its parameters in the body itself."""

from __future__ import annotations

from typing import Literal

from django.http import HttpRequest, HttpResponseBase
from pydantic import ConfigDict

from .api import start_and_answer
from .batch import Batch, BatchFields
from .problems import endpoint, read_body


class BatchRequest(BatchFields):
    """Body of POST /api/batches."""

    model_config = ConfigDict(extra="forbid")
    stream: bool = False
    on_disconnect: Literal["continue", "cancel"] = "continue"


async def start_batch(request: HttpRequest) -> HttpResponseBase:
    """POST /api/batches"""
    body = read_body(request, BatchRequest)
    batch = Batch(items=body.items, on_failure=body.on_failure, concurrency=body.concurrency)
    return await start_and_answer(request, batch, stream=body.stream, on_disconnect=body.on_disconnect)


batches_endpoint = endpoint(POST=start_batch)
