"""Task backends other than the default one; `tests/test_machines.py` has Procrastinate's workers at work."""

import os
import subprocess
import sys
from datetime import timedelta

import httpx
import pytest
from django.core.management import CommandError, call_command
from django.test import SimpleTestCase, TransactionTestCase, override_settings
from django.utils import timezone
from httpx_sse import connect_sse

from progress import recovery
from progress.backends.procrastinate import ProcrastinateBackend
from progress.models import OperationRun
from tests.services import ROOT, running_site, running_worker

SOON = 60


class ChecksTests(SimpleTestCase):
    databases = {"default"}

    def test_procrastinate_says_what_it_misses(self):
        found = ProcrastinateBackend("default", {}).check()
        assert "progress.E006" in [message.id for message in found]

    def test_workers_need_postgresql(self):
        environment = os.environ | {"WORKERS": "on", "DATABASE_URL": "sqlite:///none", "DEBUG": "on"}
        environment["DJANGO_SETTINGS_MODULE"] = "agentsite.settings"
        done = subprocess.run(
            [sys.executable, "-c", "from django.conf import settings; settings.DEBUG"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SOON,
        )
        assert "WORKERS=on hands runs to worker processes through PostgreSQL: set DATABASE_URL=" in done.stderr

    def test_a_worker_without_work_says_so(self):
        with pytest.raises(CommandError, match="execute in its web processes"):
            call_command("run_worker")


class LostJobTests(TransactionTestCase):
    def test_a_run_whose_job_was_lost_ends(self):
        with override_settings(TASKS={"default": {"BACKEND": "django.tasks.backends.dummy.DummyBackend"}}):
            late = timezone.now() - timedelta(days=1)
            run = OperationRun.objects.create(operation="demo", worker="elsewhere:1:1", last_seq=0)
            OperationRun.objects.filter(pk=run.pk).update(created_at=late)
            assert recovery.sweep() == 1
        run.refresh_from_db()
        assert (run.status, run.error["code"]) == ("failed", "timeout")


def test_a_backend_that_knows_nothing_of_runs_executes_them(tmp_path):
    """django-tasks-db: a run is executed, followed and cancelled, though this backend can neither cancel nor report."""
    url, settings = f"sqlite:///{tmp_path / 'db.sqlite3'}", {"DJANGO_SETTINGS_MODULE": "tests.other_backend"}
    with (
        running_site(url, **settings) as site,
        running_worker(url, "db_worker", "--interval=0.1", "--no-startup-delay", **settings),
        httpx.Client(base_url=site.address, timeout=SOON) as visitor,
    ):
        visitor.get("/").raise_for_status()
        visitor.headers["X-CSRFToken"] = visitor.cookies["csrftoken"]
        request = {"operation": "demo", "params": {"seconds": 0.1, "steps": 2}, "stream": True}
        with connect_sse(visitor, "POST", "/api/runs", json=request) as source:
            assert [event.json()["type"] for event in source.iter_sse() if event.data][-1] == "done"
        request = {"operation": "demo", "params": {"seconds": 300, "steps": 1000}, "stream": True}
        with connect_sse(visitor, "POST", "/api/runs", json=request) as source:
            events = (event.json() for event in source.iter_sse() if event.data)
            next(event for event in events if event["data"].get("percentage"))
            visitor.post(f"{source.response.headers['Location']}/cancel").raise_for_status()
            *_, last = events
        assert last["data"]["metadata"]["code"] == "cancelled"
