"""Errors of models and their providers, in words for the person who waits: what happened, and what can be done.

A provider's own words stay on the server: they may repeat a key. Its log has them, with what looks like a key struck out.
"""

from __future__ import annotations

import logging
import os
import re

from pydantic_ai import exceptions as ai

from progress import OperationFailed
from progress.exceptions import Code

from .choice import PROVIDERS

logger = logging.getLogger("agentsite.agent")
KEY_LIKE = re.compile(r"\b(sk|pk|key|AIza)[-_\w*.]{6,}")
REFUSALS = {"content_filter", "content_policy_violation"}  # codes of providers
WORDS = 500  # characters of a provider's own, for the log


def failed(error: Exception, model: str) -> OperationFailed:
    """Return what a run ends with whose `model` (`provider:name`) failed with `error`, which is logged."""
    known = PROVIDERS.get(model.partition(":")[0])
    key, url = (known.key, known.url) if known else ("its key", "its address")
    code: Code = "unavailable"
    retryable = False
    match error:
        case ai.ModelAuthenticationError():
            message = f"The provider of {model} refused the key. Check {key}, and that it may use this model."
        case ai.ModelNotFoundError():
            message = f"There is no model {model} at its provider. Check AGENT_MODEL, and {url} where that is set."
        case ai.ModelQuotaExceededError():
            message = f"The account that {key} belongs to has no credit left at the provider of {model}."
        case ai.ModelContextWindowExceededError():
            code, message = "limit_exceeded", f"This is more text than {model} can read at once. Ask with less of it."
        case ai.ModelRequestRejectedError() if _is_refusal(error):
            code, message = "not_allowed", REFUSED
        case ai.ModelRequestRejectedError():
            code, message = "invalid_request", f"{model} cannot be asked this way. Why is in the server's log."
        case ai.ModelRateLimitError():
            retryable, message = True, f"{model} gets too many requests at the moment. {_when(error)}"
        case ai.ModelUnavailableError() | ai.ModelServerError():
            retryable, message = True, f"The provider of {model} is overloaded or failing. {_when(error)}"
        case ai.ModelRequestTimeout() | ai.ModelTimeoutError():
            code, retryable, message = "timeout", True, f"Stopped: {model} did not answer in time."
        case ai.ModelConnectionError(phase="connect" | "pool"):
            retryable = True
            message = f"The server of {model} cannot be reached. Check that it runs, and {url} where that is set."
        case ai.ModelConnectionError():
            retryable, message = True, BROKEN.format(model=model)
        case ai.ModelAPIError() if "finish_reason" in str(error):
            retryable, message = True, BROKEN.format(model=model)
        case _:
            retryable, message = True, f"The answer of {model} could not be read. Try again."
    logger.warning("%s failed (%s): %s", model, type(error).__name__, in_own_words(error))
    return OperationFailed(message, code=code, retryable=retryable)


BROKEN = "The connection to {model} broke before its answer was complete. Try again."
REFUSED = "The model's provider declined to answer this, by its rules on content. Ask it differently."


def in_own_words(error: Exception) -> str:
    """Return what a provider said, short and without what may be secret, for the log."""
    text = str(error)
    for name in {each.key for each in PROVIDERS.values()}:
        if key := os.environ.get(name, "").strip():
            text = text.replace(key, "***")
    return KEY_LIKE.sub("***", text)[:WORDS]


def _is_refusal(error: ai.ModelRequestRejectedError) -> bool:
    return error.provider_error_code in REFUSALS or "content filter" in str(error).lower()


def _when(error: ai.ModelAPIError) -> str:
    wait = error.retry_after
    if wait is None:
        return "Try again in a while."
    return f"Try again in {_duration(wait)}."


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.0f} hours"
