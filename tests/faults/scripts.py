"""What forked processes execute around a crash: a run from its start to its end, and the recovery that a restart brings."""

import asyncio
import os
import uuid
from pathlib import Path
from typing import Any

from progress import runs
from progress.execution import supervisor
from progress.log import log
from progress.models import ACTIVE, OperationRun
from tests.faults.checker import Records, digest
from tests.faults.crashing import arm
from tests.faults.operations import Publish, PublishAgain


def restart(*, crash_at: int = 0) -> None:
    """Do what a restarted server does before it answers, then follow every run to its end."""
    if crash_at:
        arm(crash_at)
    supervisor.start()
    asyncio.run(_follow_all(*OperationRun.objects.filter(status__in=ACTIVE).values_list("pk", flat=True)))


def restart_and_publish(*, crash_at: int, again: bool = False, cancel: bool = False, **params: Any) -> None:
    """Recover what the process before left, then start a run, cancel it if asked to, and follow it to its end."""
    restart()
    arm(crash_at)
    asyncio.run(_publish((PublishAgain if again else Publish)(**params), cancel))


async def _publish(operation: Publish, cancel: bool) -> None:
    run = await runs.start(operation)
    following = asyncio.create_task(_follow(run.pk))
    if cancel:
        await asyncio.sleep(0.01)
        await runs.cancel(run)
    await following


async def _follow_all(*pks: uuid.UUID) -> None:
    await asyncio.gather(*map(_follow, pks))


async def _follow(pk: uuid.UUID) -> None:
    run, reader, records = str(pk), str(os.getpid()), Records(Path(os.environ["FAULT_RECORDS"]))
    records.note(run, reader, after=0)
    async for event in log.subscribe(pk):
        records.note(run, reader, seq=event.seq, hash=digest(event.payload))
    records.note(run, reader, over=True)
    records.close()
