"""The providers' wire formats: each turns what a model says into the frames that its provider sends."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

CREATED = 1_800_000_000
FINISHES = {  # ours: OpenAI's chat, its responses, Anthropic's, Google's
    "stop": ("stop", "completed", "end_turn", "STOP"),
    "length": ("length", "max_output_tokens", "max_tokens", "MAX_TOKENS"),
    "content_filter": ("content_filter", "content_filter", "refusal", "SAFETY"),
    "tool": ("tool_calls", "completed", "tool_use", "STOP"),
}
# What is wrong: status, OpenAI's code and type, Anthropic's type, Google's status, and a message.
ERRORS = {
    "rate_limit": (429, "rate_limit_exceeded", "requests", "rate_limit_error", "RESOURCE_EXHAUSTED", "Slow down."),
    "overloaded": (529, "overloaded", "server_error", "overloaded_error", "UNAVAILABLE", "Overloaded"),
    "quota": (429, "insufficient_quota", "insufficient_quota", "billing_error", "RESOURCE_EXHAUSTED", "No credit."),
    "server": (500, "server_error", "server_error", "api_error", "INTERNAL", "Internal server error"),
    "key": (401, "invalid_api_key", "invalid_request_error", "authentication_error", "UNAUTHENTICATED", "Bad key."),
    "model": (404, "model_not_found", "invalid_request_error", "not_found_error", "NOT_FOUND", "No such model."),
    "context": (
        400,
        "context_length_exceeded",
        "invalid_request_error",
        "invalid_request_error",
        "INVALID_ARGUMENT",
        "prompt is too long: 250000 tokens > 200000 maximum. The input token count exceeds the maximum number of tokens.",
    ),
    "content": (400, "content_policy_violation", "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT",
                "Blocked by content policy."),
    "invalid": (400, "invalid_value", "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT", "Invalid."),
}  # fmt: skip


class Wire:
    """One answer in one wire format. Each method returns the frames that say what it is called."""

    def __init__(self, model: str, read: int) -> None:
        self.model, self.read = model, read  # `read`: input tokens, of which some formats tell first

    def begin(self) -> str:
        return ""

    def text(self, text: str) -> str:
        raise NotImplementedError

    def thinking(self, text: str) -> str:
        raise NotImplementedError

    def tool(self, name: str, arguments: str, id: str) -> str:
        raise NotImplementedError

    def end(self, finish: str, usage: dict[str, int] | None) -> str:
        raise NotImplementedError

    def ping(self) -> str:
        return ": keep-alive\n\n"

    def error(self, kind: str) -> str:
        return _frame(self.refusal(kind))

    @staticmethod
    def refusal(kind: str, message: str = "") -> dict[str, Any]:
        """The body of an error, over HTTP or in a stream."""
        _status, code, type, _anthropic, _google, usual = ERRORS[kind]
        return {"error": {"message": message or usual, "type": type, "code": code, "param": None}}


class OpenAIChat(Wire):
    """POST /v1/chat/completions"""

    def __init__(self, model: str, read: int) -> None:
        super().__init__(model, read)
        self._tools = 0

    def begin(self) -> str:
        return self._chunk({"role": "assistant", "content": ""})

    def text(self, text: str) -> str:
        return self._chunk({"content": text})

    def thinking(self, text: str) -> str:
        return self._chunk({"reasoning_content": text})

    def tool(self, name: str, arguments: str, id: str) -> str:
        index, self._tools = self._tools, self._tools + 1
        middle = len(arguments) // 2
        first = {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}
        parts = [{"index": index, "function": {"arguments": part}} for part in (arguments[:middle], arguments[middle:])]
        return "".join(self._chunk({"tool_calls": [call]}) for call in (first, *parts))

    def end(self, finish: str, usage: dict[str, int] | None) -> str:
        last = self._chunk({}, finish=FINISHES[finish][0])
        if usage:
            read, wrote = usage["input"], usage["output"]
            told = {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote}
            last += _frame({**self._head(), "choices": [], "usage": told})
        return last + "data: [DONE]\n\n"

    def _head(self) -> dict[str, Any]:
        return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": CREATED, "model": self.model}

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> str:
        return _frame({**self._head(), "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


class OpenAIResponses(Wire):
    """POST /v1/responses"""

    def __init__(self, model: str, read: int) -> None:
        super().__init__(model, read)
        self._seq = 0
        self._items: list[dict[str, Any]] = []
        self._open, self._said = "", ""

    def begin(self) -> str:
        return self._event("response.created", response=self._response("in_progress"))

    def text(self, text: str) -> str:
        opened = self._enter("message")
        self._said += text
        return opened + self._event(
            "response.output_text.delta", **self._here, content_index=0, delta=text, logprobs=[]
        )

    def thinking(self, text: str) -> str:
        opened = self._enter("reasoning")
        self._said += text
        return opened + self._event("response.reasoning_summary_text.delta", **self._here, summary_index=0, delta=text)

    def tool(self, name: str, arguments: str, id: str) -> str:
        closed = self._leave()
        item = {"id": f"fc_{id}", "type": "function_call", "name": name, "call_id": id, "status": "in_progress"}
        added = self._event("response.output_item.added", output_index=len(self._items), item={**item, "arguments": ""})
        here = {"output_index": len(self._items), "item_id": item["id"]}
        middle = len(arguments) // 2
        deltas = "".join(
            self._event("response.function_call_arguments.delta", **here, delta=part)
            for part in (arguments[:middle], arguments[middle:])
        )
        finished = {**item, "arguments": arguments, "status": "completed"}
        done = self._event("response.function_call_arguments.done", **here, name=name, arguments=arguments)
        done += self._event("response.output_item.done", output_index=len(self._items), item=finished)
        self._items.append(finished)
        return closed + added + deltas + done

    def end(self, finish: str, usage: dict[str, int] | None) -> str:
        closed = self._leave()
        if finish in ("length", "content_filter"):
            reason = {"reason": FINISHES[finish][1]}
            response = self._response("incomplete", usage) | {"incomplete_details": reason}
            return closed + self._event("response.incomplete", response=response)
        return closed + self._event("response.completed", response=self._response("completed", usage))

    def error(self, kind: str) -> str:
        _status, code, _type, _anthropic, _google, message = ERRORS[kind]
        return self._event("error", code=code, message=message, param=None)

    @property
    def _here(self) -> dict[str, Any]:
        return {"output_index": len(self._items), "item_id": f"{self._open}_{len(self._items)}"}

    def _enter(self, kind: str) -> str:
        if self._open == kind:
            return ""
        closed = self._leave()
        self._open = kind
        item: dict[str, Any] = {"id": self._here["item_id"], "type": kind, "status": "in_progress"}
        item |= {"role": "assistant", "content": []} if kind == "message" else {"summary": []}
        opened = closed + self._event("response.output_item.added", output_index=len(self._items), item=item)
        if kind == "message":
            part = {"type": "output_text", "text": "", "annotations": []}
            return opened + self._event("response.content_part.added", **self._here, content_index=0, part=part)
        part = {"type": "summary_text", "text": ""}
        return opened + self._event("response.reasoning_summary_part.added", **self._here, summary_index=0, part=part)

    def _leave(self) -> str:
        if not self._open:
            return ""
        item: dict[str, Any] = {"id": self._here["item_id"], "type": self._open, "status": "completed"}
        if self._open == "message":
            item |= {
                "role": "assistant",
                "content": [{"type": "output_text", "text": self._said, "annotations": []}],
            }
            done = self._event("response.output_text.done", **self._here, content_index=0, text=self._said, logprobs=[])
        else:
            item |= {"summary": [{"type": "summary_text", "text": self._said}]}
            done = self._event("response.reasoning_summary_text.done", **self._here, summary_index=0, text=self._said)
        done += self._event("response.output_item.done", output_index=len(self._items), item=item)
        self._items.append(item)
        self._open, self._said = "", ""
        return done

    def _response(self, status: str, usage: dict[str, int] | None = None) -> dict[str, Any]:
        told = None
        if usage:
            told = {
                "input_tokens": usage["input"],
                "output_tokens": usage["output"],
                "total_tokens": usage["input"] + usage["output"],
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens_details": {"reasoning_tokens": 0},
            }
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": CREATED,
            "model": self.model,
            "status": status,
            "output": self._items,
            "usage": told,
            "error": None,
            "incomplete_details": None,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
        }

    def _event(self, type: str, **data: Any) -> str:
        self._seq += 1
        return f"event: {type}\n" + _frame({"type": type, "sequence_number": self._seq, **data})


class Anthropic(Wire):
    """POST /v1/messages"""

    def __init__(self, model: str, read: int) -> None:
        super().__init__(model, read)
        self._index, self._open = 0, ""

    def begin(self) -> str:
        usage = {"input_tokens": self.read, "output_tokens": 1}
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": self.model, "content": []}
        message |= {"stop_reason": None, "stop_sequence": None, "usage": usage}
        return self._event("message_start", message=message) + self.ping()

    def text(self, text: str) -> str:
        return self._enter("text", {"type": "text", "text": ""}) + self._delta(type="text_delta", text=text)

    def thinking(self, text: str) -> str:
        block = {"type": "thinking", "thinking": "", "signature": ""}
        return self._enter("thinking", block) + self._delta(type="thinking_delta", thinking=text)

    def tool(self, name: str, arguments: str, id: str) -> str:
        opened = self._leave() + self._enter("tool", {"type": "tool_use", "id": id, "name": name, "input": {}})
        middle = len(arguments) // 2
        parts = [
            self._delta(type="input_json_delta", partial_json=part) for part in (arguments[:middle], arguments[middle:])
        ]
        return opened + "".join(parts) + self._leave()

    def end(self, finish: str, usage: dict[str, int] | None) -> str:
        # There is no message without its usage on this wire.
        told = usage or {"input": 0, "output": 0}
        delta = {"stop_reason": FINISHES[finish][2], "stop_sequence": None}
        used = {"input_tokens": told["input"], "output_tokens": told["output"]}
        return self._leave() + self._event("message_delta", delta=delta, usage=used) + self._event("message_stop")

    def ping(self) -> str:
        return self._event("ping")

    def error(self, kind: str) -> str:
        return self._event(**self.refusal(kind))

    @staticmethod
    def refusal(kind: str, message: str = "") -> dict[str, Any]:
        _status, _code, _type, anthropic, _google, usual = ERRORS[kind]
        return {"type": "error", "error": {"type": anthropic, "message": message or usual}, "request_id": "req_1"}

    def _enter(self, kind: str, block: dict[str, Any]) -> str:
        if self._open == kind:
            return ""
        closed = self._leave()
        self._open = kind
        return closed + self._event("content_block_start", index=self._index, content_block=block)

    def _leave(self) -> str:
        if not self._open:
            return ""
        signed = self._delta(type="signature_delta", signature="c2lnbmVk") if self._open == "thinking" else ""
        closed = signed + self._event("content_block_stop", index=self._index)
        self._index, self._open = self._index + 1, ""
        return closed

    def _delta(self, **delta: Any) -> str:
        return self._event("content_block_delta", index=self._index, delta=delta)

    def _event(self, type: str, **data: Any) -> str:
        return f"event: {type}\n" + _frame({"type": type, **data})


class Google(Wire):
    """POST /v1beta/models/<model>:streamGenerateContent"""

    def text(self, text: str) -> str:
        return self._parts({"text": text})

    def thinking(self, text: str) -> str:
        return self._parts({"text": text, "thought": True})

    def tool(self, name: str, arguments: str, id: str) -> str:
        return self._parts({"functionCall": {"id": id, "name": name, "args": json.loads(arguments)}})

    def end(self, finish: str, usage: dict[str, int] | None) -> str:
        content = {"role": "model", "parts": []}
        last: dict[str, Any] = {
            "candidates": [{"content": content, "finishReason": FINISHES[finish][3], "index": 0}],
            "modelVersion": self.model,
        }
        if usage:
            read, wrote = usage["input"], usage["output"]
            last["usageMetadata"] = {
                "promptTokenCount": read,
                "candidatesTokenCount": wrote,
                "totalTokenCount": read + wrote,
            }
        return _frame(last)

    @staticmethod
    def refusal(kind: str, message: str = "") -> dict[str, Any]:
        status, _code, _type, _anthropic, google, usual = ERRORS[kind]
        return {"error": {"code": status, "message": message or usual, "status": google}}

    def _parts(self, *parts: dict[str, Any]) -> str:
        content = {"role": "model", "parts": list(parts)}
        return _frame({"candidates": [{"content": content, "index": 0}], "modelVersion": self.model})


WIRES: dict[str, type[Wire]] = {
    "/v1/chat/completions": OpenAIChat,
    "/v1/responses": OpenAIResponses,
    "/v1/messages": Anthropic,
}
GOOGLE = re.compile(r"/v1beta/models/(.+):streamGenerateContent")


def wire_of(path: str, body: dict[str, Any]) -> tuple[type[Wire], str] | None:
    """Return the wire format of an address, and the model that is asked for."""
    if found := GOOGLE.fullmatch(path):
        return Google, found[1]
    return (WIRES[path], body.get("model", "")) if path in WIRES else None


def strings(value: Any) -> Iterator[str]:
    """All the text of a request's body, in order; of JSON in a text, such as a tool's result, also what it holds."""
    if isinstance(value, str):
        yield value
        if value[:1] in ("{", "["):
            with suppress(ValueError):
                yield from strings(json.loads(value))
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def tools_called(body: Any) -> Iterator[tuple[str, str]]:
    """The tool calls that a request's body recounts from earlier turns: name, and arguments as sorted JSON."""
    if isinstance(body, dict):
        name, arguments = (
            body.get("name"),
            next((body[key] for key in ("arguments", "input", "args") if key in body), None),
        )
        if isinstance(name, str) and arguments is not None:
            yield name, canonical(arguments)
        for each in body.values():
            yield from tools_called(each)
    elif isinstance(body, list):
        for each in body:
            yield from tools_called(each)


def canonical(arguments: Any) -> str:
    """Return JSON arguments, text or not, in one spelling."""
    return json.dumps(json.loads(arguments) if isinstance(arguments, str) else arguments, sort_keys=True)


def _frame(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"
