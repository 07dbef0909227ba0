"""A backend of Django's TASKS that hands tasks to Procrastinate's workers, through PostgreSQL.

A task becomes a job in the transaction that asked for it, on Django's own connection: both are there or neither. Procrastinate
only delivers. It never tries a job again, for the run's row knows better: lease, cancel, attempts and the end are kept there.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psycopg
from django.apps import apps
from django.core.checks import CheckMessage, Error
from django.db import connections, router
from django.db.models.functions import Now
from django.tasks.backends.base import BaseTaskBackend
from django.tasks.base import Task, TaskResult, TaskResultStatus
from django.utils import timezone
from django.utils.json import normalize_json
from django.utils.module_loading import import_string
from procrastinate import PsycopgConnector
from procrastinate.contrib.django import app, connector_params
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.settings import settings as procrastinate_settings
from procrastinate.exceptions import ConnectorException
from procrastinate.manager import JobManager
from procrastinate.tasks import configure_task

from ..conf import setting

logger = logging.getLogger("progress")
NAME = "progress.call"
CONCURRENCY = 16
HEARD_OF = 30  # seconds since its last sign of life in which a worker counts as alive; it gives one every 10 s
PAUSE = 1.0  # seconds between attempts to reach a database that is away
GLANCE = 0.1  # seconds between looks whether the process is to end
WAIT = 5.0  # seconds a worker's query waits for a connection, before it tries again


@app.task(name=NAME)
async def call(task: str, args: list[Any], kwargs: dict[str, Any]) -> None:
    """Call the Django task at the path `task`; the one task that Procrastinate knows of."""
    found = import_string(task)
    if not isinstance(found, Task):
        raise TypeError(f"{task} is no task.")
    await found.acall(*args, **kwargs)


class ProcrastinateBackend(BaseTaskBackend):
    """Hands tasks to the processes of `manage.py run_worker`; each executes OPTIONS["concurrency"] (16) at once."""

    supports_async_task = True
    supports_defer = True
    supports_priority = True
    transactional = True  # what is enqueued in a transaction is there once that commits

    @property
    def concurrency(self) -> int:
        """How many tasks one worker executes at once."""
        return int(self.options.get("concurrency", CONCURRENCY))

    def enqueue(self, task: Task[..., Any], args: Any, kwargs: Any) -> TaskResult[Any, Any]:
        """Write a job that calls `task`; workers are told when the surrounding transaction commits."""
        self.validate_task(task)
        arguments: dict[str, Any] = {"args": normalize_json(list(args)), "kwargs": normalize_json(dict(kwargs))}
        # Not the app's own connector: in a worker that is another connection than Django's, and knows of no transaction.
        manager = JobManager(DjangoConnector(procrastinate_settings.DATABASE_ALIAS))
        job = configure_task(
            name=NAME,
            job_manager=manager,
            queue=task.queue_name,
            priority=task.priority,
            schedule_at=task.run_after,
        ).defer(task=task.module_path, **arguments)
        return TaskResult(
            task=task,
            id=str(job),
            status=TaskResultStatus.READY,
            enqueued_at=timezone.now(),
            started_at=None,
            finished_at=None,
            last_attempted_at=None,
            backend=self.alias,
            errors=[],
            worker_ids=[],
            **arguments,
        )

    def live_workers(self) -> int:
        """How many workers gave a sign of life lately."""
        from procrastinate.contrib.django.models import ProcrastinateWorker

        heard = Now() - timedelta(seconds=HEARD_OF)
        return ProcrastinateWorker.objects.filter(last_heartbeat__gt=heard).count()

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        """Procrastinate's app is installed, and its jobs are where the runs are, on PostgreSQL."""
        from ..models import OperationRun

        found: list[CheckMessage] = []
        if not apps.is_installed("procrastinate.contrib.django"):
            found.append(
                Error(
                    "The tasks are Procrastinate's, and its app is not installed.",
                    hint="Add 'procrastinate.contrib.django' to INSTALLED_APPS and migrate.",
                    id="progress.E006",
                )
            )
        alias = procrastinate_settings.DATABASE_ALIAS
        if connections[alias].vendor != "postgresql" or router.db_for_write(OperationRun) != alias:
            found.append(
                Error(
                    f"Procrastinate needs PostgreSQL, and the runs in the same database; {alias!r} is not that.",
                    hint="Use PostgreSQL, or progress.backends.asyncio.AsyncioBackend, which needs nothing.",
                    id="progress.E007",
                )
            )
        return found


class _PatientConnector(PsycopgConnector):
    """A worker's own connections. They wait for a database that is away, where Procrastinate's would end the worker."""

    def __init__(self) -> None:
        parameters = connector_params(procrastinate_settings.DATABASE_ALIAS)
        super().__init__(kwargs=parameters, min_size=1, max_size=4, timeout=WAIT, reconnect_timeout=WAIT)

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        await self._patiently(super().execute_query_async, query, **arguments)

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
        row: dict[str, Any] = await self._patiently(super().execute_query_one_async, query, **arguments)
        return row

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = await self._patiently(super().execute_query_all_async, query, **arguments)
        return rows

    async def listen_notify(self, on_notification: Any, channels: Any) -> None:
        await self._patiently(super().listen_notify, on_notification, channels)

    async def _patiently(self, method: Any, *args: Any, **kwargs: Any) -> Any:
        while True:
            try:
                return await method(*args, **kwargs)
            except ConnectorException as error:
                if not isinstance(error.__cause__, psycopg.OperationalError):
                    raise
                logger.warning("the worker cannot reach the database: %s", error.__cause__)
                await asyncio.sleep(PAUSE)


async def work(concurrency: int) -> None:
    """Execute jobs, `concurrency` at once, until the process drains."""
    from ..execution import supervisor

    with app.replace_connector(_PatientConnector()):
        async with app.open_async():
            again = asyncio.create_task(_deliver_again())
            worker = asyncio.create_task(
                app.run_worker_async(
                    concurrency=concurrency,
                    update_heartbeat_interval=setting("LEASE_RENEW"),
                    delete_jobs="always",  # the run's row tells what became of it
                    install_signal_handlers=False,
                )
            )
            while not supervisor.draining:
                await asyncio.wait({worker}, timeout=GLANCE)
                if worker.done():
                    await worker
                    raise RuntimeError("Procrastinate's worker ended by itself; its log says why.")
            again.cancel()
            worker.cancel()  # it takes no more jobs, and waits for what it executes
            with suppress(asyncio.CancelledError):
                await worker


async def _deliver_again() -> None:
    """Put back, for as long as this process works, what workers had taken that are gone.

    A run that one of them had claimed is the sweep's to end or to start again; a job for it finds nothing to do.
    """
    while True:
        try:
            for job in await app.job_manager.get_stalled_jobs(task_name=NAME, seconds_since_heartbeat=setting("LEASE")):
                await app.job_manager.retry_job(job)
        except ConnectorException as error:  # another worker was faster
            logger.info("a job was not delivered again: %s", error)
        except Exception:
            logger.exception("what other workers left could not be delivered again")
        await asyncio.sleep(setting("SWEEP"))
