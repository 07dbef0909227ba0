"""The site's settings with a task backend that knows nothing of `progress`: django-tasks-db."""

from agentsite.settings import *  # noqa: F403
from agentsite.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "django_tasks_db"]
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
