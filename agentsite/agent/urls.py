from django.urls import path

from . import api
from .tools.api import tools_endpoint

app_name = "agent"
urlpatterns = [
    path("chat", api.chat_endpoint, name="chat"),
    path("tools", tools_endpoint, name="tools"),
]
