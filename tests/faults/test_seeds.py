"""P1, P2, P3, P7 under many faults at once, drawn from a seed. FAULT_SEEDS=200 plays more of them than the 20 of the suite."""

import asyncio
import os

import pytest

from tests.faults.scenarios import Scenario

SEEDS = range(int(os.environ.get("FAULT_SEEDS", "20")))


def play(stage, seed):
    scenario = Scenario(stage, seed)
    asyncio.run(scenario.play())
    assert scenario.violations() == []


@pytest.mark.parametrize("seed", SEEDS)
def test_one_process_on_sqlite(sqlite_stage, seed):
    sqlite_stage.open(webs=1)
    play(sqlite_stage, seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_web_processes_and_workers_on_postgresql_and_redis(machines_stage, seed):
    play(machines_stage, seed)
