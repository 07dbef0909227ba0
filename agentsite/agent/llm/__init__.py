"""Language models: which one is used, what it says as it says it, and what becomes of its errors.

Everything that touches pydantic-ai is in this package. That takes seconds to import, so that the modules which need it (`models`,
`listening`, `offline` ...) are imported inside functions, once `load` has had them imported in a thread.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_ai.models import Model

    from progress import Progress


def load(name: str | None = None) -> None:
    """Import what the model `name`, by default the usual one, is reached by: seconds, once. For a thread.

    Raises OperationFailed for a model that cannot be used.
    """
    for module in ("models", "listening"):
        import_module(f".{module}", __package__)
    from .models import import_client

    import_client(name)


async def load_model(progress: Progress, name: str | None = None) -> Model:
    """Return the model `name`, by default that of AGENT_MODEL, without blocking the loop. Raises OperationFailed."""
    await progress.in_thread(load, name)
    return chosen_model(name)


def chosen_model(name: str | None = None) -> Model:
    """Return the model `name`, by default that of AGENT_MODEL. Raises OperationFailed where it cannot be used.

    What is not imported yet is imported now, which holds the loop up for seconds; `load_model` does not.
    """
    from .models import model_of

    return model_of(name)
