"""What a language model's answer costs on its way through the site, beside the bare client of its provider in the same run."""

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from django.test import override_settings

from agentsite.agent.generation import USUAL_LENGTH, Writing
from agentsite.agent.llm import load_model
from bench.site import visitor
from progress import Progress, StreamingOperation, stream_operation
from tests.providers import Provider, running_provider
from tests.services import site_server

TOKENS, ROUNDS = 2_000, 5
FIRSTS = 30  # answers whose first word is waited for
MODELS = ("openai:bench", "anthropic:bench")
PROMPT = "Write."


class Answer(StreamingOperation[float]):
    """Hear a model out and report it, as `llm_generation` does; the result is when the first word came."""

    operation_name = "bench_answer"
    model: str

    async def execute(self, progress: Progress) -> float:
        from pydantic_ai.messages import ModelRequest

        from agentsite.agent.llm.listening import Piece, listen

        firsts: list[float] = []
        writing = Writing(progress, USUAL_LENGTH)

        def hear(piece: Piece) -> None:
            if not firsts:
                firsts.append(time.perf_counter())
            writing.hear(piece)

        model = await load_model(progress, self.model)
        await listen(progress, model, [ModelRequest.user_text_prompt(PROMPT)], hear)
        return firsts[0]


class BareOpenAI:
    """OpenAI's own client, which keeps its connection."""

    def __init__(self) -> None:
        from openai import AsyncOpenAI

        self.client = AsyncOpenAI()

    async def text(self) -> AsyncIterator[str]:
        messages: Any = [{"role": "user", "content": PROMPT}]
        async for chunk in await self.client.chat.completions.create(model="bench", messages=messages, stream=True):
            if chunk.choices and (text := chunk.choices[0].delta.content):
                yield text


class BareAnthropic:
    """Anthropic's own client, which keeps its connection."""

    def __init__(self) -> None:
        from anthropic import AsyncAnthropic

        self.client = AsyncAnthropic()

    async def text(self) -> AsyncIterator[str]:
        messages: Any = [{"role": "user", "content": PROMPT}]
        stream = await self.client.messages.create(model="bench", max_tokens=4_096, messages=messages, stream=True)
        async for event in stream:
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                yield event.delta.text


BARE: dict[str, type[BareOpenAI] | type[BareAnthropic]] = dict(zip(MODELS, (BareOpenAI, BareAnthropic), strict=True))


def rows(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Measure each provider, then the first word over the site."""
    with running_provider() as provider:
        os.environ.update(provider.environment())
        provider.script("bench", {"steps": [{"words": TOKENS}]})
        for model in MODELS:
            yield per_token(model)
        yield from firsts(provider, folder)


def per_token(model: str) -> tuple[str, str, str]:
    """Measure this process's CPU time for each token: the bare client's, pydantic-ai's, and the whole way into events."""
    alone, (library, whole) = asyncio.run(_bare_cpu(model)), asyncio.run(_whole_cpu(model))
    name = model.partition(":")[0]
    figures = f"{whole:.0f} µs, bare client {alone:.0f} µs"
    how = f"CPU, {library:.0f} µs of it pydantic-ai; {ROUNDS} answers of {TOKENS:,} tokens"
    return f"one token of {name} into events", figures, how


async def _bare_cpu(model: str) -> float:
    bare = BARE[model]()
    async with bare.client:

        async def answer() -> None:
            if len([text async for text in bare.text()]) != TOKENS:
                raise RuntimeError("Not all tokens came.")

        return await _cpu(answer)


async def _whole_cpu(model: str) -> tuple[float, float]:
    from pydantic_ai.direct import model_request_stream
    from pydantic_ai.messages import ModelRequest

    from agentsite.agent.llm import chosen_model, load
    from agentsite.agent.llm.models import close_models

    async def library() -> None:
        request = ModelRequest.user_text_prompt(PROMPT)
        async with model_request_stream(chosen_model(model), [request]) as stream:
            async for _event in stream:
                pass

    with override_settings(AGENT={"MODELS": list(MODELS), "RUN_TOKENS": 10**9}):
        load(model)
        found = await _cpu(library), await _cpu(lambda: stream_operation(Answer(model=model), lambda event: None))
        await close_models()
    return found


async def _cpu(answer: Callable[[], Awaitable[object]]) -> float:
    await answer()  # what is imported and opened once is not the tokens'
    times = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        await answer()
        times.append((time.process_time() - begun) / TOKENS * 1e6)
    return statistics.median(times)


def firsts(provider: Provider, folder: Path) -> Iterator[tuple[str, str, str]]:
    """Measure from the request to the first word: the bare client's, and a visitor's of the site."""
    own = {**provider.environment(), "AGENT_MODEL": MODELS[0], "AGENT_MODELS": MODELS[1]}
    with site_server(f"sqlite:///{folder}/models.sqlite3", **own) as address, visitor(address) as browser:
        provider.script("bench", {"text": "One two three."})
        for model in MODELS:
            alone = asyncio.run(_bare_firsts(model))
            body = {"operation": "llm_generation", "params": {"prompt": PROMPT, "model": model}, "stream": True}
            _first(browser, body)  # the client is loaded and its connection open
            whole = [_first(browser, body) for _ in range(FIRSTS)]
            figures = f"{statistics.median(whole) * 1000:.0f} ms, bare {statistics.median(alone) * 1000:.0f} ms"
            name = model.partition(":")[0]
            yield f"first word of {name}, over the site", figures, f"median of {FIRSTS}, one after the other"


async def _bare_firsts(model: str) -> list[float]:
    bare, found = BARE[model](), []
    async with bare.client:
        for _ in range(FIRSTS + 1):
            begun, first = time.perf_counter(), 0.0
            async for _text in bare.text():
                first = first or time.perf_counter() - begun
            found.append(first)
    return found[1:]


def _first(browser: Any, body: dict[str, Any]) -> float:
    from httpx_sse import connect_sse

    begun, first = time.perf_counter(), 0.0
    with connect_sse(browser, "POST", "/api/runs", json=body) as source:
        source.response.raise_for_status()
        for event in source.iter_sse():
            if event.data and not first and event.json()["type"] == "content":
                first = time.perf_counter() - begun
    return first
