"""The site's addresses, with those that a test looks through or fails with."""

import asyncio
import os
import threading
import time
from pathlib import Path

from django.http import JsonResponse, StreamingHttpResponse
from django.urls import path

from agentsite.urls import urlpatterns as of_the_site
from progress import drain
from progress.limits import open_streams

from .watch import HELD, watch


async def gauge(request):
    """What this process holds now, and how long its event loop was blocked at worst since the last time it was asked."""
    found = {
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "files": len(os.listdir("/proc/self/fd")),
        "streams": open_streams.count,
        "requests": drain.requests,
        "resident": int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE"),  # noqa: ASYNC240
        "cpu": time.process_time(),
        **watch.told(),
    }
    return JsonResponse(found)


async def broken(request):
    """A stream that fails after its first frame."""

    async def frames():
        yield b"data: 1\n\n"
        raise ZeroDivisionError

    return StreamingHttpResponse(frames(), content_type="text/event-stream")


async def plain(request):
    """Django's own stream of `events` frames, for comparison."""

    async def frames():
        frame = b"data: %s\n\n" % (b"x" * int(request.GET.get("size", 200)))
        for number in range(int(request.GET["events"])):
            yield b"id: %d\n%s" % (number, frame)
            await asyncio.sleep(float(request.GET.get("rest", 0)))

    return StreamingHttpResponse(frames(), content_type="text/event-stream")


def slow(request):
    """A page that blocks its thread."""
    time.sleep(float(request.GET.get("seconds", 0.2)))
    return JsonResponse({})


async def held(request):
    """A view that holds the event loop up, in the way that `how` says."""
    if request.GET["how"] == "sleep":
        time.sleep(0.001)
    until = time.thread_time() + 8 * HELD  # long enough for the watch to see where, on a busy machine too
    while request.GET["how"] == "work" and time.thread_time() < until:
        pass
    return JsonResponse({})


urlpatterns = [
    path("held", held),
    path("gauge", gauge),
    path("broken", broken),
    path("plain", plain),
    path("slow", slow),
    *of_the_site,
]
