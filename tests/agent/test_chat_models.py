"""A chat with a language model: what it is told, what it may do, and where it is stopped."""

import json

from agentsite.agent.tools import MAX_CALLS
from charts.models import Chart

from .model_case import ModelCase


def call(name, **arguments):
    return {"tool": name, "arguments": arguments}


class ChatModelTests(ModelCase):
    async def test_the_model_calls_a_tool_and_says_what_came_of_it(self):
        steps = [{"thinking": "A chart, then."}, call("make_chart", question="revenue per month")]
        self.provider.script("chat", {"steps": steps}, {"text": "It rose over the years."})
        said = await self.say("How did revenue go?")
        assert said.text == said.result["message"] == "It rose over the years."
        (reference,) = said.result["charts"]
        chart = await Chart.objects.aget(pk=reference["id"])
        assert chart.visitor == "somebody"
        thoughts = [event.data["metadata"].get("reasoning", "") for event in said.events if event.type == "progress"]
        assert "".join(thoughts) == "A chart, then."
        first, second = self.bodies()
        assert {tool["function"]["name"] for tool in first["tools"]} >= {"make_chart", "run_query", "calculate"}
        told = next(message for message in second["messages"] if message["role"] == "tool")
        assert json.loads(told["content"])["answer"] == chart.answer
        assert said.result["usage"]["inputTokens"] > 0

    async def test_several_calls_in_one_reply_of_which_one_fails(self):
        calls = [
            call("calculate", expression="6 * 7"),
            call("calculate", expression="1 / 0"),
            call("weather", city="Bern"),
        ]
        self.provider.script("chat", {"steps": [{"text": "Let me see."}, *calls]}, {"text": "42."})
        said = await self.say("What is 6 * 7?")
        assert said.text == "Let me see.\n\n42."
        assert [each["result"]["value"] for each in said.of("completed_")] == ["42"]
        assert [each["toolName"] for each in said.of("failed_")] == ["calculate", "weather"]
        assert "There is no tool 'weather'" in said.of("failed_")[1]["error"]["message"]
        told = [message["content"] for message in self.bodies()[1]["messages"] if message["role"] == "tool"]
        assert ["error" in each for each in told] == [False, True, True]
        percentages = [
            event.data["percentage"]
            for event in said.events
            if event.type == "progress" and event.data["operation"] == "chat"
        ]
        assert percentages == sorted(percentages)

    async def test_of_a_great_many_calls_in_one_reply_the_first_are_made(self):
        calls = [call("calculate", expression=f"{number} + 1") for number in range(MAX_CALLS + 3)]
        self.provider.script("chat", {"steps": calls}, {"text": "Enough."})
        said = await self.say("Count, please: 0")
        assert len(said.of("completed_")) == MAX_CALLS
        assert [each["error"]["code"] for each in said.of("failed_")] == ["limit_exceeded"] * 3
        told = [message["content"] for message in self.bodies()[1]["messages"] if message["role"] == "tool"]
        assert ["error" in each for each in told] == [False] * MAX_CALLS + [True] * 3
        assert said.text == "Enough."

    async def test_half_a_character_ends_nothing(self):
        steps = [{"text": "Let me see \ud83d"}, call("calculate", expression="6 * 7")]
        self.provider.script("chat", {"steps": steps}, {"text": "42."})
        said = await self.say("What is 6 * 7?")
        assert said.error is None
        assert said.text == "Let me see \ufffd\n\n42."
        assert "Let me see \ufffd" in [message.get("content") for message in self.bodies()[1]["messages"]]

    async def test_a_model_that_never_ends_is_stopped_and_that_is_said(self):
        self.provider.script("chat", {"steps": [call("calculate", expression="1 + 1")]})
        said = await self.say("Count for ever", agent={"CHAT_TURNS": 3})
        assert len(self.bodies()) == 3
        assert said.text.startswith("I stopped here: 3 rounds")
        assert said.error is None

    async def test_the_model_is_told_what_was_said_before(self):
        chart = call("make_chart", question="revenue per month")
        self.provider.script("chat", {"steps": [chart]}, {"text": "It rose."}, {"text": "You are welcome."})
        first = await self.say("Revenue?")
        await self.say("Thanks", first.conversation)
        messages = self.bodies()[-1]["messages"]
        assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool", "assistant", "user"]
        assert first.result["charts"][0]["id"] in messages[3]["content"]
        assert [messages[1]["content"], messages[4]["content"], messages[5]["content"]] == [
            "Revenue?",
            "It rose.",
            "Thanks",
        ]

    async def test_a_follow_up_by_the_model(self):
        self.provider.script(
            "chat", {"steps": [call("make_chart", question="revenue per month")]}, {"text": "It rose."}
        )
        first = await self.say("Revenue?")
        (chart,) = first.result["charts"]
        change = call("make_chart", question="only 2025", follows=chart["id"])
        self.provider.script("chat", {"steps": [change]}, {"text": "In 2025, too."})
        second = await self.say("only 2025", first.conversation)
        changed = await Chart.objects.aget(pk=second.result["charts"][0]["id"])
        assert str(changed.follows_id) == chart["id"]

    async def test_history_has_a_budget(self):
        self.provider.script("chat", {"text": "Yes. " + "word " * 200})
        conversation = None
        for number in range(6):
            said = await self.say(f"Message {number}", conversation, agent={"CHAT_HISTORY": 2_500})
            conversation = said.conversation
        asked = [message["content"] for message in self.bodies()[-1]["messages"] if message["role"] == "user"]
        assert asked == ["Message 3", "Message 4", "Message 5"]

    async def test_a_connection_that_breaks_leaves_the_conversation_usable(self):
        self.provider.script("chat", {"steps": [{"text": "It was going to"}, {"cut": True}]}, {"text": "Here I am."})
        first = await self.say("Hello")
        assert first.error.code == "unavailable"
        asked, answered = await self.kept()
        assert (answered.status, answered.text.strip()) == ("failed", "It was going to")
        again = await self.say("Hello again", asked.conversation_id)
        assert again.text == "Here I am."
        assert len(await self.kept()) == 4

    async def test_tokens_have_a_limit(self):
        self.provider.script("chat", {"steps": [{"words": 4_000}]})
        said = await self.say("Write on", agent={"RUN_TOKENS": 3_000})
        assert said.error.code == "limit_exceeded"
        assert (await self.kept())[1].text.startswith("word0 word1")

    async def test_arguments_that_are_no_json_are_refused_by_the_tool(self):
        self.provider.script(
            "chat", {"steps": [call("calculate", expression=3), call("calculate")]}, {"text": "So be it."}
        )
        said = await self.say("Calculate")
        assert [each["error"]["code"] for each in said.of("failed_")] == ["invalid_request"] * 2
        assert said.text == "So be it."
