"""`manage.py setup_site`: what a fresh checkout needs before it can serve; run again, it changes nothing."""

import io
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from charts.models import SAMPLE_SLUG, Source, ensure_sample_source


class Command(BaseCommand):
    """Make the database, the sample data, the charts' script and an admin user, where they are missing."""

    help = "Make the database, the sample data, the charts' script and an admin user, where they are missing."
    requires_system_checks = []  # they look for what this command makes

    def handle(self, *args: Any, **options: Any) -> None:
        self._make_folder(settings.VAR_DIR)
        self._migrate()
        self._make_sample()
        self._build_script(settings.VAR_DIR / "vendor" / "vega.js")
        self._make_admin()

    def _say(self, what: str, text: str) -> None:
        self.stdout.write(f"{what:<12} {text}")

    def _make_folder(self, folder: Path) -> None:
        try:
            folder.mkdir(exist_ok=True)
            (folder / ".writable").touch()
            (folder / ".writable").unlink()
        except OSError as error:
            raise CommandError(f"Cannot write to {folder} ({error.strerror}): make the folder yours.") from None

    def _migrate(self) -> None:
        try:
            executor = MigrationExecutor(connection)
            plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
            if plan:
                call_command("migrate", interactive=False, verbosity=0)
                self._say("Database", f"{connection.vendor}, {len(plan)} migrations applied")
        except OperationalError as error:
            raise CommandError(f"Cannot use the database {_without_password()}: {_first_line(error)}") from None

    def _make_sample(self) -> None:
        known = Source.objects.filter(slug=SAMPLE_SLUG).exists()
        sample = ensure_sample_source()
        if not known:
            self._say("Sample data", str(sample.path))

    def _build_script(self, path: Path) -> None:
        before = path.stat().st_mtime_ns if path.exists() else None
        call_command("build_vega", stdout=io.StringIO())
        if path.stat().st_mtime_ns != before:
            self._say("Chart script", str(path))

    def _make_admin(self) -> None:
        users = get_user_model()._default_manager
        if users.filter(is_superuser=True).exists() or users.filter(username="admin").exists():
            return
        password = secrets.token_urlsafe(12)
        users.create_superuser("admin", password=password)
        self._say(
            "Admin user", f"admin, password {password} (shown this once; change it under /admin/password_change/)"
        )


def _without_password() -> str:
    database = settings.DATABASES["default"]
    host = database.get("HOST")
    return f"{database['NAME']} on {host}" if host else str(database["NAME"])


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
