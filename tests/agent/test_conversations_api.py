"""The API of conversations: what it shows, and to whom."""

from datetime import timedelta
from uuid import uuid4

from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from agentsite.agent.models import Conversation, Message
from agentsite.urls import urlpatterns
from progress.models import ApiToken
from tests.progress.test_api import ApiCase

EVERYBODY = ("anonymous", "owner", "stranger", "viewer", "staff", "token", "foreign token")
# name of the address, method: who gets what there, and what all others get
RIGHTS = {
    ("conversations", "GET"): (set(EVERYBODY), 200, None),
    ("conversation", "GET"): ({"owner", "token", "viewer"}, 200, 404),
    ("conversation", "DELETE"): ({"owner", "token"}, 204, 404),
}


class ConversationsCase(ApiCase):
    def setUp(self):
        super().setUp()
        self.talk = Conversation.objects.create(user=self.alice, title="Revenue", source="sample")
        self.carol.user_permissions.add(Permission.objects.get(codename="view_conversation"))
        self.tokens = {"token": ApiToken.issue(self.alice, "a"), "foreign token": ApiToken.issue(self.bob, "b")}
        self.url = f"/api/conversations/{self.talk.pk}"

    def say(self, count, **fields):
        for position in range(count):
            role = "assistant" if position % 2 else "user"
            Message.objects.create(conversation=self.talk, position=position, role=role, text=f"{position}", **fields)

    async def client_for(self, who):
        users = {"owner": self.alice, "stranger": self.bob, "viewer": self.carol, "staff": self.dave}
        if who in users:
            return await self.aclient_of(users[who]), {}
        return self.client_of(), {"Authorization": f"Bearer {self.tokens[who]}"} if who in self.tokens else {}


class AccessTests(ConversationsCase):
    async def test_every_address_has_its_rows(self):
        addresses = {"conversations": "/api/conversations", "conversation": self.url}
        assert {
            pattern.name for pattern in urlpatterns if "api/conversations" in str(pattern.pattern)
        } == addresses.keys()
        found = set()
        for name, url in addresses.items():
            response = await self.client_of().patch(url)
            assert response.status_code == 405
            found |= {(name, method) for method in response["Allow"].split(", ")}
        assert found == RIGHTS.keys()

    async def test_the_matrix(self):
        for (name, method), (allowed, yes, no) in RIGHTS.items():
            for who in EVERYBODY:
                with self.subTest(name=name, method=method, who=who):
                    await Conversation.objects.aupdate_or_create(pk=self.talk.pk, defaults={"user": self.alice})
                    client, headers = await self.client_for(who)
                    url = reverse(name, args=[self.talk.pk] if name == "conversation" else [])
                    call = client.get if method == "GET" else client.delete
                    response = await call(url, headers=headers)
                    assert response.status_code == (yes if who in allowed else no), response.content
                    deleted = method == "DELETE" and who in allowed
                    assert await Conversation.objects.filter(pk=self.talk.pk).aexists() is not deleted

    async def test_lists_hold_the_callers_own_alone(self):
        for who in EVERYBODY:
            client, headers = await self.client_for(who)
            items = (await client.get("/api/conversations", headers=headers)).json()["items"]
            assert bool(items) is (who in ("owner", "token")), who

    async def test_foreign_and_missing_ones_answer_the_same(self):
        client = await self.aclient_of(self.bob)
        missing = f"/api/conversations/{uuid4()}"
        assert (await client.get(self.url)).content == (await client.get(missing)).content
        for conversation in (self.talk.pk, uuid4()):
            body = {"message": "Go on", "conversation": str(conversation)}
            assert (await self.post(client, "/api/agent/chat", body)).status_code == 404

    async def test_a_cookie_needs_the_token_against_forgery(self):
        client = await self.aclient_of(self.alice)
        client.handler.enforce_csrf_checks = True
        assert (await client.delete(self.url)).status_code == 403


class ShownTests(ConversationsCase):
    async def test_a_conversation_with_its_messages(self):
        self_links = {"self": self.url, "page": f"/?conversation={self.talk.pk}"}
        await Message.objects.acreate(conversation=self.talk, position=0, role="user", text="Hello", run=uuid4())
        await Message.objects.acreate(
            conversation=self.talk, position=1, role="assistant", text="Which?", advice={"readings": ["A?"]}
        )
        client = await self.aclient_of(self.alice)
        found = (await client.get(self.url)).json()
        assert (found["title"], found["source"], found["links"], found["next"]) == (
            "Revenue",
            "sample",
            self_links,
            None,
        )
        asked, answered = found["messages"]
        assert (asked["role"], asked["text"], asked["readings"]) == ("user", "Hello", [])
        assert (answered["text"], answered["status"], answered["readings"]) == ("Which?", "completed", ["A?"])

    async def test_pages_of_messages_lead_back(self):
        await sync_to_async(self.say)(7)
        client = await self.aclient_of(self.alice)
        url, pages = f"{self.url}?limit=3", []
        while url:
            found = (await client.get(url)).json()
            pages.append([message["position"] for message in found["messages"]])
            url = found["next"]
        assert pages == [[4, 5, 6], [1, 2, 3], [0]]

    async def test_pages_of_conversations(self):
        for number in range(4):
            at = timezone.now() - timedelta(hours=number + 1)
            talk = await Conversation.objects.acreate(user=self.alice, title=str(number))
            await Conversation.objects.filter(pk=talk.pk).aupdate(updated_at=at)
        client = await self.aclient_of(self.alice)
        url, titles = "/api/conversations?limit=2", []
        while url:
            found = (await client.get(url)).json()
            titles += [item["title"] for item in found["items"]]
            url = found["next"]
        assert titles == ["Revenue", "0", "1", "2", "3"]

    async def test_wrong_queries_are_named(self):
        client = await self.aclient_of(self.alice)
        for url in (
            "/api/conversations?limit=0",
            "/api/conversations?cursor=x",
            f"{self.url}?before=x",
            f"{self.url}?no=1",
        ):
            assert (await client.get(url)).status_code == 422, url
