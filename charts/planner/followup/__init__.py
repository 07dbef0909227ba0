"""From a follow-up ("only 2023", "as a line") and the plan of the chart before it to the plan that follows."""

from __future__ import annotations

from .follow import follow

__all__ = ["follow"]
