"""Errors of `progress`.

ProgressError
├── OperationFailed       a message that users may read
├── OperationCancelled
├── UnknownOperation
├── InvalidTransition     an undeclared state: a mistake in the operation
├── EventTooLarge
├── StartRefused          a limit on runs was reached
├── KeyReused             an Idempotency-Key came with other work than before
└── LeaseLost             another attempt, or the end of the run, has taken the log over
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

Code = Literal[
    "invalid_request",
    "not_allowed",
    "cancelled",
    "timeout",
    "worker_lost",
    "unavailable",
    "query_failed",
    "no_data",
    "limit_exceeded",
    "internal",
]
CODES: tuple[Code, ...] = get_args(Code)
RETRYABLE: frozenset[Code] = frozenset({"timeout", "worker_lost", "unavailable", "cancelled"})


class ProgressError(Exception):
    """Base of all errors of this package; not raised itself."""


class OperationFailed(ProgressError):
    """End the run with `message`, which users will read, and a code from the closed list.

    `retryable` says whether the same request may succeed later; by default that follows from the code. `metadata` goes into
    the `error` event. Raises ValueError for a code that is not in the list.
    """

    def __init__(
        self,
        message: str,
        *,
        code: Code = "query_failed",
        retryable: bool | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        if code not in CODES:
            raise ValueError(f"{code!r} is not an error code; use one of {', '.join(CODES)}.")
        super().__init__(message)
        self.message = str(message)  # an exception is often given as it is
        self.code = code
        self.retryable = code in RETRYABLE if retryable is None else retryable
        self.metadata = dict(metadata or {})


class OperationCancelled(ProgressError):
    """The run was asked to stop; raised out of a call of `progress` where the body cannot be interrupted otherwise."""

    def __init__(self, message: str = "Cancelled.") -> None:
        super().__init__(message)
        self.message = message


class UnknownOperation(ProgressError):
    """No operation of this name is registered."""


class InvalidTransition(ProgressError):
    """The operation went to a state that it does not declare, or not from where it was."""


class EventTooLarge(ProgressError):
    """One event holds at most PROGRESS["EVENT_BYTES"]; big results belong behind a link."""


class StartRefused(ProgressError):
    """The run was not started: its owner has too many (limit_exceeded), or the site is busy (unavailable). Nothing was written."""

    retry_after = 5  # seconds

    def __init__(self, message: str, *, code: Code = "limit_exceeded") -> None:
        super().__init__(message)
        self.code = code


class KeyReused(ProgressError):
    """The owner has used this idempotency key for other work."""


class LeaseLost(ProgressError):
    """This attempt may no longer write to the run's log."""


class StreamBrokenOff(ProgressError):
    """A stream ends in the middle, for readers who would take a clean end for the end of the run."""
