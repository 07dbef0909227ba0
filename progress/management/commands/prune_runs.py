import re
from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from progress.conf import setting
from progress.models import OperationEvent, OperationRun
from progress.retention import expired, prune

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(text: str) -> timedelta:
    """Read a duration such as 90m, 24h or 7d."""
    if (found := re.fullmatch(r"(\d{1,6})([smhd])", text)) is None:
        raise ArgumentTypeError(f"{text!r} is no duration: give a whole number with s, m, h or d, such as 7d.")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


class Command(BaseCommand):
    help = "Delete the runs that ended some time ago, with their events. Runs under way stay, and so do charts."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than", type=duration, metavar="TIME", help="such as 7d; else PROGRESS['RETENTION']"
        )
        parser.add_argument("--dry-run", action="store_true", help="only count them")

    def handle(self, *args: Any, older_than: timedelta | None, dry_run: bool, **options: Any) -> None:
        older_than = timedelta(seconds=setting("RETENTION")) if older_than is None else older_than
        if dry_run:
            tops = expired(older_than)
            runs = OperationRun.objects.filter(pk__in=tops) | OperationRun.objects.filter(parent__in=tops)
            events = OperationEvent.objects.filter(run__in=runs).count()
            self.stdout.write(f"{tops.count()} runs would be deleted, with {events} events.")
        else:
            self.stdout.write(f"{prune(older_than)} runs deleted.")
