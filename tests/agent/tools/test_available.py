"""Tools of a project's own, as docs/tools.md shows them."""

import asyncio
import re
import sys
from types import ModuleType

from django.core.exceptions import ImproperlyConfigured
from django.test import TransactionTestCase, override_settings

from agentsite.agent.tool_execution import ToolExecution
from agentsite.agent.tools import available_tools
from agentsite.agent.tools.available import BUILT_IN, local_tools
from progress import stream_operation
from progress.owners import Owner
from tests.services import ROOT

DOCUMENT = (ROOT / "docs" / "tools.md").read_text()


def example(number):
    return re.findall(r"^```python\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)[number]


class DocumentedTests(TransactionTestCase):
    def test_the_tool_of_the_documentation_works(self):
        module = ModuleType("shop.tools")
        sys.modules.update({"shop": ModuleType("shop"), "shop.tools": module})
        self.addCleanup(lambda: [sys.modules.pop(name) for name in ("shop", "shop.tools")])
        exec(example(0), module.__dict__)
        settings = {}
        exec(example(1), settings)
        calls = [{"name": "stock_level", "arguments": {"sku": sku}} for sku in ("A-1", "C-3")]
        events = []
        with override_settings(AGENT=settings["AGENT"]):
            operation = ToolExecution.model_validate({"tools": [*calls, {"name": "stock_level"}]})
            found, unknown, wrong = asyncio.run(stream_operation(operation, events.append))["results"]
        assert found["result"] == {"sku": "A-1", "pieces": 42}
        assert unknown["error"] == {"code": "no_data", "message": "There is no product C-3."}
        assert wrong["error"]["message"] == "The arguments do not fit: sku: Field required."
        assert "Counting A-1" in [event.data.get("message") for event in events]

    def test_the_servers_of_the_documentation_are_well_formed(self):
        from agentsite.agent.tools.checks import check_tools

        settings = {}
        exec(example(2), settings)
        with override_settings(AGENT=settings["AGENT"]):
            assert check_tools() == []

    def test_every_built_in_tool_is_documented_and_says_nothing_of_addresses(self):
        described = re.findall(r"^\| `(\w+)` \| ", DOCUMENT, re.MULTILINE)
        assert described[: len(BUILT_IN)] == [tool.name for tool in BUILT_IN]
        for tool in BUILT_IN:
            assert not {"url", "uri", "address", "path", "file"} & set(tool.parameters.get("properties", {})), tool.name

    def test_a_path_that_leads_to_no_tool_is_a_mistake_of_the_settings(self):
        with override_settings(AGENT={"TOOLS": ["agentsite.agent.conf.setting"]}):
            self.assertRaisesMessage(ImproperlyConfigured, "is not a tool", local_tools)

    def test_nobody_may_what_needs_a_permission_but_the_command_line(self):
        path = "tests.agent.test_tool_execution.guarded"

        async def names(owner):
            async with available_tools(owner) as box:
                return set(box)

        with override_settings(AGENT={"TOOLS": [path]}):
            for owner in (Owner(), Owner(visitor="x"), Owner(user=12345)):
                assert "guarded" not in asyncio.run(names(owner))
            assert "guarded" in asyncio.run(names(None))
