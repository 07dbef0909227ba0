from django.contrib import admin
from django.urls import include, path, re_path

from agentsite import openapi
from agentsite.agent import conversations_api
from progress.metrics import metrics_endpoint
from progress.problems import no_such_endpoint

from . import health, views

urlpatterns = [
    path("", views.home, name="home"),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", metrics_endpoint),
    path("runs/<uuid:pk>/", views.run_page, name="run-page"),
    path("runs/<uuid:pk>/outcome/", views.run_outcome, name="run-outcome"),
    path("runs/<uuid:pk>/cancel/", views.run_cancel, name="run-cancel"),
    path("charts/", views.chart_list, name="chart-list"),
    path("charts/<uuid:pk>/", views.chart_page, name="chart-page"),
    path("charts/<uuid:pk>/card/", views.chart_card_part, name="chart-card"),
    path("conversations/<uuid:pk>/delete/", views.conversation_delete, name="conversation-delete"),
    path("admin/", admin.site.urls),
    path("api/", include("progress.urls")),
    path("api/", include("charts.urls")),
    path("api/agent/", include("agentsite.agent.urls")),
    path("api/conversations", conversations_api.conversations_endpoint, name="conversations"),
    path("api/conversations/<uuid:pk>", conversations_api.conversation_endpoint, name="conversation"),
    path("api/openapi.json", openapi.openapi_json),
    path("api/docs", openapi.docs_page),
    re_path(r"^api/", no_such_endpoint),
]
