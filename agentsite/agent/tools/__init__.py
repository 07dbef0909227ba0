"""What a model, or whoever starts `tool_execution`, may have done: typed functions, each under limits and with its owner's rights.

Decorate a typed function with `tool` and name it in AGENT["TOOLS"]; `available_tools` gives those of an owner while it is open,
and `run_tool` calls one and reports on it.
"""

from .available import Toolbox, available_tools
from .calls import MAX_CALLS, ToolCall, ToolOutcome, run_tool
from .definition import Tool, ToolContext, tool

__all__ = [
    "MAX_CALLS",
    "Tool",
    "ToolCall",
    "ToolContext",
    "ToolOutcome",
    "Toolbox",
    "available_tools",
    "run_tool",
    "tool",
]
