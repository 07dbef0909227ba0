"""A chat from its message to what is kept of it, with the model that is there without any."""

import asyncio
import sqlite3
from contextlib import closing
from uuid import UUID, uuid4

import pytest
from asgiref.sync import sync_to_async

from agentsite.agent.chat import Chat
from agentsite.agent.conversations import Turn, begin_turn, turns_of, within
from agentsite.agent.models import Conversation, Ending, Message, Role
from charts.models import Chart, Source
from progress import OperationFailed, stream_operation
from progress.models import OperationRun
from progress.owners import Owner
from progress.runs import cancel, retry, start
from tests.charts.case import ShopCase, make_slow_source

VISITOR, OTHER = Owner(visitor="somebody"), Owner(visitor="another")


class ChatCase(ShopCase):
    async def say(self, message, conversation=None, *, owner=VISITOR, **params):
        """Have a message answered by a run of its own."""
        chat = Chat(message=message, conversation=conversation, **params)
        return await self.finished(chat, owner=owner)

    @sync_to_async
    def messages(self, conversation):
        return list(Message.objects.filter(conversation=conversation).order_by("position"))


def told(events, operation="chat"):
    return [
        (event.data["currentState"], event.data["metadata"])
        for event in events
        if event.type == "progress" and event.data["operation"] == operation
    ]


def order(events):
    found = [state for state, _ in told(events)]
    return [state for at, state in enumerate(found) if at == 0 or found[at - 1] != state]


class AnswerTests(ChatCase):
    async def test_a_question_becomes_a_chart(self):
        run = await self.say("Revenue per month")
        events = await self.assert_one_end(run)
        assert order(events) == [
            *("queued", "running", "thinking", "executing_make_chart", "completed_make_chart"),
            *("thinking", "answering", "completed"),
        ]
        (reference,) = run.result["charts"]
        chart = await Chart.objects.aget(pk=reference["id"])
        assert (chart.visitor, str(chart.run)) == ("somebody", str(run.pk))
        assert reference["url"] == f"/charts/{chart.pk}/"
        texts = [event.data["content"] for event in events if event.type == "content"]
        assert "".join(texts) == run.result["message"] == chart.answer
        marks = {metadata["toolCallId"] for _state, metadata in told(events, "chart_generation")}
        assert marks == {"call_1"}
        percentages = [
            event.data["percentage"]
            for event in events
            if event.type == "progress" and event.data["operation"] == "chat"
        ]
        assert percentages == sorted(percentages)
        assert percentages[-1] == 100
        assert percentages[-2] < 100

    async def test_it_is_kept_as_a_message_and_its_answer(self):
        run = await self.say("Revenue per month")
        conversation = await Conversation.objects.aget()
        assert str(conversation.pk) == run.result["conversation"] == str(run.pk)
        assert (conversation.title, conversation.visitor) == ("Revenue per month", "somebody")
        asked, answered = await self.messages(conversation)
        assert (asked.role, asked.text, asked.run) == (Role.USER, "Revenue per month", run.pk)
        assert (answered.role, answered.text, answered.status) == (Role.ASSISTANT, run.result["message"], "completed")
        assert answered.charts == run.result["charts"]
        (call,) = answered.tool_calls
        assert (call["name"], call["status"], call["arguments"]) == (
            "make_chart",
            "completed",
            {"question": "Revenue per month"},
        )
        assert len(call["result"]) <= 1500

    async def test_what_is_not_understood_is_answered_with_questions_that_work(self):
        run = await self.say("How many zeppelins flew over Atlantis?")
        assert run.status == "completed"
        assert "“zeppelins”" in run.result["message"]
        assert len(run.result["suggestions"]) == 3
        assert run.result["charts"] == []
        assert "failed_make_chart" in order(await self.events(run))
        _, answered = await self.messages(run.pk)
        assert answered.advice == {"suggestions": run.result["suggestions"]}

    async def test_readings(self):
        run = await self.say("best customers")
        assert len(run.result["readings"]) >= 2

    async def test_tools_run_and_their_results_are_worded(self):
        for message, tool, words in (
            ("what is 12 * 37?", "calculate", "12 * 37 = 444"),
            ("which tables are there?", "list_sources", "support_tickets"),
            ("describe the orders table", "describe_table", "| customer_id | integer | customers.id |"),
            ("profile status of orders", "profile_column", "5 different values"),
            ("SELECT COUNT(*) AS n FROM categories", "run_query", "| n |\n| --- |\n| 8 |"),
        ):
            with self.subTest(message):
                run = await self.say(message)
                assert f"completed_{tool}" in order(await self.events(run))
                assert words in run.result["message"]

    async def test_what_it_cannot_do_it_says(self):
        for message, words in (
            ("DROP TABLE orders", "Nothing can be changed or deleted here"),
            ("SELECT * FROM sqlite_master", "there is no table sqlite_master"),
            ("describe the zeppelins table", "There is no table 'zeppelins'"),
            ("1 / 0", "it divides by zero"),
            ("write me a poem about autumn", "Only questions about the data"),
        ):
            with self.subTest(message):
                run = await self.say(message)
                assert run.status == "completed"
                assert words in run.result["message"]
                assert run.result["charts"] == []

    async def test_small_talk_calls_nothing(self):
        run = await self.say("Hello!")
        assert order(await self.events(run)) == ["queued", "running", "thinking", "answering", "completed"]

    async def test_the_same_again_is_answered_the_same(self):
        runs = [await self.say(message) for message in ("Revenue per month", "help") for _ in range(2)]
        assert runs[0].result["message"] == runs[1].result["message"]
        assert runs[2].result["message"] == runs[3].result["message"]

    async def test_without_a_row_it_works_too(self):
        events = []
        result = await stream_operation(Chat(message="12 * 37"), events.append)
        assert result["message"] == "12 * 37 = 444"
        again = await stream_operation(Chat(message="12 * 38", conversation=UUID(result["conversation"])))
        assert [message.text for message in await self.messages(again["conversation"])][2:] == [
            "12 * 38",
            "12 * 38 = 456",
        ]

    async def test_a_source_that_is_not_there(self):
        run = await self.say("Revenue per month", source="nowhere")
        assert run.result["message"].startswith("There is no source 'nowhere'")

    async def test_what_could_not_be_done_fails_the_run(self):
        (self.folder / "broken.sqlite3").write_bytes(b"not a database at all" * 100)
        await Source.objects.acreate(slug="broken", title="B", location="broken.sqlite3", is_public=True)
        run = await self.say("number of things", source="broken")
        assert run.status == "failed"
        assert run.error["code"] in ("query_failed", "unavailable")
        _, answered = await self.messages(run.pk)
        assert (answered.status, answered.error) == (
            "failed",
            {"code": run.error["code"], "message": run.error["message"]},
        )


class ConversationTests(ChatCase):
    async def start_slow(self):
        """Start a chat whose query takes minutes."""
        (self.folder / "slow.sqlite3").unlink(missing_ok=True)
        source = await sync_to_async(make_slow_source)(self.folder)
        return await start(Chat(message="number of visits by title", source=source.slug), owner=VISITOR)

    async def test_the_next_message_goes_on(self):
        first = await self.say("Revenue per month")
        second = await self.say("what is 12 * 37?", first.pk)
        assert second.result["conversation"] == str(first.pk)
        said = await self.messages(first.pk)
        assert [message.position for message in said] == [0, 1, 2, 3]
        assert [message.role for message in said] == ["user", "assistant"] * 2

    async def test_the_source_stays(self):
        with closing(sqlite3.connect(self.folder / "pets.sqlite3")) as database, database:
            database.execute("CREATE TABLE pets (id INTEGER PRIMARY KEY, kind TEXT)")
            database.execute("INSERT INTO pets (kind) VALUES ('cat'), ('cat'), ('dog')")
        await Source.objects.acreate(slug="pets", title="Pets", location="pets.sqlite3", is_public=True)
        first = await self.say("number of pets by kind", source="pets")
        assert first.result["charts"], first.result
        second = await self.say("describe the pets table", first.pk)
        assert "The table pets has 3 rows." in second.result["message"]
        third = await self.say("describe the orders table", first.pk, source="sample")
        assert "The table orders has" in third.result["message"]

    async def test_one_of_somebody_else_is_not_there(self):
        first = await self.say("Hello")
        for conversation in (first.pk, uuid4()):
            run = await self.say("Hello again", conversation, owner=OTHER)
            assert (run.status, run.error["message"]) == ("failed", "There is no such conversation.")
        assert len(await self.messages(first.pk)) == 2

    async def test_a_cancelled_turn_is_kept_as_such_and_the_next_one_works(self):
        run = await self.start_slow()
        await self.until(run, "executing_query")
        await cancel(run)
        run = await self.end_of(run)
        assert run.status == "cancelled"
        asked, answered = await self.messages(run.pk)
        assert (asked.text, answered.status) == ("number of visits by title", "cancelled")
        assert answered.error == {"code": "cancelled", "message": "Cancelled."}
        after = await self.say("describe the pages table", run.pk)
        assert "The table pages has 20,000 rows." in after.result["message"]

    async def test_a_run_that_tries_again_takes_the_place_of_the_first(self):
        first = await self.say("number of things", source="broken")
        assert first.status == "completed"
        await OperationRun.objects.filter(pk=first.pk).aupdate(status="failed", error={"code": "timeout"}, result=None)
        again = await self.end_of(await retry(await OperationRun.objects.aget(pk=first.pk), owner=VISITOR))
        assert again.result["conversation"] == str(first.pk)
        said = await self.messages(first.pk)
        assert [(message.role, message.run) for message in said] == [("user", again.pk), ("assistant", again.pk)]
        assert await Conversation.objects.acount() == 1

    async def test_deleted_in_the_middle_it_is_not_made_again(self):
        run = await self.start_slow()
        await self.until(run, "executing_query")
        await Conversation.objects.all().adelete()
        await cancel(run)
        await self.end_of(run)
        assert not await Message.objects.aexists()

    async def test_at_once(self):
        first = await self.say("Hello")
        await asyncio.gather(*(self.say(f"{number} + 1", first.pk) for number in range(4)))
        said = await self.messages(first.pk)
        assert [message.position for message in said] == list(range(10))
        answers = {message.run: message.text for message in said if message.role == "assistant"}
        for message in said[2:]:
            if message.role == "user":
                assert answers[message.run].startswith(message.text)


class BeginTests(ShopCase):
    def begin(self, run=None, **given):
        wanted = {"message": "Hello", "conversation": None, "source": None, "owner": VISITOR, "budget": 10_000}
        return begin_turn(**wanted | given, run=str(run) if run else None)

    def test_executed_again_it_says_the_same_once(self):
        run = uuid4()
        first, again = self.begin(run), self.begin(run)
        assert first.conversation == again.conversation == run
        assert again.earlier == ()
        assert Message.objects.count() == 1

    def test_texts_that_a_database_cannot_hold(self):
        begun = self.begin(uuid4(), message="a\0b\ud800 c")
        assert Message.objects.get().text == "a\ufffdb\ufffd c"
        assert Conversation.objects.get(pk=begun.conversation).title == "a\ufffdb\ufffd c"

    def test_nobody_has_a_conversation_of_somebody(self):
        begun = self.begin(uuid4())
        with pytest.raises(OperationFailed, match="There is no such conversation"):
            self.begin(uuid4(), conversation=begun.conversation, owner=OTHER)
        assert self.begin(uuid4(), conversation=begun.conversation, owner=None).earlier  # the command line may


class HistoryTests(ShopCase):
    def test_what_was_never_answered_says_so(self):
        runs = [uuid4() for _ in range(4)]
        said = [
            Message(role=Role.USER, text="a", run=runs[0]),
            Message(role=Role.USER, text="b", run=runs[1]),
            Message(role=Role.ASSISTANT, text="B", run=runs[1]),
            Message(role=Role.ASSISTANT, text="A", run=runs[0]),
            Message(role=Role.USER, text="c", run=runs[2]),
            Message(role=Role.ASSISTANT, run=runs[2], status=Ending.FAILED, error={"message": "It broke."}),
            Message(role=Role.USER, text="d", run=runs[3]),
            Message(role=Role.USER, text="e"),
            Message(role=Role.ASSISTANT, text="E"),
        ]
        assert [(turn.message, turn.answer) for turn in turns_of(said)] == [
            ("a", "A"),
            ("b", "B"),
            ("c", "(This was not answered. It broke.)"),
            ("d", "(This was not answered. It was not finished.)"),
            ("e", "E"),
        ]

    def test_the_newest_have_room_and_long_ones_are_shortened(self):
        turns = [Turn(message=str(number) * 100, answer="x" * 100) for number in range(5)]
        assert [turn.message[0] for turn in within(500, turns)] == ["3", "4"]
        (long,) = within(10, [*turns, Turn(message="y" * 9_000, answer="z" * 9_000)])
        assert len(long.message) < 4_100
        assert long.answer.endswith("… (shortened)")
        assert within(10, []) == ()
