"""The watch over the event loop begins when Django starts."""

from django.apps import AppConfig


class LoadConfig(AppConfig):
    name = "tests.load"

    def ready(self):
        from .watch import watch

        watch.install()
