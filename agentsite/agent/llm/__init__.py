"""Language models: which one is used, what it says as it says it, and what becomes of its errors.

Everything that touches pydantic-ai is in this package. It takes seconds to import, so that the modules here which need it
(`models`, `offline`) are imported inside functions, also by each other's users.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_ai.models import Model


def chosen_model(name: str | None = None) -> Model:
    """Return the model `name`, by default that of AGENT_MODEL. Raises OperationFailed where it cannot be used."""
    from .models import model_of

    return model_of(name)
