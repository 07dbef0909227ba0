"""What somebody at the other end of a connection waits for."""

import re
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin

import httpx
from httpx_sse import connect_sse

QUESTION = "Show revenue per month"
CHART = "/api/runs", {"operation": "chart_generation", "params": {"question": QUESTION}, "stream": True}
CHAT = "/api/agent/chat", {"message": QUESTION, "stream": True}
QUESTIONS = 50
STATIC_IMPORT = re.compile(r'^(?:import|export)\b[^"]*?"(\.[^"]+)";', re.MULTILINE)
UNCOMPRESSED = "before compression"


def question(address: str) -> Iterator[tuple[str, str, str]]:
    """Measure from sending the question to its first event, and to the chart; then the same for a message of a chat."""
    firsts, lasts = [], []
    made, ends = [], []
    with visitor(address) as browser:
        for _ in range(QUESTIONS):
            seen = list(events(browser, *CHART))
            firsts.append(seen[0][0])
            lasts.append(seen[-1][0])
            answered = list(events(browser, *CHAT))
            made.append(next(after for after, event in answered if _state(event) == "completed_make_chart"))
            ends.append(answered[-1][0])
    how = f"{QUESTIONS} requests, one after the other"
    yield "first event after the request", spread(firsts), how
    yield f"'{QUESTION}' to its chart", spread(lasts), how
    yield f"'{QUESTION}' as a message of a chat, to its chart", spread(made), how
    yield f"'{QUESTION}' as a message of a chat, to its end", spread(ends), how


def _state(event: dict[str, Any]) -> str:
    return str(event["data"].get("currentState", ""))


def weight(address: str) -> Iterator[tuple[str, str, str]]:
    """Weigh the first page with all that it loads from the site, and what its first chart loads besides."""
    with visitor(address) as browser:
        page = browser.get("/")
        known = dict.fromkeys(re.findall(r'(?:src|href)="(/static/[^"#]+)"', page.text))
        sizes = {"/": len(page.content)}
        while links := [link for link in known if link not in sizes]:
            file = browser.get(links[0]).raise_for_status()
            sizes[links[0]] = len(file.content)
            if links[0].endswith(".js"):
                known |= dict.fromkeys(urljoin(links[0], name) for name in STATIC_IMPORT.findall(file.text))
        library = len(browser.get("/static/vendor/vega.js").raise_for_status().content)
    yield "first page with all its files", f"{sum(sizes.values()) / 1000:.0f} kB in {len(sizes)} requests", UNCOMPRESSED
    yield "chart library, with the first chart", f"{library / 1000:.0f} kB", UNCOMPRESSED


@contextmanager
def visitor(address: str) -> Iterator[httpx.Client]:
    """Be a browser with a session of its own."""
    with httpx.Client(base_url=address, timeout=60) as browser:
        browser.get("/").raise_for_status()
        browser.headers["X-CSRFToken"] = browser.cookies["csrftoken"]
        yield browser


def events(browser: httpx.Client, address: str, request: dict[str, Any]) -> Iterator[tuple[float, dict[str, Any]]]:
    """Ask the question; yield the seconds since with each event."""
    begun = time.perf_counter()
    with connect_sse(browser, "POST", address, json=request) as source:
        source.response.raise_for_status()
        for event in source.iter_sse():
            if not event.data:
                continue  # the opening frame, which sets the time to reconnect
            yield time.perf_counter() - begun, (found := event.json())
    if found["type"] != "done":
        raise RuntimeError(f"The question was not answered: {found}")


def spread(seconds: list[float]) -> str:
    """Say the median and the 95th percentile in milliseconds."""
    p95 = statistics.quantiles(seconds, n=20)[-1]
    return f"{statistics.median(seconds) * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms"
