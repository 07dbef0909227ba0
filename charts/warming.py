"""Loading ahead what the first question would wait for."""

from __future__ import annotations

import logging

from django.db import connections

from .models import find_source
from .operations import draw
from .plan import Aggregate, Measure, Plan

logger = logging.getLogger("charts")


def warm_up() -> None:
    """Answer a small question without saving it: a second or so, for a thread at start-up.

    Errors are logged, not raised: a server without its data still serves.
    """
    try:
        _answer()
    except Exception:
        logger.exception("the first question will be slow: warming up failed")
    finally:
        connections.close_all()


def _answer() -> None:
    from .attempts import Answer, Guarded
    from .checks import run_checks
    from .planner import plan_question
    from .profiling import profile_source
    from .sql import compile_plan

    source = find_source(None, None).open()
    profile = profile_source(source)
    table = profile.tables[0].name
    plan_question(f"number of {table}", profile)
    count = Measure(label="rows", table=table, aggregate=Aggregate.COUNT)
    plan = Plan(question="", table=table, measures=(count,))
    query = compile_plan(plan, profile)
    guarded = Guarded(source=source, profile=profile, cancelled=lambda: False)
    ran = guarded.execute(query.sql, query.columns)
    checks = tuple(run_checks(plan, profile, query, ran, count=guarded.scalar))
    draw(Answer(plan=plan, query=query, ran=ran, shown=ran, checks=checks, attempts=()))
