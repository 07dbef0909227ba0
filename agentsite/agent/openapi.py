"""The HTTP API of the chat as a part of an OpenAPI description."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import models_json_schema

from progress.openapi import REF, STARTING, Description, Run, answer, call, starting_headers

from .api import ChatRequest


class ChartReference(BaseModel):
    """A chart that an answer made."""

    model_config = ConfigDict(extra="forbid")
    id: UUID
    title: str
    url: str
    spec_url: str
    png_url: str


class FinishedChat(Run):
    """A chat run that has ended, with its answer."""

    charts: list[ChartReference]


def paths() -> Description:
    """Describe each address below the prefix where `agentsite.agent.urls` is included."""
    return {
        "/agent/chat": {
            "post": call(
                "Ask a question",
                {
                    **answer(
                        "FinishedChat", "The answer. Or, where that was asked for, the stream of events.", events=True
                    ),
                    **answer("AcceptedRun", "The run goes on.", status=202),
                },
                *STARTING,
                body="ChatRequest",
                description="Starts the operation `chat`; `stream`, `Accept` and `Prefer` act as for `POST /api/runs`.",
                parameters=starting_headers(),
            )
        }
    }


def schemas() -> Description:
    """Describe the question and the answer."""
    models = [(ChatRequest, "validation"), (FinishedChat, "validation")]
    _references, definitions = models_json_schema(models, ref_template=REF)  # type: ignore[arg-type]
    found: Description = definitions["$defs"]
    return found
