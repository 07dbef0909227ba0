"""The published clients of AG-UI and the AI SDK against a running site: each plays all of its scenarios side by side, once."""

import json
import re

import pytest

from tests.clients.node import FOLDER
from tests.services import ROOT

ANSWER = "Let me look. Gold it is \u2028 \U0001f600.\r\n"
THOUGHT = "Where to begin? So be it."
ASIDE = "An aside, not the answer." * 2
WORDS = "".join(f"word{number} " for number in range(10))


@pytest.fixture(scope="module")
def ag_ui(node, clients_site):
    return node.run(FOLDER / "ag_ui.mjs", timeout=120, **clients_site[1])


@pytest.fixture(scope="module")
def ai_sdk(node, clients_site):
    return node.run(FOLDER / "ai_sdk.mjs", timeout=120, **clients_site[1])


def by_id(found):
    return {message["id"]: message for message in found["messages"]}


def answer(found):
    return by_id(found)[found["run"]]


class TestAgUi:
    def test_the_client_has_nothing_to_complain_of(self, ag_ui):
        assert ag_ui["complaints"] == []

    def test_success(self, ag_ui):
        found = ag_ui["story"]
        assert (answer(found)["content"], found["written"], found["error"]) == (ANSWER, ANSWER, None)
        messages = by_id(found)
        assert messages[f"{found['run']}:reasoning"]["content"] == THOUGHT
        assert messages[f"{found['run']}:test_aside:text"]["content"] == ASIDE
        assert found["state"]["run"]["status"] == "completed"
        assert found["result"]["weight"] == 3
        assert found["last"]["usage"] == [{"inputTokens": 12, "outputTokens": 5}]
        shown = messages[f"{found['run']}:op:test_story"]["content"]
        assert (shown["percentage"], shown["currentState"]) == (100, "completed")

    def test_tools_of_which_one_fails(self, ag_ui):
        found = ag_ui["story"]
        calls = {call["id"]: json.loads(call["function"]["arguments"]) for call in answer(found)["toolCalls"]}
        assert calls == {"good": {"of": "gold"}, "plain": {}, "large": {}, "bad": {"what": ["a", None]}}
        results = {m["toolCallId"]: m["content"] for m in found["messages"] if m["role"] == "tool"}
        assert results == {"good": '{"grams":3}', "plain": "Aurum", "large": "12,000 rows", "bad": "Empty."}

    def test_a_part_that_it_can_show(self, ag_ui):
        assert ag_ui["part"]["custom"] == [{"name": "picture", "value": {"id": "7", "url": "/pictures/7"}}]

    def test_timeout(self, ag_ui):
        found = ag_ui["timeout"]
        assert found["error"]["code"] == "timeout"
        assert (answer(found)["content"], found["last"]["type"]) == ("One moment, please", "RUN_ERROR")

    def test_failure(self, ag_ui):
        found = ag_ui["failure"]
        assert found["error"] == {"message": "The table is empty.", "code": "no_data"}
        assert answer(found)["content"] == "It was going so "

    def test_cancel(self, ag_ui):
        found = ag_ui["cancelled"]
        assert (found["error"], found["last"]["outcome"]) == (None, {"type": "cancelled"})
        assert answer(found)["content"] == "One moment, please"
        assert by_id(found)["w1:result"]["content"] == "Cancelled."

    def test_batch(self, ag_ui):
        found = ag_ui["batch"]
        ends = sorted(event["type"] for event in found["subagents"] if event["type"] != "SUBAGENT_STARTED")
        assert ends == ["SUBAGENT_ERROR", "SUBAGENT_FINISHED", "SUBAGENT_FINISHED"]
        assert found["result"]["completed"] == 2

    def test_a_page_that_comes_back_in_the_middle_and_one_that_is_new(self, ag_ui):
        found = ag_ui["broken"]
        assert WORDS.startswith(found["before"])
        assert found["before"] != WORDS
        assert (answer(found)["content"], answer(found["page"])["content"]) == (WORDS, WORDS)

    def test_a_new_page_after_each_event_of_a_run(self, ag_ui):
        assert ag_ui["cuts"]["events"] > 30
        assert ag_ui["cuts"]["different"] == []

    def test_the_chat_and_what_follows_in_its_thread(self, ag_ui):
        chat = ag_ui["chat"]
        for turn in (chat["first"], chat["second"]):
            assert turn["error"] is None
            assert answer(turn)["content"] == turn["written"] != ""
            (chart,) = [each["value"] for each in turn["custom"] if each["name"] == "chart"]
            assert chart["spec_url"] == f"/api/charts/{chart['id']}.json"
        assert chat["runs"] == [{"operation": "chat", "status": "completed"}] * 2

    def test_the_same_input_once_more_is_the_same_run(self, ag_ui):
        chat = ag_ui["chat"]
        assert chat["repeated"]["run"] == chat["first"]["run"]
        assert answer(chat["repeated"])["content"] == chat["first"]["written"]
        said = [message["role"] for message in chat["repeated"]["messages"] if message["role"] in ("user", "assistant")]
        assert said == ["user", "assistant"]

    def test_a_new_page_is_shown_what_was_said_in_the_thread(self, ag_ui):
        chat = ag_ui["chat"]
        said = [(message["role"], message["content"]) for message in chat["page"]["messages"]]
        assert said == [
            ("user", "Show revenue per month"),
            ("assistant", chat["first"]["written"]),
            ("user", "Top 10 products by revenue"),
            ("assistant", chat["second"]["written"]),
        ]


class TestAiSdk:
    def parts(self, found, type):
        return [part for part in found["parts"] if part["type"] == type]

    def test_the_client_has_nothing_to_complain_of(self, ai_sdk):
        assert ai_sdk["complaints"] == []

    def test_success(self, ai_sdk):
        found = ai_sdk["story"]
        assert (found["text"], found["written"], found["status"]) == (ANSWER, ANSWER, "ready")
        assert found["id"] == found["run"]
        assert "".join(part["text"] for part in self.parts(found, "reasoning")) == THOUGHT
        assert "".join(part["text"] for part in self.parts(found, "text") if "providerMetadata" in part) == ASIDE
        assert {part["state"] for part in self.parts(found, "text")} == {"done"}
        assert found["metadata"]["usage"] == {"input_tokens": 12, "output_tokens": 5}
        assert found["finished"] == [
            {"finishReason": "stop", "isAbort": False, "isDisconnect": False, "isError": False}
        ]
        assert found["transient"][0]["data"]["weight"] == 3
        assert found["asked"] == 0  # the client was not told to call a tool itself
        progress = {part["id"]: part["data"] for part in self.parts(found, "data-progress")}
        assert (progress["op:test_story"]["percentage"], progress["op:test_story"]["currentState"]) == (
            100,
            "completed",
        )

    def test_tools_of_which_one_fails(self, ai_sdk):
        tools = {part["toolCallId"]: part for part in self.parts(ai_sdk["story"], "dynamic-tool")}
        outputs = {id: tool["output"] for id, tool in tools.items() if tool["state"] == "output-available"}
        assert outputs == {"good": {"grams": 3}, "plain": "Aurum", "large": "12,000 rows"}
        assert (tools["bad"]["state"], tools["bad"]["errorText"]) == ("output-error", "Empty.")
        assert tools["bad"]["input"] == {"what": ["a", None]}

    def test_a_part_that_it_can_show(self, ai_sdk):
        (picture,) = self.parts(ai_sdk["part"], "data-picture")
        assert picture["data"] == {"id": "7", "url": "/pictures/7"}

    def test_timeout(self, ai_sdk):
        found = ai_sdk["timeout"]
        assert (found["status"], found["metadata"]["code"]) == ("error", "timeout")
        assert (found["text"], len(found["errors"])) == ("One moment, please", 1)

    def test_failure(self, ai_sdk):
        found = ai_sdk["failure"]
        assert (found["status"], found["errors"], found["text"]) == (
            "error",
            ["The table is empty."],
            "It was going so ",
        )

    def test_cancel(self, ai_sdk):
        found = ai_sdk["cancelled"]
        assert (found["status"], found["metadata"]["status"]) == ("ready", "cancelled")
        assert found["finished"][0]["finishReason"] == "interrupted"
        assert (found["automatic"], found["text"]) == (0, "One moment, please")
        (tool,) = self.parts(found, "dynamic-tool")
        assert (tool["state"], tool["errorText"]) == ("output-error", "Cancelled.")

    def test_batch(self, ai_sdk):
        progress = {part["id"]: part["data"] for part in self.parts(ai_sdk["batch"], "data-progress")}
        children = [data["status"] for id, data in progress.items() if id.startswith("child:")]
        assert children == ["completed", "failed"]
        assert progress["op:batch"]["percentage"] == 100

    def test_a_page_that_comes_back_in_the_middle_and_one_that_is_new(self, ai_sdk):
        found = ai_sdk["broken"]
        assert WORDS.startswith(found["before"]["text"])
        assert (found["before"]["text"] != WORDS, found["before"]["finished"]["isDisconnect"]) == (True, True)
        assert (found["text"], found["page"]["text"]) == (WORDS, WORDS)
        assert found["messages"] == ["user", "assistant"]

    def test_there_is_nothing_to_resume(self, ai_sdk):
        assert (ai_sdk["nothing"]["messages"], ai_sdk["nothing"]["status"]) == ([], "ready")

    @pytest.mark.parametrize("transport", ["http", "socket"])
    def test_the_chat_and_what_follows(self, ai_sdk, transport):
        turns = ai_sdk[transport]
        for turn in (turns["first"], turns["second"], turns["third"]):
            assert (turn["status"], turn["errors"], turn["id"]) == ("ready", [], turn["run"])
            assert turn["text"] == turn["written"] != ""
            (chart,) = self.parts(turn, "data-chart")
            assert chart["data"]["spec_url"] == f"/api/charts/{chart['data']['id']}.json"
        assert turns["third"]["messages"] == ["user", "assistant"] * 2
        assert len({turns[turn]["run"] for turn in ("first", "second", "third")}) == 3
        assert turns["resumed"]["messages"] == ["user", "assistant"] * 2

    def test_stop_over_websocket_ends_the_run(self, ai_sdk):
        found = ai_sdk["stopped"]
        assert found["ended"] in ("cancelled", "completed")
        assert found["errors"] == []


def test_the_examples_of_the_docs(node, clients_site):
    """What docs/dialects.md shows of AG-UI: a question, and a new page that comes back to its thread."""
    _site, environment = clients_site
    asking, coming_back, *_ = re.findall(r"^```js\n(.*?)^```", (ROOT / "docs/dialects.md").read_text(), re.M | re.S)
    imports, coming_back = coming_back.split("\n\n", 1)
    script = f"""
        {imports}
        const {{ TOKEN: token }} = process.env;
        {asking.replace('import { HttpAgent } from "@ag-ui/client";', "").replace("http://127.0.0.1:8000", environment["SITE"])}
        const {{ url, headers, threadId }} = agent;
        {coming_back.replace("await new ResumableAgent", "const page = new ResumableAgent").replace(".connectAgent()", "")}
        await page.connectAgent();
        const said = (found) => found.messages.filter(({{ role }}) => role === "assistant").at(-1).content;
        console.log(JSON.stringify([said(agent), said(page)]));
    """
    first, again = node.run(script, **environment)
    assert first == again != ""


def test_the_site_has_nothing_to_complain_of(ag_ui, ai_sdk, clients_site):
    """The last: of all that was asked above, nothing was logged as an error."""
    assert "Traceback" not in clients_site[0].errors(), clients_site[0].errors()
