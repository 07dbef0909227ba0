"""What somebody at the other end of a connection waits for."""

import re
import statistics
import time
from collections.abc import Iterator
from urllib.parse import urljoin

import httpx
from httpx_sse import connect_sse

REQUEST = {"operation": "chart_generation", "params": {"question": "Show revenue per month"}, "stream": True}
QUESTIONS = 50


def question(address: str) -> Iterator[tuple[str, str, str]]:
    """Measure from sending the question to its first event, and to the chart."""
    firsts, lasts = [], []
    with client(address) as browser:
        for _ in range(QUESTIONS):
            (first, _kind), *_others, (last, kind) = events(browser)
            if kind != "done":
                raise RuntimeError("The question was not answered.")
            firsts.append(first)
            lasts.append(last)
    how = f"{QUESTIONS} requests, one after the other"
    yield "first event after the request", spread(firsts), how
    yield "'Show revenue per month' to its chart", spread(lasts), how


def weight(address: str) -> tuple[str, str, str]:
    """Weigh the first page and all that it loads from the site."""
    with client(address) as browser:
        page = browser.get("/")
        links = {urljoin(address, link) for link in re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)}
        files = [browser.get(link).raise_for_status() for link in sorted(links)]
    size = sum(len(answer.content) for answer in [page, *files])
    return "first page with all its files", f"{size / 1000:.0f} kB in {1 + len(files)} requests", "before compression"


def client(address: str) -> httpx.Client:
    """Make a visitor with a session of its own."""
    visitor = httpx.Client(base_url=address, timeout=60)
    visitor.get("/").raise_for_status()
    if token := visitor.cookies.get("csrftoken"):
        visitor.headers["X-CSRFToken"] = token
    return visitor


def events(browser: httpx.Client) -> Iterator[tuple[float, str]]:
    """Ask the question; yield the seconds since and the type of each event."""
    begun = time.perf_counter()
    with connect_sse(browser, "POST", "/api/runs", json=REQUEST) as source:
        source.response.raise_for_status()
        for event in source.iter_sse():
            yield time.perf_counter() - begun, event.json()["type"]


def spread(seconds: list[float]) -> str:
    """Say the median and the 95th percentile in milliseconds."""
    p95 = statistics.quantiles(seconds, n=20)[-1]
    return f"{statistics.median(seconds) * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms"
