"""From a question in plain English to a plan, without a network or a model."""

from __future__ import annotations

from .answers import Ambiguous, NotUnderstood
from .plan_question import plan_question

__all__ = ["Ambiguous", "NotUnderstood", "plan_question"]
