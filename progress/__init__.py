"""Live, durable, resumable, cancellable progress for any long operation.

Write a `StreamingOperation` (or decorate a function with `operation`), report with the `Progress` that it is given, and
`start` it: what it reports becomes numbered events in the log of its run, and any number of readers follow them.
"""

from typing import TYPE_CHECKING, Any

from .bridges import follow_logging, follow_tqdm
from .events import ProgressEvent
from .exceptions import OperationCancelled, OperationFailed
from .hooks import HookContext
from .nodes import Progress
from .operations import State, StreamingOperation, operation
from .orchestrator import stream_operation

if TYPE_CHECKING:
    from .runs import start

__all__ = [
    "HookContext",
    "OperationCancelled",
    "OperationFailed",
    "Progress",
    "ProgressEvent",
    "State",
    "StreamingOperation",
    "follow_logging",
    "follow_tqdm",
    "operation",
    "start",
    "stream_operation",
]


def __getattr__(name: str) -> Any:
    # `start` needs the models, which Django loads after it has imported this package.
    if name == "start":
        from .runs import start

        return start
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
