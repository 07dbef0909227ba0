"""The site's addresses, with those that a test looks through or fails with."""

import asyncio
import os
import sys
import threading
import time
import traceback
from pathlib import Path

from django.http import JsonResponse, StreamingHttpResponse
from django.urls import path

from agentsite.urls import urlpatterns as of_the_site
from progress import drain
from progress.limits import open_streams

BLOCKED = 0.1  # seconds


class Watchdog(threading.Thread):
    """Notes where the event loop was whenever it did not come round for more than BLOCKED seconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(name="watchdog", daemon=True)
        self.loop, self.thread = loop, threading.get_ident()
        self.hits: list[tuple[float, str]] = []
        self.worst = 0.0

    def run(self) -> None:
        while not self.loop.is_closed():
            came_round = threading.Event()
            asked = time.perf_counter()
            self.loop.call_soon_threadsafe(came_round.set)
            if not came_round.wait(BLOCKED):
                frame = sys._current_frames().get(self.thread)
                where = "".join(traceback.format_stack(frame)[-6:]) if frame else ""
                came_round.wait()
                self.hits.append((time.perf_counter() - asked, where))
            self.worst = max(self.worst, time.perf_counter() - asked)
            time.sleep(0.02)


watchdog: Watchdog | None = None


async def gauge(request):
    """What this process holds now, and how long its event loop was blocked at worst since the last time it was asked."""
    global watchdog
    if watchdog is None:
        watchdog = Watchdog(asyncio.get_running_loop())
        watchdog.start()
    worst, watchdog.worst = watchdog.worst, 0.0
    hits, watchdog.hits = watchdog.hits, []
    found = {
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "files": len(os.listdir("/proc/self/fd")),
        "streams": open_streams.count,
        "requests": drain.requests,
        "resident": int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE"),  # noqa: ASYNC240
        "cpu": time.process_time(),
        "blocked": worst,
        "hits": hits,
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


urlpatterns = [
    path("gauge", gauge),
    path("broken", broken),
    path("plain", plain),
    path("slow", slow),
    *of_the_site,
]
