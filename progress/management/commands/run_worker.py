"""`manage.py run_worker`: execute the runs that web processes hand over through Procrastinate."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.tasks import DEFAULT_TASK_BACKEND_ALIAS, task_backends

from progress import drain
from progress.execution import supervisor
from progress.workers import worker_name

LAST = 2.0  # seconds that Procrastinate gets to sign off, once nothing executes


class Command(BaseCommand):
    """Execute runs until SIGTERM, which lets them finish as far as PROGRESS["DRAIN"] allows; Ctrl-C is in a hurry."""

    help = "Execute the runs that web processes hand over through Procrastinate, until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--concurrency", type=int, help="how many runs to execute at once (TASKS' OPTIONS, else 16)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        backend: Any = task_backends[DEFAULT_TASK_BACKEND_ALIAS]
        if not hasattr(backend, "live_workers"):
            raise CommandError(
                "This site's runs execute in its web processes. Workers need TASKS with the backend "
                "progress.backends.procrastinate.ProcrastinateBackend; WORKERS=on sets it for this site."
            )
        from progress.backends.procrastinate import work

        concurrency = options["concurrency"] or backend.concurrency
        signal.signal(signal.SIGTERM, _end_soon)
        signal.signal(signal.SIGINT, _end_soon)
        drain.install()
        supervisor.start()
        self.stdout.write(f"Worker {worker_name()} executes {concurrency} runs at once (Ctrl-C ends it)")
        self.stdout.flush()
        asyncio.run(work(concurrency))


def _end_soon(number: int, _frame: FrameType | None) -> None:
    """What is left to do by `progress.drain` when it is through: the worker ends by itself, or is ended."""
    timer = threading.Timer(LAST, os._exit, (128 + number,))
    timer.daemon = True
    timer.start()
