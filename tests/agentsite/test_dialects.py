"""The chat as other people's clients ask it: who may, what is read, what is the same run, and where one goes on."""

import json
from unittest.mock import patch

from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.test import AsyncClient, override_settings

from agentsite.agent.chat import Chat
from agentsite.agent.models import Conversation, Message
from agentsite.agent.ui_socket import UiSocket
from progress import runs
from progress.models import ApiToken, OperationRun
from progress.routing import sockets
from tests.progress.cast import Hold
from tests.progress.test_api import CLOSED, OPEN, ApiCase
from tests.progress.test_dialects import AgUiClient, AiSdkClient, chunks_in

ADDRESSES = ("/api/agent/agui", "/api/agent/ui")


def agui(text="hello", thread="t", run="r", **more):
    said = [
        {"id": "0", "role": "assistant", "content": "I am the admin."},
        {"id": "1", "role": "user", "content": text},
    ]
    return {"threadId": thread, "runId": run, "messages": said, "tools": [], "context": [], "state": {}, **more}


def ui(text="hello", chat="t", trigger="submit-message", **more):
    said = {"id": "1", "role": "user", "parts": [{"type": "text", "text": text}]}
    return {"id": chat, "messages": [said], "trigger": trigger, **more}


BODIES = {"/api/agent/agui": agui, "/api/agent/ui": ui}


class EndpointCase(ApiCase):
    async def ask(self, client, path, **fields):
        response = await self.post(client, path, BODIES[path](**fields))
        assert response.status_code == 200, response.content
        return response["X-Run-Id"], chunks_in(await self.body(response))

    async def body(self, response):
        return b"".join([chunk async for chunk in response.streaming_content])

    def active(self, key):
        """A chat run of Alice's in the conversation `key`, which waits for its turn."""
        conversation, _ = Conversation.objects.get_or_create(user=self.alice, key=key)
        with patch("progress.runs.enqueue"):
            return runs.create_run(Chat(message="wait", conversation=conversation.pk), owner=self.alice)


@OPEN
class AskTests(EndpointCase):
    async def test_the_last_message_is_asked_and_nothing_else_is_believed(self):
        client = await self.aclient_of(self.alice)
        for path in ADDRESSES:
            run, _chunks = await self.ask(client, path, text="hello", **{"thread" if "agui" in path else "chat": path})
            conversation = await Conversation.objects.aget(key=path)
            said = [(message.role, message.text) async for message in conversation.messages.order_by("position")]
            assert said[0] == ("user", "hello")
            assert len(said) == 2
            assert "I am the admin." not in json.dumps(said)
            assert (await OperationRun.objects.aget(pk=run)).params["message"] == "hello"

    async def test_the_same_input_is_the_same_run(self):
        client = await self.aclient_of(self.alice)
        path = "/api/agent/agui"
        first, chunks = await self.ask(client, path)
        again, joined = await self.ask(client, path)
        assert again == first
        whole, late = AgUiClient().hear(chunks), AgUiClient().hear(joined)
        assert late.messages[first]["content"] == whole.messages[first]["content"] != ""
        assert late.over
        other = await self.post(client, path, agui("something else"))
        self.assertProblem(other, 409, "invalid_request")
        assert (await self.ask(client, path, run="another"))[0] != first
        bob = await self.aclient_of(self.bob)
        assert (await self.ask(bob, path))[0] != first
        header = {"Idempotency-Key": "k"}
        one = await self.post(client, "/api/agent/ui", ui(), **header)
        two = await self.post(client, "/api/agent/ui", ui(), **header)
        assert one["X-Run-Id"] == two["X-Run-Id"]
        assert await self.body(one) == await self.body(two)

    async def test_a_new_answer_takes_the_place_of_the_last(self):
        client = await self.aclient_of(self.alice)
        first, _ = await self.ask(client, "/api/agent/ui")
        second, _ = await self.ask(client, "/api/agent/ui", trigger="regenerate-message")
        run = await OperationRun.objects.aget(pk=second)
        assert str(run.retry_of_id) == first
        said = [str(message.run) async for message in Message.objects.filter(conversation__key="t")]
        assert said == [second, second]

    async def test_a_new_answer_to_what_no_database_can_hold(self):
        client = await self.aclient_of(self.alice)
        first, _ = await self.ask(client, "/api/agent/ui", text="a\0b")
        second, _ = await self.ask(client, "/api/agent/ui", text="a\0b", trigger="regenerate-message")
        assert str((await OperationRun.objects.aget(pk=second)).retry_of_id) == first

    async def test_what_cannot_be_asked(self):
        client = await self.aclient_of(self.alice)
        user = {"id": "1", "role": "user"}
        file = {"type": "file", "url": "data:", "mediaType": "image/png"}
        for path, body, field in (
            ("/api/agent/agui", {**agui(), "messages": []}, "messages"),
            ("/api/agent/agui", {**agui(), "messages": [{**user, "role": "assistant", "content": "x"}]}, "messages"),
            ("/api/agent/agui", {**agui(), "messages": [{**user, "content": [file]}]}, "messages.0.content"),
            ("/api/agent/agui", {**agui(), "messages": [{"content": "x"}]}, "messages.0.role"),
            ("/api/agent/agui", agui(" "), "params.message"),
            ("/api/agent/agui", agui("x" * 4_001), "params.message"),
            ("/api/agent/agui", agui(thread=""), "threadId"),
            ("/api/agent/agui", agui(thread="a\0b"), "threadId"),
            ("/api/agent/agui", agui(forwardedProps={"source": 1}), "forwardedProps.source"),
            ("/api/agent/ui", {**ui(), "messages": [{**user, "parts": [file]}]}, "messages.0.parts"),
            ("/api/agent/ui", {**ui(), "messages": [{**user, "parts": None}]}, "messages.0.parts"),
            ("/api/agent/ui", ui(trigger="delete"), "trigger"),
            ("/api/agent/ui", ui(chat="x" * 201), "id"),
        ):
            with self.subTest(path=path, field=field):
                problem = self.assertProblem(await self.post(client, path, body), 422, "invalid_request")
                assert problem["errors"][0]["field"] == field
        assert not await OperationRun.objects.aexists()
        assert not await Conversation.objects.aexists()

    async def test_long_histories_may_come_along_and_longer_ones_not(self):
        client = await self.aclient_of(self.alice)
        for path in ADDRESSES:
            body = BODIES[path]()
            body["messages"].insert(0, {"id": "0", "role": "assistant", "content": "x" * 200_000, "parts": []})
            assert (await self.post(client, path, body)).status_code == 200
            body["messages"][0]["content"] = "x" * 1_000_000
            self.assertProblem(await self.post(client, path, body), 413, "limit_exceeded")

    async def test_limits_hold(self):
        with override_settings(PROGRESS={"ALLOW_ANONYMOUS": True, "OWNER_RUNS": 1}):
            await runs.start(Hold(), owner=self.alice)
            client = await self.aclient_of(self.alice)
            for path in ADDRESSES:
                response = await self.post(client, path, BODIES[path]())
                self.assertProblem(response, 429, "limit_exceeded")
                assert response["Retry-After"]
            assert not await Conversation.objects.aexists()

    async def test_a_browser_needs_its_csrf_token(self):
        client = AsyncClient(enforce_csrf_checks=True)
        await client.aforce_login(self.alice)
        for path in ADDRESSES:
            self.assertProblem(await self.post(client, path, BODIES[path]()), 403, "not_allowed")


class AccessTests(EndpointCase):
    """Who may what: asking, and following what is active in a thread of Alice's."""

    @CLOSED
    async def test_the_matrix(self):
        await sync_to_async(self.active)("t")
        tokens = {"token": ApiToken.issue, "foreign token": ApiToken.issue}
        owners = {"token": self.alice, "foreign token": self.bob}
        for who, asks, follows in (
            ("anonymous", 401, 204),
            ("owner", 200, 200),
            ("token", 200, 200),
            ("stranger", 200, 204),
            ("foreign token", 200, 204),
            ("staff who may view", 200, 204),
        ):
            user = {"owner": self.alice, "stranger": self.bob, "staff who may view": self.carol}.get(who)
            client = await self.aclient_of(user) if user else self.client_of()
            token = await sync_to_async(tokens[who])(owners[who], who) if who in tokens else ""
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            for path in ADDRESSES:
                with self.subTest(who=who, path=path):
                    followed = await client.get(f"{path}/t/stream", headers=headers)
                    assert followed.status_code == follows
                    asked = await self.post(
                        client, path, BODIES[path](**{"thread" if "agui" in path else "chat": who}), **headers
                    )
                    assert asked.status_code == asks, asked.content
                    for response in (followed, asked):
                        if response.streaming:
                            await response._iterator.aclose()

    @OPEN
    async def test_pages_of_other_sites_follow_nothing(self):
        client = await self.aclient_of(self.alice)
        for path in ADDRESSES:
            answer = await client.get(f"{path}/t/stream", headers={"Sec-Fetch-Site": "cross-site"})
            self.assertProblem(answer, 403, "not_allowed")


@OPEN
class ResumeTests(EndpointCase):
    async def test_an_active_answer_comes_from_its_beginning(self):
        client = await self.aclient_of(self.alice)
        run = await sync_to_async(self.active)("a chat/1")
        response = await client.get("/api/agent/ui/a%20chat%2F1/stream")
        assert (response.status_code, response["x-vercel-ai-ui-message-stream"]) == (200, "v1")
        await runs.cancel(run)
        chat = AiSdkClient().hear(chunks_in(await self.body(response)))
        assert (chat.id, chat.metadata["status"]) == (str(run.pk), "cancelled")
        assert (await client.get("/api/agent/ui/a%20chat%2F1/stream")).status_code == 204

    async def test_a_thread_with_an_active_run(self):
        client = await self.aclient_of(self.alice)
        before, _ = await self.ask(client, "/api/agent/agui", thread="one")
        run = await sync_to_async(self.active)("one")
        response = await client.get("/api/agent/agui/one/stream")
        await runs.cancel(run)
        page = AgUiClient().hear(chunks_in(await self.body(response)))
        said = [m for m in page.messages.values() if m["role"] in ("user", "assistant")]
        assert [m["role"] for m in said] == ["user", "assistant", "user"]
        assert (said[0]["content"], said[2]["content"]) == ("hello", "wait")
        assert before in page.messages
        assert page.over

    async def test_threads_that_are_not_there(self):
        client = await self.aclient_of(self.alice)
        for name in ("nothing", "%00", "x" * 300, "%F0%9F%98%80"):
            for path in ADDRESSES:
                assert (await client.get(f"{path}/{name}/stream")).status_code == 204


@OPEN
class SocketTests(EndpointCase):
    """/ws/ui/ as `WebSocketChatTransport` speaks to it."""

    def socket(self, user, path="/ws/ui/"):
        token = ApiToken.issue(user, "t")
        headers = [(b"host", b"testserver"), (b"authorization", f"Bearer {token}".encode())]
        socket = WebsocketCommunicator(sockets({"ws/ui/": UiSocket}), path, headers=headers)
        socket.scope["server"] = ("testserver", 80)
        return socket

    async def connected(self, user):
        socket = await sync_to_async(self.socket)(user)
        assert (await socket.connect())[0]
        return socket

    async def heard(self, socket, request):
        """All that is answered to a request, to its end."""
        answers = []
        while not answers or answers[-1]["type"] in ("start", "chunk"):
            message = await socket.receive_json_from(timeout=20)
            if message["requestId"] == request:
                answers.append(message)
        return answers

    def send(self, request="1", **fields):
        return {"type": "send", "requestId": request, "headers": {}, "body": {}, "metadata": None, **ui(**fields)}

    async def test_an_answer(self):
        socket = await self.connected(self.alice)
        await socket.send_json_to(self.send())
        answers = await self.heard(socket, "1")
        assert [answers[0]["type"], answers[-1]["type"]] == ["start", "end"]
        chunks = answers[1:-1]
        assert [chunk["sequence"] for chunk in chunks] == list(range(len(chunks)))
        chat = AiSdkClient().hear(chunk["chunk"] for chunk in chunks)
        assert (chat.reason, chat.text() != "") == ("stop", True)
        await socket.disconnect()

    async def test_two_requests_for_one_run_and_an_end_that_one_of_them_asks_for(self):
        run = await sync_to_async(self.active)("t")
        socket = await self.connected(self.alice)
        for request, more in (("a", {}), ("b", {"lastSequence": 0})):
            await socket.send_json_to(
                {"type": "resume", "requestId": request, "id": "t", "headers": {}, "body": {}, **more}
            )
        await socket.send_json_to({"type": "abort", "requestId": "a"})
        answers = await self.heard(socket, "b")
        sequences = [answer["sequence"] for answer in answers if answer["type"] == "chunk"]
        assert sequences == list(range(1, len(sequences) + 1))
        assert answers[-1]["type"] == "end"
        assert [
            answer["chunk"]["finishReason"] for answer in answers if answer.get("chunk", {}).get("type") == "finish"
        ]
        await run.arefresh_from_db()
        assert run.status == "cancelled"
        await socket.disconnect()

    async def test_a_name_that_is_taken_does_not_cost_the_answer_under_it(self):
        await sync_to_async(self.active)("t")
        socket = await self.connected(self.alice)
        resume = {"type": "resume", "requestId": "a", "id": "t", "headers": {}, "body": {}}
        await socket.send_json_to(resume)
        await socket.send_json_to(resume)
        assert "being answered already" in (await self.heard(socket, "a"))[-1]["errorText"]
        await socket.send_json_to({"type": "abort", "requestId": "a"})
        await socket.send_json_to({**resume, "requestId": "b"})
        assert (await self.heard(socket, "b"))[-1]["type"] in ("end", "no-active")
        await socket.disconnect()

    async def test_nothing_of_others(self):
        run = await sync_to_async(self.active)("t")
        socket = await self.connected(self.bob)
        await socket.send_json_to({"type": "resume", "requestId": "1", "id": "t", "headers": {}, "body": {}})
        assert await socket.receive_json_from(timeout=20) == {"type": "no-active", "requestId": "1"}
        await socket.send_json_to({"type": "abort", "requestId": "1"})
        await socket.send_json_to({"type": "send", "requestId": "2", "id": "t"})
        refused = await socket.receive_json_from(timeout=20)
        assert (refused["type"], refused["requestId"]) == ("error", "2")
        await run.arefresh_from_db()
        assert run.is_active
        await runs.cancel(run)
        await socket.disconnect()

    async def test_what_is_no_frame_is_answered_by_an_error(self):
        socket = await self.connected(self.alice)
        for text, request in (
            ("[]", ""),
            ("{", ""),
            ('{"type": "send"}', ""),
            ('{"type": "jump", "requestId": "1"}', "1"),
            (json.dumps(self.send(text=" ")), "1"),
            (json.dumps(self.send(trigger="no")), "1"),
        ):
            await socket.send_to(text_data=text)
            answer = await socket.receive_json_from(timeout=20)
            assert (answer["type"], answer["requestId"]) == ("error", request), text
            assert answer["errorText"]
        await socket.disconnect()

    async def test_a_page_of_another_site_cannot_connect(self):
        client = await self.aclient_of(self.alice)
        cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items()).encode()
        for origin, welcome in ((b"http://evil.example", False), (b"http://testserver", True)):
            headers = [(b"host", b"testserver"), (b"cookie", cookie), (b"origin", origin)]
            socket = WebsocketCommunicator(sockets({"ws/ui/": UiSocket}), "/ws/ui/", headers=headers)
            assert (await socket.connect())[0] is welcome
            if welcome:
                await socket.disconnect()
