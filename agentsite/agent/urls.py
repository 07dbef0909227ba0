from django.urls import path

from . import api

app_name = "agent"
urlpatterns = [path("chat", api.chat_endpoint, name="chat")]
