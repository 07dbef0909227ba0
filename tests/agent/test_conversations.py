import threading

from django.contrib.auth import get_user_model
from django.db import connections
from django.test import TransactionTestCase

from agentsite.agent.conversations import conversation_for
from agentsite.agent.models import Conversation
from progress.owners import Owner

VISITOR, OTHER = Owner(visitor="somebody"), Owner(visitor="another")


class ConversationForTests(TransactionTestCase):
    def test_a_key_is_one_conversation_per_owner(self):
        first = conversation_for(VISITOR, "thread 1")
        assert conversation_for(VISITOR, "thread 1") == first
        assert conversation_for(VISITOR, "thread 2") != first
        assert conversation_for(OTHER, "thread 1") != first
        assert first.owner == VISITOR

    def test_a_visitor_who_signs_in_keeps_it(self):
        alice = get_user_model().objects.create(username="alice")
        before = conversation_for(VISITOR, "thread")
        signed_in = Owner(user=alice.pk, visitor="somebody")
        assert conversation_for(signed_in, "thread") == before
        assert conversation_for(Owner(user=alice.pk), "thread") != before

    def test_requests_at_once_get_the_same(self):
        found, barrier = [], threading.Barrier(4)

        def ask():
            barrier.wait()
            try:
                found.append(conversation_for(VISITOR, "thread").pk)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 4
        assert len(set(found)) == 1
        assert Conversation.objects.count() == 1
