from django.urls import path

from . import agui, api, ui
from .tools.api import tools_endpoint

app_name = "agent"
urlpatterns = [
    path("chat", api.chat_endpoint, name="chat"),
    path("tools", tools_endpoint, name="tools"),
    path("agui", agui.agui_endpoint, name="agui"),
    path("agui/<path:thread>/stream", agui.thread_endpoint, name="agui-thread"),
    path("ui", ui.ui_endpoint, name="ui"),
    path("ui/<path:chat>/stream", ui.resume_endpoint, name="ui-stream"),
]
