"""The app's configuration: what is registered when Django starts."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class ProgressConfig(AppConfig):
    """Find every installed app's `operations` module, as the admin finds `admin` modules."""

    name = "progress"
    verbose_name = "Progress"

    def ready(self) -> None:
        from . import checks, demo  # noqa: F401 - both register themselves

        autodiscover_modules("operations")
