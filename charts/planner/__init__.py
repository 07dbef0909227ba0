"""From a question in plain English to a plan, without a network or a model."""

from __future__ import annotations

from .plan_question import Ambiguous, NotUnderstood, plan_question

__all__ = ["Ambiguous", "NotUnderstood", "plan_question"]
