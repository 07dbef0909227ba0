"""Dialects over the logs of real runs: what they say, and that whoever comes back is told the rest of it and nothing twice."""

import json
import uuid

from ag_ui.core import Event
from django.test import override_settings
from pydantic import BaseModel, TypeAdapter

from progress import runs
from progress.batch import Batch
from progress.dialects import FoldedReader
from progress.dialects.ag_ui import WHOLE_AGAIN, AgUi
from progress.dialects.ai_sdk import AiSdk
from progress.dialects.moments import Known
from progress.dialects.native import NATIVE
from progress.events import ProgressEvent
from tests.clients.operations import Calling, Drawn, Refuse, Stalling, Story, Words

from .cast import Count, Fail, Hold, Nested, Stages, Write
from .sse_parser import SSEParser
from .test_api import OPEN, ApiCase

EVENT = TypeAdapter(Event)
PROGRESS = {"ALLOW_ANONYMOUS": True, "PARTS": ["tests.clients.operations.parts"]}
THREAD = "thread"


def frames_in(body):
    """The (id, data) of each frame, read by the rules of the standard."""
    parser = SSEParser()
    parser.feed(body)
    return [(id, data) for id, _type, data in parser.messages]


def chunks_in(body):
    return [json.loads(data) for _id, data in frames_in(body) if data != "[DONE]"]


def types_in(chunks):
    return [chunk["type"] for chunk in chunks]


class AgUiClient:
    """What `@ag-ui/client` 1.0.0 makes of a stream, and what it refuses, by the rules that its own code enforces."""

    def __init__(self, messages=()):
        self.messages = {message["id"]: message for message in messages}
        self.state, self.open, self.steps, self.agents, self.gone = None, set(), set(), set(), set()
        self.began = self.over = False
        self.custom = {}

    def hear(self, chunks):
        for chunk in chunks:
            self._hear(chunk)
        return self

    def _hear(self, chunk):
        model = EVENT.validate_python(chunk)
        assert_nothing_unknown(model)
        type = chunk["type"]
        assert self.began or type in ("RUN_STARTED", "RUN_ERROR")
        assert not self.over, f"{type} after the end"
        assert not (self.began and type == "RUN_STARTED")
        assert type == "CUSTOM" or not any(value is None for value in chunk.values())
        self.began = True
        getattr(self, type, lambda _: None)(chunk)

    def _message(self, id, **new):
        return self.messages.setdefault(id, {"id": id, **new})

    def _opens(self, kind, id):
        assert (kind, id) not in self.open
        self.open.add((kind, id))

    def _closes(self, kind, id):
        self.open.remove((kind, id))

    def TEXT_MESSAGE_START(self, chunk):
        self._opens("text", chunk["messageId"])
        name = {"name": chunk["name"]} if "name" in chunk else {}
        assert self._message(chunk["messageId"], role="assistant", **name)["role"] == "assistant"

    def TEXT_MESSAGE_CONTENT(self, chunk):
        assert ("text", chunk["messageId"]) in self.open
        assert chunk["delta"]
        message = self.messages[chunk["messageId"]]
        message["content"] = (message.get("content") or "") + chunk["delta"]

    def TEXT_MESSAGE_END(self, chunk):
        self._closes("text", chunk["messageId"])

    def REASONING_START(self, chunk):
        self._opens("span", chunk["messageId"])

    def REASONING_END(self, chunk):
        self._closes("span", chunk["messageId"])

    def REASONING_MESSAGE_START(self, chunk):
        self._opens("reasoning", chunk["messageId"])
        self._message(chunk["messageId"], role="reasoning", content="")

    def REASONING_MESSAGE_CONTENT(self, chunk):
        assert ("reasoning", chunk["messageId"]) in self.open
        self.messages[chunk["messageId"]]["content"] += chunk["delta"]

    def REASONING_MESSAGE_END(self, chunk):
        self._closes("reasoning", chunk["messageId"])

    def TOOL_CALL_START(self, chunk):
        self._opens("call", chunk["toolCallId"])
        owner = self._message(chunk["parentMessageId"], role="assistant")
        assert chunk["toolCallId"] not in {call["id"] for call in owner.get("toolCalls", [])}
        function = {"name": chunk["toolCallName"], "arguments": ""}
        owner.setdefault("toolCalls", []).append({"id": chunk["toolCallId"], "type": "function", "function": function})

    def TOOL_CALL_ARGS(self, chunk):
        assert ("call", chunk["toolCallId"]) in self.open
        self._call(chunk)["function"]["arguments"] += chunk["delta"]

    def TOOL_CALL_END(self, chunk):
        self._closes("call", chunk["toolCallId"])
        json.loads(self._call(chunk)["function"]["arguments"])

    def TOOL_CALL_RESULT(self, chunk):
        self._call(chunk)
        assert chunk["messageId"] not in self.messages
        self._message(chunk["messageId"], role="tool", toolCallId=chunk["toolCallId"], content=chunk["content"])

    def _call(self, chunk):
        calls = [call for message in self.messages.values() for call in message.get("toolCalls", [])]
        return next(call for call in calls if call["id"] == chunk["toolCallId"])

    def STEP_STARTED(self, chunk):
        assert chunk["stepName"] not in self.steps
        self.steps.add(chunk["stepName"])

    def STEP_FINISHED(self, chunk):
        self.steps.remove(chunk["stepName"])

    def STATE_SNAPSHOT(self, chunk):
        self.state = chunk["snapshot"]

    def STATE_DELTA(self, chunk):
        self.state = json.loads(json.dumps(self.state))
        for change in chunk["delta"]:
            assert (change["op"], change["path"]) == ("replace", "/run/status")
            self.state["run"]["status"] = change["value"]

    def MESSAGES_SNAPSHOT(self, chunk):
        self.messages = {message["id"]: json.loads(json.dumps(message)) for message in chunk["messages"]}

    def ACTIVITY_SNAPSHOT(self, chunk):
        self._agent_is_there(chunk)
        tag = {key: chunk[key] for key in ("subagentRunId",) if key in chunk}
        self.messages[chunk["messageId"]] = {
            "id": chunk["messageId"],
            "role": "activity",
            "activityType": chunk["activityType"],
            "content": chunk["content"],
            **tag,
        }

    def ACTIVITY_DELTA(self, chunk):
        self._agent_is_there(chunk)
        content = dict(self.messages[chunk["messageId"]]["content"])
        for change in chunk["patch"]:
            key = change["path"].removeprefix("/")
            assert (key in content) is (change["op"] != "add")
            if change["op"] == "remove":
                del content[key]
            else:
                content[key] = change["value"]
        self.messages[chunk["messageId"]]["content"] = content

    def _agent_is_there(self, chunk):
        assert chunk.get("subagentRunId") in {None, *self.agents, *self.gone}

    def SUBAGENT_STARTED(self, chunk):
        assert chunk["subagentRunId"] not in self.agents | self.gone
        self.agents.add(chunk["subagentRunId"])

    def SUBAGENT_FINISHED(self, chunk):
        self.agents.remove(chunk["subagentRunId"])
        self.gone.add(chunk["subagentRunId"])

    SUBAGENT_ERROR = SUBAGENT_FINISHED

    def CUSTOM(self, chunk):
        self.custom[chunk["name"], chunk["value"]["id"]] = chunk["value"]

    def RUN_FINISHED(self, chunk):
        assert (self.open, self.steps, self.agents) == (set(), set(), set())
        self.over = True

    def RUN_ERROR(self, chunk):
        self.over = True

    def seen(self):
        """All that a person could see at the end."""
        messages = {id: {**message, "content": message.get("content") or ""} for id, message in self.messages.items()}
        return messages, self.state, self.custom


def assert_nothing_unknown(model):
    """The client warns of each field that it does not know."""
    assert not model.model_extra, model
    for name in type(model).model_fields:
        value = getattr(model, name)
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, BaseModel):
                assert_nothing_unknown(inner)


class AiSdkClient:
    """What `ai` 7 makes of a stream, and what it refuses."""

    def __init__(self):
        self.parts, self.open, self.metadata, self.id = [], {}, {}, None
        self.transient, self.failure, self.reason = [], None, None

    def hear(self, chunks):
        for chunk in chunks:
            assert self.failure is None
            assert not any(value is None for key, value in chunk.items() if key not in ("output", "data", "input"))
            type = chunk["type"]
            if type.startswith("data-"):
                self._data(chunk)
            else:
                getattr(self, type.replace("-", "_"))(chunk)
        return self

    def start(self, chunk):
        self.__init__()
        self.id = chunk["messageId"]
        self.metadata |= chunk["messageMetadata"]

    def start_step(self, chunk):
        self.parts.append({"type": "step-start"})

    def finish_step(self, chunk):
        pass

    def text_start(self, chunk):
        assert chunk["id"] not in self.open
        self.open[chunk["id"]] = {"type": chunk["type"].partition("-")[0], "id": chunk["id"], "text": ""}
        self.parts.append(self.open[chunk["id"]])

    def text_delta(self, chunk):
        self.open[chunk["id"]]["text"] += chunk["delta"]

    def text_end(self, chunk):
        del self.open[chunk["id"]]

    reasoning_start, reasoning_delta, reasoning_end = text_start, text_delta, text_end

    def tool_input_start(self, chunk):
        assert chunk["toolCallId"] not in {part.get("toolCallId") for part in self.parts}
        assert (chunk["dynamic"], chunk["providerExecuted"]) == (True, True)
        self.parts.append({"type": "dynamic-tool", "toolCallId": chunk["toolCallId"], "state": "input-streaming"})

    def tool_input_available(self, chunk):
        self._tool(chunk, "input-available", input=chunk["input"])

    def tool_output_available(self, chunk):
        self._tool(chunk, "output-available", output=chunk["output"], preliminary=chunk.get("preliminary", False))

    def tool_output_error(self, chunk):
        self._tool(chunk, "output-error", errorText=chunk["errorText"])

    def _tool(self, chunk, state, **fields):
        part = next(part for part in self.parts if part.get("toolCallId") == chunk["toolCallId"])
        assert part.get("preliminary", part["state"] != "output-error"), "it was answered already"
        part |= {"state": state, **fields}

    def _data(self, chunk):
        if chunk.get("transient"):
            return self.transient.append(chunk)
        for part in self.parts:
            if (part["type"], part.get("id")) == (chunk["type"], chunk["id"]):
                part["data"] = chunk["data"]
                return None
        self.parts.append({"type": chunk["type"], "id": chunk["id"], "data": chunk["data"]})

    def message_metadata(self, chunk):
        self.metadata |= chunk["messageMetadata"]

    def abort(self, chunk):
        pass

    def finish(self, chunk):
        assert not self.open
        self.metadata |= chunk["messageMetadata"]
        self.reason = chunk["finishReason"]

    def error(self, chunk):
        self.failure = chunk["errorText"]

    def text(self, id="text"):
        return "".join(part["text"] for part in self.parts if part.get("id") == id)


@override_settings(PROGRESS=PROGRESS)
class DialectCase(ApiCase):
    async def record(self, operation, stop_at=None):
        run = await runs.start(operation, owner=self.alice)
        if stop_at:
            await self.until(run, stop_at)
            await runs.cancel(run)
        await self.end_of(run)
        return run, await self.events(run)

    async def every_kind(self):
        """Logs of runs of all kinds, by what happens in them."""
        stories = {
            "success": Story(),
            "nested": Nested(),
            "states": Stages(),
            "text": Write(text="ä" * 50, size=3),
            "part": Drawn(),
            "tool that does not return": Stalling(),
            "failure": Refuse(),
            "internal failure": Fail(how="mistake"),
            "batch": Batch(items=[Count(), Refuse(), Words(words=3)]),
            "batch that ends with its first failure": Batch(items=[Refuse(), Hold()], on_failure="fail_fast"),
            "many": Count(to=WHOLE_AGAIN + 30),
        }
        return {
            "cancel": await self.record(Calling(), stop_at="executing_wait"),
            "cancelled batch": await self.record(Batch(items=[Hold(), Count()]), stop_at="running"),
            **{name: await self.record(operation) for name, operation in stories.items()},
        }

    def chunks(self, dialect, events, after=0):
        return chunks_in(dialect.reader(after).frames(fresh(events)))


def fresh(events):
    """The same events as another process reads them: nothing is shared with who read them before."""
    return [ProgressEvent(event.type, payload=event.payload, at=event.at, seq=event.seq) for event in events]


class EveryKindTests(DialectCase):
    async def test_whoever_comes_back_gets_the_rest(self):
        """For every cut of every log: after the prelude, the frames are those of who never left, and all is seen in the end."""
        for name, (run, events) in (await self.every_kind()).items():
            with self.subTest(name):
                self.check_ag_ui(run, events)
                self.check_ai_sdk(run, events)
                assert NATIVE.reader(3).frames(events[3:]).count(b"data: ") == len(events) - 3

    def check_ag_ui(self, run, events):
        dialect = AgUi(run.pk, THREAD)
        whole = AgUiClient().hear(self.chunks(dialect, events))
        assert whole.over
        reader = dialect.reader(0)
        per_event = [chunks_in(reader.frames([event])) for event in fresh(events)]
        for cut in range(1, len(events)):
            resumed = self.chunks(dialect, events, cut)
            rest = [chunk for chunks in per_event[cut:] for chunk in chunks]
            prelude, tail = resumed[: len(resumed) - len(rest)], resumed[len(resumed) - len(rest) :]
            assert tail == rest
            assert prelude[0]["type"] == "RUN_STARTED"
            new_page = AgUiClient().hear(resumed)
            assert new_page.seen() == whole.seen()
            # A page that was cut off in the middle of an event still has half of what it said.
            half = [*(chunk for chunks in per_event[:cut] for chunk in chunks), *per_event[cut][:-1]]
            same_page = AgUiClient(AgUiClient().hear(half).messages.values())
            assert same_page.hear(resumed).seen()[:2] == whole.seen()[:2]

    def check_ai_sdk(self, run, events):
        dialect = AiSdk(run.pk)
        chunks = self.chunks(dialect, events)
        whole = AiSdkClient().hear(chunks)
        assert not whole.open
        assert (whole.reason is None) is (whole.failure is not None)
        assert whole.id == str(run.pk)
        for cut in range(1, len(events)):
            before = self.chunks(dialect, events[:cut])
            assert before + self.chunks(dialect, events, cut) == chunks
            assert AiSdkClient().hear(before).hear(chunks).parts == whole.parts  # a replay builds the message anew

    async def test_what_is_known_is_never_changed(self):
        run, events = await self.record(Story())
        for dialect in (AgUi(run.pk), AiSdk(run.pk)):
            known, before = dialect.begin(), repr(Known())
            for event in fresh(events):
                assert repr(known) == before
                again, _ = dialect.step(known, event)
                assert repr(known) == before
                known, before = again, repr(again)

    async def test_readers_of_a_process_share_what_is_made_of_an_event(self):
        run, events = await self.record(Story())
        made = []

        class Counted(AiSdk):
            def step(self, known, event):
                made.append(event.seq)
                return super().step(known, event)

        readers = [FoldedReader(Counted(run.pk)) for _ in range(3)]
        bodies = {reader.frames(events) for reader in readers}
        assert (len(bodies), made) == (1, [event.seq for event in events])


class AgUiTests(DialectCase):
    async def tell(self, operation, **options):
        run, events = await self.record(operation, **options)
        self.run_ = run
        self.body = AgUi(run.pk, THREAD, "named").reader(0).frames(events)
        chunks = chunks_in(self.body)
        return chunks, AgUiClient().hear(chunks)

    async def test_a_story(self):
        chunks, client = await self.tell(Story())
        run = str(self.run_.pk)
        assert chunks[0] == {
            "type": "RUN_STARTED",
            "threadId": THREAD,
            "runId": "named",
            "protocolVersion": "1.0",
            "timestamp": chunks[0]["timestamp"],
            "metadata": {"app.run": run},
        }
        answer = client.messages[run]
        assert answer["content"] == "Let me look. Gold it is \u2028 \U0001f600.\r\n"
        calls = {call["id"]: call["function"] for call in answer["toolCalls"]}
        assert calls["bad"] == {"name": "test_break", "arguments": '{"what":["a",null]}'}
        results = {call: client.messages[f"{call}:result"]["content"] for call in calls}
        assert results == {"good": '{"grams":3}', "plain": "Aurum", "large": "12,000 rows", "bad": "Empty."}
        (failed,) = [chunk for chunk in chunks if chunk.get("toolCallId") == "bad" and "content" in chunk]
        assert failed["metadata"]["app.error"] == {"code": "no_data", "message": "Empty."}
        assert client.messages[f"{run}:reasoning"]["content"] == "Where to begin? So be it."
        assert client.messages[f"{run}:test_aside:text"]["content"] == "An aside, not the answer." * 2
        within = client.messages[f"{run}:op:test_aside:good"]["content"]
        assert (within["toolCallId"], within["currentState"], within["percentage"]) == ("good", "completed", 100)
        assert client.messages[f"{run}:op:test_story"]["content"]["currentState"] == "completed"
        assert client.state == {"run": {"id": run, "operation": "test_story", "status": "completed"}}
        end = chunks[-1]
        assert (end["type"], end["outcome"], end["result"]["weight"]) == ("RUN_FINISHED", {"type": "success"}, 3)
        assert end["usage"] == [{"inputTokens": 12, "outputTokens": 5}]
        steps = [chunk["stepName"] for chunk in chunks if chunk["type"] == "STEP_STARTED"]
        assert [name for name in steps if name.startswith("test_story/")] == [
            f"test_story/{state}" for state in ("queued", "thinking", "working", "answering")
        ]

    async def test_the_bytes(self):
        chunks, _ = await self.tell(Story())
        assert b"\r" not in self.body
        assert self.body.isascii()
        assert b"[DONE]" not in self.body  # on which HttpAgent throws
        assert all(line.startswith((b"data: {", b"id: ")) or not line for line in self.body.split(b"\n"))
        assert all(type(chunk["timestamp"]) is int for chunk in chunks)

    async def test_the_number_of_an_event_comes_with_its_last_frame(self):
        await self.tell(Story())
        with_id = [json.loads(data) for id, data in distinct_ids(self.body)]
        numbers = [chunk["metadata"]["app.seq"] for chunk in with_id]
        assert numbers == [int(id) for id, _data in distinct_ids(self.body)]
        await self.run_.arefresh_from_db()
        assert numbers == sorted(set(numbers))  # an event that changes nothing has no frame
        assert numbers[-1] == self.run_.last_seq

    async def test_a_cancelled_run_closes_what_was_open(self):
        chunks, client = await self.tell(Calling(), stop_at="executing_wait")
        assert chunks[-1]["outcome"] == {"type": "cancelled"}
        assert client.messages["w1:result"]["content"] == "Cancelled."
        assert client.messages[str(self.run_.pk)]["content"] == "One moment, please"

    async def test_errors(self):
        for operation, code, text in (
            (Stalling(), "timeout", "One moment, please"),
            (Refuse(), "no_data", "It was going so "),
        ):
            chunks, client = await self.tell(operation)
            assert (chunks[-1]["type"], chunks[-1]["code"]) == ("RUN_ERROR", code)
            assert client.messages[str(self.run_.pk)]["content"] == text
            assert client.state["run"]["status"] == "failed"
        chunks, _ = await self.tell(Fail(how="mistake"))
        assert chunks[-1]["metadata"]["app.errorId"]
        assert "canary" not in json.dumps(chunks)

    async def test_children_of_a_batch_are_subagents(self):
        chunks, client = await self.tell(Batch(items=[Count(), Refuse()]))
        ends = {chunk["subagentRunId"]: chunk["type"] for chunk in chunks if chunk["type"].startswith("SUBAGENT_")}
        await self.run_.arefresh_from_db()
        children = [child async for child in self.run_.children.order_by("position")]
        assert ends == {str(children[0].pk): "SUBAGENT_FINISHED", str(children[1].pk): "SUBAGENT_ERROR"}
        first = client.messages[f"{self.run_.pk}:child:{children[0].pk}"]
        assert (first["content"]["percentage"], first["subagentRunId"]) == (100, str(children[0].pk))

    async def test_what_it_shows_of_an_operation_is_shown_as_a_whole_from_time_to_time(self):
        chunks, _ = await self.tell(Count(to=WHOLE_AGAIN * 2))
        sizes = [chunk["type"] for chunk in chunks if chunk["type"].startswith("ACTIVITY")]
        if len(sizes) > WHOLE_AGAIN + 1:
            assert sizes[WHOLE_AGAIN + 1] == "ACTIVITY_SNAPSHOT"

    async def test_parts(self):
        chunks, client = await self.tell(Drawn())
        assert client.custom == {("picture", "7"): {"id": "7", "url": "/pictures/7"}}
        assert types_in(chunks).index("CUSTOM") < types_in(chunks).index("RUN_FINISHED")

    async def test_history_comes_before_what_the_run_has_said(self):
        run, events = await self.record(Write(text="now", size=3))
        history = ({"id": "1", "role": "user", "content": "before"},)
        cut = next(event.seq for event in events if event.type == "content")
        resumed = chunks_in(AgUi(run.pk, THREAD, history=history).reader(cut).frames(events))
        (snapshot,) = [chunk for chunk in resumed if chunk["type"] == "MESSAGES_SNAPSHOT"]
        assert [message.get("content") for message in snapshot["messages"] if message["role"] != "activity"] == [
            "before",
            "now",
        ]


class AiSdkTests(DialectCase):
    async def tell(self, operation, **options):
        run, events = await self.record(operation, **options)
        self.run_ = run
        self.body = AiSdk(run.pk).reader(0).frames(events)
        chunks = chunks_in(self.body)
        return chunks, AiSdkClient().hear(chunks)

    async def test_a_story(self):
        chunks, client = await self.tell(Story())
        assert types_in(chunks)[:2] == ["start", "start-step"]
        assert self.body.endswith(b"data: [DONE]\n\n")
        assert client.text() == "Let me look. Gold it is \u2028 \U0001f600.\r\n"
        assert client.text("reasoning") == "Where to begin? So be it."
        assert client.text("text:test_aside") == "An aside, not the answer." * 2
        tools = {part["toolCallId"]: part for part in client.parts if part["type"] == "dynamic-tool"}
        assert tools["bad"] == {
            "type": "dynamic-tool",
            "toolCallId": "bad",
            "state": "output-error",
            "errorText": "Empty.",
            "input": {"what": ["a", None]},
            "output": tools["bad"]["output"],
            "preliminary": True,
        }
        outputs = {id: part["output"] for id, part in tools.items() if id != "bad"}
        assert outputs == {"good": {"grams": 3}, "plain": "Aurum", "large": "12,000 rows"}
        assert (client.reason, client.metadata["status"]) == ("stop", "completed")
        assert client.metadata["usage"] == {"input_tokens": 12, "output_tokens": 5}
        assert client.transient[0]["data"]["weight"] == 3
        # What comes after a call is written after it.
        order = [part["type"] for part in client.parts if part["type"] in ("text", "dynamic-tool")]
        assert order[:2] == ["text", "dynamic-tool"]
        assert order[-1] == "text"

    async def test_what_a_tool_reports_is_a_preliminary_output(self):
        chunks, _ = await self.tell(Story())
        shown = [
            chunk["output"]["message"] for chunk in chunks if chunk.get("preliminary") and chunk["toolCallId"] == "good"
        ]
        assert "Half done" in shown

    async def test_a_cancelled_run(self):
        chunks, client = await self.tell(Calling(), stop_at="executing_wait")
        assert types_in(chunks)[-3:] == ["abort", "finish-step", "finish"]
        assert (client.reason, client.metadata["status"]) == ("interrupted", "cancelled")
        (tool,) = [part for part in client.parts if part["type"] == "dynamic-tool"]
        assert (tool["state"], tool["errorText"]) == ("output-error", "Cancelled.")

    async def test_errors(self):
        for operation, code, text in (
            (Stalling(), "timeout", "One moment, please"),
            (Refuse(), "no_data", "It was going so "),
        ):
            chunks, client = await self.tell(operation)
            assert types_in(chunks)[-1] == "error"
            assert (client.metadata["status"], client.metadata["code"]) == ("error", code)
            assert client.text() == text

    async def test_a_batch(self):
        _, client = await self.tell(Batch(items=[Count(), Refuse()]))
        shown = {part["id"].partition(":")[0]: part["data"] for part in client.parts if part["type"] == "data-progress"}
        assert (shown["op"]["operation"], shown["op"]["percentage"]) == ("batch", 100)
        assert sum(part.get("id", "").startswith("child:") for part in client.parts) == 2

    async def test_parts(self):
        _, client = await self.tell(Drawn())
        assert [part for part in client.parts if part["type"] == "data-picture"] == [
            {"type": "data-picture", "id": "picture:7", "data": {"id": "7", "url": "/pictures/7"}}
        ]


def distinct_ids(body):
    """The frames that have a line `id` of their own."""
    blocks = [dict(line.split(": ", 1) for line in block.split("\n") if line) for block in body.decode().split("\n\n")]
    return [(block["id"], block["data"]) for block in blocks if "id" in block]


@OPEN
class FormatTests(ApiCase):
    """`?format=` over HTTP."""

    async def body(self, response):
        return b"".join([chunk async for chunk in response.streaming_content])

    async def test_every_post_that_streams(self):
        client = await self.aclient_of(self.alice)
        count = {"operation": "test_count", "params": {"to": 2}}
        failed = await self.finished(Fail(), owner=self.alice)
        for path, body in (
            ("/api/runs", {**count, "stream": True}),
            ("/api/batches", {"items": [count], "stream": True}),
            (f"/api/runs/{failed.pk}/retry", {}),
        ):
            for name, first in (
                ("native", "progress"),
                ("seed", "progress"),
                ("ag-ui", "RUN_STARTED"),
                ("ai-sdk", "start"),
            ):
                with self.subTest(path=path, format=name):
                    response = await self.post(client, f"{path}?format={name}", body, Accept="text/event-stream")
                    assert response.status_code == 200, response.content
                    assert chunks_in(await self.body(response))[0]["type"] == first
                    assert response.get("x-vercel-ai-ui-message-stream") == ("v1" if name == "ai-sdk" else None)

    async def test_an_unknown_format_is_refused_and_nothing_is_started(self):
        client = await self.aclient_of(self.alice)
        run = await self.finished(Fail(), owner=self.alice)
        for ask in (
            self.post(client, "/api/runs?format=xml", {"operation": "test_count"}),
            self.post(client, "/api/batches?format=xml", {"items": [{"operation": "test_count"}]}),
            self.post(client, f"/api/runs/{run.pk}/retry?format=xml"),
            client.get(f"/api/runs/{run.pk}/events?format=xml"),
        ):
            body = self.assertProblem(await ask, 422, "invalid_request", "use one of native, ag-ui, ai-sdk")
            assert body["errors"][0]["field"] == "format"
        assert len((await client.get("/api/runs")).json()["items"]) == 1

    async def test_from_where_a_reader_goes_on(self):
        client = await self.aclient_of(self.alice)
        run = await self.finished(Story(), owner=self.alice)
        url = f"/api/runs/{run.pk}/events"
        for dialect in (AgUi(run.pk), AiSdk(run.pk)):
            events = await self.events(run)
            for position, after in (
                ("", 0),
                (5, 5),
                (10**6, dialect.lost(run.last_seq - 1)),
                ("x", dialect.lost(run.last_seq - 1)),
            ):
                response = await client.get(f"{url}?format={dialect.name}&after={position}")
                body = (await self.body(response)).removeprefix(b"retry: 2000\n: open\n\n")
                assert body == dialect.reader(after).frames(fresh(events)), (dialect, position)
            again = await client.get(f"{url}?format={dialect.name}", headers={"Last-Event-ID": str(run.last_seq)})
            assert again.status_code == 204

    async def test_live_and_read_again_are_the_same(self):
        client = await self.aclient_of(self.alice)
        for name in ("ag-ui", "ai-sdk"):
            live = await self.post(
                client,
                f"/api/runs?format={name}",
                {"operation": "test_story", "params": {"rest": 0.02}, "stream": True},
            )
            first = await self.body(live)
            again = await client.get(f"/api/runs/{live['X-Run-Id']}/events?format={name}")
            assert await self.body(again) == first

    async def test_the_stored_events_are_json_whatever_the_format(self):
        client = await self.aclient_of(self.alice)
        run = await self.finished(Count(), owner=self.alice)
        answer = await client.get(f"/api/runs/{run.pk}/events?format=ag-ui", headers={"Accept": "application/json"})
        assert len(answer.json()["items"]) == run.last_seq


def test_a_call_that_is_reported_again_by_another_attempt_is_told_once():
    about = {"toolCallId": "a", "toolName": "t"}
    states = [("executing_t", {"arguments": {}}), ("completed_t", {"result": 1})] * 2
    events = [told("queued"), *(told(state, **about, **more) for state, more in states), told("completed")]
    events.append(ProgressEvent("done", {"operation": "op", "message": "", "metadata": {}}))
    for seq, event in enumerate(events, 1):
        event.seq = seq
    run = uuid.uuid4()
    AgUiClient().hear(chunks_in(AgUi(run).reader(0).frames(events)))
    AiSdkClient().hear(chunks_in(AiSdk(run).reader(0).frames(events)))


def told(state, **metadata):
    data = {"operation": "op", "percentage": 0, "message": "", "currentState": state, "metadata": metadata}
    return ProgressEvent("progress", data)
