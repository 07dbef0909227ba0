"""What staff see of conversations in the admin."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import TestCase
from django.urls import reverse

from agentsite.agent.models import Conversation, Role

HOSTILE = "<script>alert(1)</script>"


class ConversationAdminTests(TestCase):
    def setUp(self):
        self.conversation = Conversation.objects.create(title=HOSTILE, key=HOSTILE)
        charts = [{"title": HOSTILE}]
        self.conversation.messages.create(position=0, role=Role.ASSISTANT, text=HOSTILE, charts=charts)
        self.page = reverse("admin:agent_conversation_change", args=[self.conversation.pk])

    def staff(self, *codenames):
        user = get_user_model().objects.create_user("staff", is_staff=True)
        user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
        self.client.force_login(user)

    def test_what_was_said_is_shown_and_escaped(self):
        self.staff("view_conversation", "view_message")
        for page in (self.page, reverse("admin:agent_conversation_changelist")):
            response = self.client.get(page)
            assert response.status_code == 200
            assert HOSTILE not in response.content.decode()
            assert "&lt;script&gt;alert(1)&lt;/script&gt;" in response.content.decode()

    def test_not_to_staff_without_the_right_and_never_to_be_changed(self):
        self.staff("change_conversation", "view_conversation", "view_message")
        self.client.post(self.page, {"title": "mine"})
        assert Conversation.objects.get().title == HOSTILE
        self.client.logout()
        self.client.force_login(get_user_model().objects.create_user("other", is_staff=True))
        assert self.client.get(self.page).status_code == 403
