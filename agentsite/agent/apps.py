from django.apps import AppConfig


class AgentConfig(AppConfig):
    name = "agentsite.agent"
    label = "agent"
    verbose_name = "Agent"
