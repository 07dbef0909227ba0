"""P2 and P3 at every step at which something becomes durable: a crash leaves one end, and nothing that was seen is lost."""

import pytest

from tests.faults import scripts
from tests.faults.stage import PATIENCE

STORIES = {
    "completes": {"pieces": 3},
    "fails": {"pieces": 3, "fail_at": 3},
    "is cancelled": {"pieces": 20, "rest": 0.02, "cancel": True},
    "is executed again": {"pieces": 3, "again": True},
}
MOST_STEPS = 60


def crashes(stage, script, **arguments):
    """Execute `script` in a process of its own; return whether it came to its crash."""
    forked = stage.forks.script(script, **arguments)
    assert forked.ended(PATIENCE), forked.errors()
    assert "Traceback" not in forked.errors(), forked.errors()
    return "crash point" in forked.errors()


def judge(stage, known):
    """Every run that is not in `known` has ended, and all is as promised."""
    stored = {row.run for row in stage.table().rows}
    assert stage.violations(stored - known) == []
    return stored


@pytest.fixture
def known(sqlite_stage):
    return {row.run for row in sqlite_stage.table().rows}


@pytest.mark.parametrize("story", STORIES)
def test_a_run_that_crashes_at_each_step(sqlite_stage, known, story):
    for step in range(1, MOST_STEPS):
        if not crashes(sqlite_stage, scripts.restart_and_publish, crash_at=step, **STORIES[story]):
            break
    else:
        pytest.fail("it never came through")
    assert len(judge(sqlite_stage, known) - known) > step // 2  # the first ones crashed before there was a run


@pytest.mark.parametrize("story", ["is cancelled", "is executed again"])
def test_a_recovery_that_crashes_at_each_step(sqlite_stage, known, story):
    for step in range(1, MOST_STEPS):
        assert crashes(sqlite_stage, scripts.restart_and_publish, crash_at=5, **STORIES[story])  # while it executes
        if not crashes(sqlite_stage, scripts.restart, crash_at=step):
            break
        crashes(sqlite_stage, scripts.restart)
    else:
        pytest.fail("it never came through")
    judge(sqlite_stage, known)
