"""Loading ahead, in a thread at the server's start, what the first visitors would wait for."""

from __future__ import annotations

import gc
import logging
import threading

from agentsite.agent import llm
from charts.warming import warm_up as warm_up_charts

logger = logging.getLogger("agentsite")


def start() -> None:
    """Begin, and return at once."""
    _spare_collector()
    threading.Thread(target=warm_up, name="warm-up", daemon=True).start()


def warm_up() -> None:
    """Load what a chart needs, then what speaks to the language models: seconds each."""
    warm_up_charts()
    _spare_collector()
    try:
        llm.load_all()
    except Exception:
        logger.exception("the first answer of a model will be slow: loading ahead failed")
    _spare_collector()


def _spare_collector() -> None:
    """Take what is loaded out of the garbage collector's sight, for good: to go through it holds every thread up for 0.2 s."""
    gc.collect()
    gc.freeze()
