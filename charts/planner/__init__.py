"""From a question in plain English to a plan, without a network or a model."""

from __future__ import annotations

from .answers import Ambiguous, NotUnderstood
from .followup import follow
from .plan_question import plan_question

__all__ = ["Ambiguous", "NotUnderstood", "follow", "plan_question"]
