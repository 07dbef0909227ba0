"""Loading ahead what the first question would wait for."""

from __future__ import annotations

import logging

from django.db import connections

from .models import find_source
from .plan import Aggregate, Measure, Plan

logger = logging.getLogger("charts")


def warm_up() -> None:
    """Load the SQL library, the planner and the profile of the first source: a second or so, for a thread at start-up.

    Errors are logged, not raised: a server without its data still serves.
    """
    from .attempts import Guarded
    from .planner import plan_question
    from .profiling import profile_source
    from .sql import compile_plan

    try:
        source = find_source(None, None).open()
        profile = profile_source(source)
        table = profile.tables[0].name
        plan_question(f"number of {table}", profile)
        count = Measure(label="rows", table=table, aggregate=Aggregate.COUNT)
        query = compile_plan(Plan(question="", table=table, measures=(count,)), profile)
        Guarded(source=source, profile=profile, cancelled=lambda: False).scalar(query.sql)
    except Exception:
        logger.exception("the first question will be slow: warming up failed")
    finally:
        connections.close_all()
