"""Language models: which one is used, what it says as it says it, and what becomes of its errors.

Everything that touches pydantic-ai is in this package. That takes seconds to import, so that the modules which need it (`models`,
`listening`, `offline` ...) are imported inside functions, once `load` has had them imported in a thread.
"""

from __future__ import annotations

import logging
import threading
from importlib import import_module
from typing import TYPE_CHECKING

from progress import OperationFailed, Progress

from ..conf import setting
from .choice import allowed_models

if TYPE_CHECKING:
    from pydantic_ai.models import Model


logger = logging.getLogger("agentsite.agent")
_loaded: set[str] = set()
_loading = threading.Lock()  # two threads that import packages with cycles may see each other's halves


def load(name: str | None = None) -> None:
    """Import what the model `name`, by default the usual one, is reached by: seconds, once. For a thread.

    Raises OperationFailed for a model that cannot be used.
    """
    with _loading:
        for module in ("models", "listening"):
            import_module(f".{module}", __package__)
        from .models import import_client

        import_client(name)
    _loaded.add(name or setting("MODEL"))


def load_all() -> None:
    """Import what all allowed models are reached by. For a thread at the server's start; what fails is logged."""
    for name in allowed_models():
        try:
            load(name)
        except OperationFailed as error:  # said at each run that needs it, too
            logger.warning("%s", error)


async def load_model(progress: Progress, name: str | None = None) -> Model:
    """Return the model `name`, by default that of AGENT_MODEL, without blocking the loop. Raises OperationFailed."""
    if (name or setting("MODEL")) not in _loaded:
        progress(message="Getting the model ready: the first time after a start takes a few seconds")
        await progress.in_thread(load, name)
    return chosen_model(name)


def chosen_model(name: str | None = None) -> Model:
    """Return the model `name`, by default that of AGENT_MODEL. Raises OperationFailed where it cannot be used.

    What is not imported yet is imported now, which holds the loop up for seconds; `load_model` does not.
    """
    from .models import model_of

    return model_of(name)
