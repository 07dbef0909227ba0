"""The app's configuration: what is registered when Django starts."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class ProgressConfig(AppConfig):
    """Find every installed app's `operations` module, as the admin finds `admin` modules."""

    name = "progress"
    verbose_name = "Progress"

    def ready(self) -> None:
        from . import batch, checks, demo  # noqa: F401 - they register themselves

        autodiscover_modules("operations")
