"""Limits and timeouts, from `settings.PROGRESS` over the defaults below."""

from __future__ import annotations

from typing import Any

from django.conf import settings

DEFAULTS: dict[str, Any] = {
    "HOOKS": [],  # dotted paths of functions that every event passes, in this order, before it is stored
    "PARTS": [],  # dotted paths of functions that find in a result what clients of other formats can show, such as a chart
    "ALLOW_ANONYMOUS": False,  # visitors who are not signed in may start runs; their session owns them
    "HEARTBEAT": 15.0,  # seconds of silence before a stream sends a comment
    "REAUTHORISE": 60.0,  # seconds between looks whether a stream's reader may still read it
    "STREAM_MAX_AGE": 600.0,  # seconds, +-20 %, before a stream ends cleanly and its reader reconnects
    "SUBSCRIBER_EVENTS": 256,  # waiting in one reader's queue; beyond that it reads from the log again
    "SUBSCRIBER_BYTES": 256 * 1024,
    "POLL": 1.0,  # seconds between looks at the log of a run that executes in another process
    "EVENT_BYTES": 32 * 1024,
    "RUN_EVENTS": 20_000,
    "RUN_BYTES": 16 * 1024 * 1024,
    "BODY_BYTES": 64 * 1024,  # of a JSON request
    "QUEUE_TIMEOUT": 60.0,  # seconds a run may wait to be started
    "IDLE_TIMEOUT": 120.0,  # seconds without a report
    "TOTAL_TIMEOUT": 600.0,  # seconds of execution
    "CANCEL_GRACE": 5.0,  # seconds a body gets to end by itself after a cancel
    "DISCONNECT_GRACE": 10.0,  # seconds without a reader before `on_disconnect: "cancel"` takes effect
    "LEASE": 20.0,
    "LEASE_RENEW": 5.0,
    "SWEEP": 5.0,  # seconds between looks for runs whose worker is gone
    "OWNER_RUNS": 12,  # queued or running at once; below the places that the task backend has, so that one takes not all
    "ADDRESS_RUNS": 12,  # the same of one network address, for visitors who are not signed in
    "QUEUE_RUNS": 200,  # waiting at once, whoever started them
    "OWNER_STREAMS": 6,  # in one process; the next one ends the oldest
    "ADDRESS_STREAMS": 20,
    "PROXIES": 0,  # in front of the site whose X-Forwarded-For the server has not resolved into the address already
    "RESULT_BYTES": 256 * 1024,
    "RETENTION": 86_400.0,  # seconds after its end that a run is kept
    "SEND_TIMEOUT": 30.0,  # seconds a stream waits for a client that does not read, before it closes the connection
    "DRAIN": 20.0,  # seconds in which a process that is asked to end has ended its runs
    "REQUEST_THREADS": 16,  # of a process, in which requests make sync calls, each with a database connection of its own
    "SYNC_THREADS": 32,  # sync operations that execute at once in a process
}


def setting(name: str) -> Any:
    """Return PROGRESS[name], or its default. Raises KeyError for a name that does not exist."""
    return getattr(settings, "PROGRESS", {}).get(name, DEFAULTS[name])
