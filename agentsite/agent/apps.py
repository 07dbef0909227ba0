from django.apps import AppConfig


class AgentConfig(AppConfig):
    name = "agentsite.agent"
    label = "agent"
    verbose_name = "Agent"

    def ready(self) -> None:
        from . import checks  # noqa: F401 - they register themselves
        from .tools import checks as tool_checks  # noqa: F401
